//! Registers a build: checks what the CI server says about the build, then binds names to ids, stores the build and
//! creates its tokens, in one transaction. A refused registration writes nothing.

use super::environment::JobEnvironment;
use super::issuer::Issuer;
use super::refusal::{IssueRefusal, NotIssued};
use crate::base::{BuildId, Moment, RequestTokenId, Secret, Sha256};
use crate::claims::{self, Build, CheckedRegistration, RegistrationError, RegistrationRules};
use crate::policy::{Client, Scope};
use crate::store::{BuildRegistration, NameKind, NewBuild, NewRequestToken, RegistrationRefusal, Rename, TokenKind};

/// A registered build, with the tokens that only the CI server receives.
#[derive(Debug)]
pub(crate) struct RegisteredBuild {
    pub(crate) id: BuildId,
    /// Whether an earlier, equal request registered the build already. A CI server repeats the request if the first
    /// answer was lost.
    pub(crate) repeated: bool,
    /// Subject of the build's ID tokens; `None` if no ID token can be issued to the build, for the reason in
    /// `warnings`.
    pub(crate) subject: Option<String>,
    /// Problems with the build that an operator should know of.
    pub(crate) warnings: Vec<String>,
    /// Worker token of the build, if the client has the scope `builds:tokens`.
    pub(crate) worker_token: Option<Secret<String>>,
    /// Environment variables with the build-wide request token, if the registration asks for such a token and the
    /// client has the scope `builds:tokens`.
    pub(crate) environment: Option<JobEnvironment>,
    /// Time at which the build and its tokens expire.
    pub(crate) expires_at: Moment,
}

impl Issuer {
    /// Registers a build for an authenticated client with the scope `builds:write`. `digest` is the SHA-256 digest of
    /// the request's body. A second request with the same digest repeats a request whose answer was lost: the build
    /// stays, and new tokens replace its tokens.
    ///
    /// # Errors
    /// [`NotIssued`].
    pub(crate) async fn register_build(
        &self,
        client: &Client,
        body: claims::Registration,
        digest: Sha256,
    ) -> Result<RegisteredBuild, NotIssued> {
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
        let (new, secrets) = self.new_build(client, checked, digest)?;
        let registered = self.parts.store.register_build(&self.id, client, &new).await?.map_err(refusal)?;
        Ok(self.answer(new, secrets, registered))
    }

    fn new_build(
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
        let mut draw_token = |kind, prefix| -> Result<Secret<String>, NotIssued> {
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
            secrets.worker = Some(draw_token(TokenKind::Worker, "bpw_")?);
            if checked.build_token {
                secrets.build = Some(draw_token(TokenKind::Build, "bpr_")?);
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

    fn answer(&self, new: NewBuild, secrets: DrawnSecrets, registered: BuildRegistration) -> RegisteredBuild {
        let mut warnings = Vec::new();
        let (id, build, expires_at, repeated) = match registered {
            BuildRegistration::New { renames, ids_taken } => {
                warnings.extend(renames.iter().map(|rename| self.rename_warning(&new.build, rename)));
                warnings.extend(ids_taken.iter().map(|(kind, name)| id_taken_warning(*kind, name)));
                (new.id, new.build, new.deadline, false)
            }
            BuildRegistration::Repeated(stored) => (stored.id, stored.build, stored.deadline, true),
        };
        for warning in &warnings {
            tracing::warn!(build = %id, "{warning}");
        }
        let subject = match self.settings.subject.render(&build, None) {
            Ok(subject) => {
                if subject.is_long() {
                    warnings.push(format!(
                        "the subject has {} bytes: Google Cloud accepts at most 127",
                        subject.as_str().len()
                    ));
                }
                Some(subject.as_str().to_owned())
            }
            Err(reason) => {
                warnings.push(format!("no token can be issued to this build: {reason}"));
                None
            }
        };
        let environment = secrets.build.map(|token| JobEnvironment::new(&self.paths, id, &build, token));
        RegisteredBuild { id, repeated, subject, warnings, worker_token: secrets.worker, environment, expires_at }
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
            "{} id {} was renamed from {} to {}: the subject of its tokens changes from {} to {}",
            name_kind(rename.kind),
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
        "{} {name} was registered without an id before and is now bound to this id: the subject of its tokens may change",
        name_kind(kind)
    )
}

const fn name_kind(kind: NameKind) -> &'static str {
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
