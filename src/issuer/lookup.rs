//! Shows and finishes the builds of an authenticated client. A build of another client is always reported as not found.

use super::authentication::ClientCredential;
use super::issuer::Issuer;
use super::refusal::{IssueRefusal, NotIssued};
use crate::base::BuildId;
use crate::policy::{Client, Scope};
use crate::store::{BuildState, Finish, StoredBuild};

/// A build as shown to the client that registered the build.
pub(crate) struct ShownBuild {
    pub(crate) build: StoredBuild,
    pub(crate) state: BuildState,
    /// Subject of the build's ID tokens; `None` if the subject format needs a value that the build lacks.
    pub(crate) subject: Option<String>,
}

impl Issuer {
    /// Authenticates a client and returns the client's build with this id.
    ///
    /// # Errors
    /// [`NotIssued`] if the client is not authenticated or lacks the scope, if the client has no such build, or if the
    /// server fails.
    pub(crate) async fn show_build(&self, credential: &ClientCredential, id: BuildId) -> Result<ShownBuild, NotIssued> {
        let client = self.client(credential, Scope::BuildsWrite).await?;
        let build = self.build_of(&client, id).await?;
        let state = build.state(self.parts.clock.now());
        let subject = self.settings.subject.render(&build.build, None).ok().map(|subject| subject.as_str().to_owned());
        Ok(ShownBuild { build, state, subject })
    }

    /// Finishes a build of an authenticated client with the scope `builds:write`, after which buildpass rejects all
    /// tokens of the build. Repeating the call changes nothing: the first status stays.
    ///
    /// # Errors
    /// [`NotIssued`] if the client has no such build, or if the server fails.
    pub(crate) async fn finish_build(&self, client: &Client, id: BuildId, status: Finish) -> Result<(), NotIssued> {
        let now = self.parts.clock.now();
        match self.parts.store.finish_build(&self.id, id, &client.id, status, now).await? {
            true => Ok(()),
            false => Err(IssueRefusal::NotFound.into()),
        }
    }

    pub(super) async fn build_of(&self, client: &Client, id: BuildId) -> Result<StoredBuild, NotIssued> {
        let found = self.parts.store.find_build(&self.id, id).await?;
        match found {
            Some(build) if build.client == client.id => Ok(build),
            _ => Err(IssueRefusal::NotFound.into()),
        }
    }

    /// Returns the build of `client` with this id; refuses if the build is not running.
    pub(super) async fn running_build_of(&self, client: &Client, id: BuildId) -> Result<StoredBuild, NotIssued> {
        let build = self.build_of(client, id).await?;
        match build.state(self.parts.clock.now()) {
            BuildState::Running => Ok(build),
            BuildState::Finished | BuildState::Expired => Err(IssueRefusal::BuildFinished.into()),
        }
    }
}
