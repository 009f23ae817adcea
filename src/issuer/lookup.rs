//! Builds as their client sees them: shown and finished. Another client's build does not exist here.

use super::authentication::ClientCredential;
use super::issuer::Issuer;
use super::refusal::{IssueRefusal, NotIssued};
use crate::base::BuildId;
use crate::policy::{Client, Scope};
use crate::store::{BuildState, Finish, StoredBuild};

impl Issuer {
    /// A build of this client, and where it is in its life.
    ///
    /// # Errors
    /// [`NotIssued`]: not authenticated, scope, not found, or a fault of ours.
    pub async fn show_build(
        &self,
        credential: &ClientCredential,
        id: BuildId,
    ) -> Result<(StoredBuild, BuildState), NotIssued> {
        let client = self.client(credential, Scope::BuildsWrite).await?;
        let build = self.build_of(&client, id).await?;
        let state = build.state(self.parts.clock.now());
        Ok((build, state))
    }

    /// Ends a build: from here on its tokens of every kind are dead. Again: nothing changes.
    ///
    /// # Errors
    /// [`NotIssued`]: not authenticated, scope, not found, or a fault of ours.
    pub async fn finish_build(
        &self,
        credential: &ClientCredential,
        id: BuildId,
        status: Finish,
    ) -> Result<(), NotIssued> {
        let client = self.client(credential, Scope::BuildsWrite).await?;
        let now = self.parts.clock.now();
        match self.parts.store.finish_build(&self.id, id, &client.id, status, now).await? {
            true => Ok(()),
            false => Err(IssueRefusal::NotFound.into()),
        }
    }

    /// The subject of a build's tokens; `None` where it has none.
    #[must_use]
    pub fn subject_of(&self, build: &StoredBuild) -> Option<String> {
        self.settings.subject.render(&build.build, None).ok().map(|subject| subject.as_str().to_owned())
    }

    /// A build of this client; another client's is not found.
    pub(super) async fn build_of(&self, client: &Client, id: BuildId) -> Result<StoredBuild, NotIssued> {
        let found = self.parts.store.find_build(&self.id, id).await?;
        match found {
            Some(build) if build.client == client.id => Ok(build),
            _ => Err(IssueRefusal::NotFound.into()),
        }
    }

    /// The same, while it runs.
    pub(super) async fn running_build_of(&self, client: &Client, id: BuildId) -> Result<StoredBuild, NotIssued> {
        let build = self.build_of(client, id).await?;
        match build.state(self.parts.clock.now()) {
            BuildState::Running => Ok(build),
            BuildState::Finished | BuildState::Expired => Err(IssueRefusal::BuildFinished.into()),
        }
    }
}
