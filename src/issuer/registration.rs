//! Registering a build: its facts checked, its names bound, its tokens made, all in one act.

use super::authentication::ClientCredential;
use super::environment::JobEnvironment;
use super::issuer::Issuer;
use super::refusal::{IssueRefusal, NotIssued};
use crate::base::{BuildId, Moment, RequestTokenId, Secret, Sha256};
use crate::claims::{self, Build, CheckedRegistration, RegistrationError, RegistrationRules};
use crate::policy::{Client, Scope};
use crate::store::{NameKind, NewBuild, NewRequestToken, Registered, RegistrationRefusal, Rename, TokenKind};

/// What the CI server is answered.
#[derive(Debug)]
pub struct Registration {
    /// The build.
    pub id: BuildId,
    /// Did it stand already, so that this is a lost answer given again?
    pub repeated: bool,
    /// The subject of its tokens; `None` where it has none, and a warning says why.
    pub subject: Option<String>,
    /// What an operator should know.
    pub warnings: Vec<String>,
    /// The worker's token, where the client may have tokens.
    pub worker_token: Option<Secret<String>>,
    /// The build-wide job environment with its request token, where one was wanted and the client may have tokens.
    pub environment: Option<JobEnvironment>,
    /// When the build dies at the latest.
    pub expires_at: Moment,
}

impl Issuer {
    /// Registers a build, as `body` (already parsed from bytes of this digest) describes it.
    ///
    /// # Errors
    /// [`NotIssued`].
    pub async fn register_build(
        &self,
        credential: &ClientCredential,
        body: claims::Registration,
        digest: Sha256,
    ) -> Result<Registration, NotIssued> {
        let client = self.client(credential, Scope::BuildsWrite).await?;
        if !client.may_act_for(body.org()) {
            return Err(IssueRefusal::ForbiddenOrganization(body.org().to_owned()).into());
        }
        let rules = RegistrationRules {
            ids: client.ids.as_deref(),
            subject: &self.settings.subject,
            max_build: self.settings.max_build,
        };
        let checked = body.check(&rules).map_err(|error| match error {
            RegistrationError::Field(field) => IssueRefusal::Invalid(field),
            RegistrationError::IdsRequired => IssueRefusal::IdsRequired,
        })?;
        let (new, secrets) = self.draw(&client, checked, digest)?;
        let registered = self.parts.store.register_build(&self.id, &client, &new).await?.map_err(refusal)?;
        Ok(self.answer(new, secrets, registered))
    }

    fn draw(
        &self,
        client: &Client,
        checked: CheckedRegistration,
        body: Sha256,
    ) -> Result<(NewBuild, DrawnSecrets), NotIssued> {
        let now = self.parts.clock.now();
        let entropy = &*self.parts.entropy;
        let deadline = now + checked.timeout;
        let mut secrets = DrawnSecrets::default();
        let mut tokens = Vec::new();
        let mut make = |kind, prefix| -> Result<Secret<String>, NotIssued> {
            let secret = Secret::draw(prefix, entropy)?;
            tokens.push(NewRequestToken {
                id: RequestTokenId::new(now, entropy)?,
                kind,
                digest: secret.digest(),
                step: None,
                audiences: None,
                expires_at: deadline,
                max_uses: None,
            });
            Ok(secret)
        };
        if client.has(Scope::BuildsTokens) {
            secrets.worker = Some(make(TokenKind::Worker, "bpw_")?);
            if checked.build_token {
                secrets.build = Some(make(TokenKind::Build, "bpr_")?);
            }
        }
        let new = NewBuild {
            id: BuildId::new(now, entropy)?,
            key: checked.key,
            body,
            build: checked.build,
            audiences: checked.audiences,
            registered_at: now,
            deadline,
            tokens,
        };
        Ok((new, secrets))
    }

    fn answer(&self, new: NewBuild, secrets: DrawnSecrets, registered: Registered) -> Registration {
        let mut warnings = Vec::new();
        let (id, build, expires_at, repeated) = match registered {
            Registered::New { renames, ids_taken } => {
                warnings.extend(renames.iter().map(|rename| self.rename_warning(&new.build, rename)));
                warnings.extend(ids_taken.iter().map(|(kind, name)| id_taken_warning(*kind, name)));
                (new.id, new.build, new.deadline, false)
            }
            Registered::Repeated(stored) => (stored.id, stored.build, stored.deadline, true),
        };
        for warning in &warnings {
            tracing::warn!(build = %id, "{warning}");
        }
        let subject = match self.settings.subject.render(&build, None) {
            Ok(subject) => {
                if subject.is_long() {
                    warnings.push(format!(
                        "the subject has {} bytes: Google Cloud takes at most 127",
                        subject.as_str().len()
                    ));
                }
                Some(subject.as_str().to_owned())
            }
            Err(reason) => {
                warnings.push(format!("this build can have no token: {reason}"));
                None
            }
        };
        let environment = secrets.build.map(|token| JobEnvironment::new(&self.paths, id, &build, token));
        Registration { id, repeated, subject, warnings, worker_token: secrets.worker, environment, expires_at }
    }

    fn rename_warning(&self, build: &Build, rename: &Rename) -> String {
        let mut former = build.clone();
        match (rename.kind, rename.from.rsplit_once('/')) {
            (NameKind::Org, _) | (NameKind::Repo, None) => former.org.clone_from(&rename.from),
            (NameKind::Repo, Some((org, repo))) => {
                org.clone_into(&mut former.org);
                repo.clone_into(&mut former.repo);
            }
        }
        let subject = |build: &Build| {
            self.settings
                .subject
                .render(build, None)
                .map_or_else(|_| "none".to_owned(), |subject| subject.as_str().to_owned())
        };
        format!(
            "{} id {} was known as {} and is now {}: the subject changes from {} to {}",
            noun(rename.kind),
            rename.id,
            rename.from,
            rename.to,
            subject(&former),
            subject(build),
        )
    }
}

#[derive(Default)]
struct DrawnSecrets {
    worker: Option<Secret<String>>,
    build: Option<Secret<String>>,
}

fn id_taken_warning(kind: NameKind, name: &str) -> String {
    format!(
        "{} {name} was first seen without an id and is bound to this one from now on: its subject may change",
        noun(kind)
    )
}

/// What a kind of name is called in a sentence.
pub(super) const fn noun(kind: NameKind) -> &'static str {
    match kind {
        NameKind::Org => "organisation",
        NameKind::Repo => "repository",
    }
}

fn refusal(refused: RegistrationRefusal) -> IssueRefusal {
    match refused {
        RegistrationRefusal::BuildExists(id) => IssueRefusal::BuildExists(id),
        RegistrationRefusal::ClientDisabled => IssueRefusal::Unauthenticated,
        RegistrationRefusal::IdBound { kind } => IssueRefusal::IdBound(kind),
        RegistrationRefusal::NameBound { kind, name } => IssueRefusal::NameBound { kind, name },
    }
}
