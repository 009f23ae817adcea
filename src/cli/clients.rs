//! `clients`: manages the clients of the API. A client's secret is printed once, when the secret is created, and never
//! stored.

use std::collections::BTreeSet;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::failure::Failure;
use super::installation::{Installation, now};
use super::output::{self, Table, cell};
use crate::base::{ClientId, IssuerId, Moment, Seconds, Secret, SystemEntropy};
use crate::claims::AudiencePattern;
use crate::config::Flags;
use crate::policy::{Client, ClientIdentity, OrganizationPattern, Scope, client_name, ids_name};
use crate::store::Store;
use crate::verifier::Provider;

/// Prefix of every client secret.
const SECRET_PREFIX: &str = "bpc_";

/// Commands on clients.
#[derive(Debug, Subcommand)]
pub(super) enum Clients {
    Create(Create),
    List(List),
    RotateSecret(RotateSecret),
    Disable(Disable),
    NewSecret(NewSecret),
}

/// Create a client and print the client's id and secret; the secret is not stored
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  buildpass clients create vela --org acme
  buildpass clients create vela --org acme --org 'tools/*' --audience sts.amazonaws.com --json
  buildpass clients create vela --provider k8s --subject system:serviceaccount:ci:vela

With --provider the client has no secret. The client authenticates with a token of that provider, which must have \
exactly the subject of --subject, and {public_url}/api/v1 as the only audience.")]
pub(super) struct Create {
    /// Display name of the client; no two clients may have the same name
    #[arg(value_parser = named)]
    name: String,
    /// Permission of the client: builds:write, builds:tokens, tokens:introspect, publications:write or admin;
    /// repeatable [default: builds:write,builds:tokens, the permissions of a CI server]
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<Scope>,
    /// Organisation that the client may act for: a name, or prefix/* for every organisation below prefix/; repeatable
    /// [default: all organisations]
    #[arg(long = "org", value_name = "ORG", value_delimiter = ',')]
    organizations: Vec<OrganizationPattern>,
    /// Audience that tokens of the client's builds may have; * matches any characters except / and other
    /// delimiters of URLs; repeatable [default: all audiences]
    #[arg(long = "audience", value_name = "AUDIENCE")]
    audiences: Vec<AudiencePattern>,
    /// Prefix of the organisation and repository ids that the client registers: NAME turns the id 7 into NAME.7, so
    /// that equal ids of two forges (code hosts) stay different
    #[arg(long, value_name = "NAME", value_parser = ids)]
    ids: Option<String>,
    /// Provider of the tokens that the client authenticates with, instead of a secret; `providers list` prints the
    /// names of providers
    #[arg(long, value_name = "PROVIDER", requires = "subject")]
    provider: Option<String>,
    /// Exact subject of the tokens that the client authenticates with, such as system:serviceaccount:ci:vela
    #[arg(long, value_name = "SUBJECT", requires = "provider")]
    subject: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// List all clients
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass clients list --json | jq -r .name")]
pub(super) struct List {
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Create a new secret for a client; the old secret is accepted for a while
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  buildpass clients rotate-secret vela --overlap 1h
  buildpass clients rotate-secret vela --now      # the old secret has leaked")]
pub(super) struct RotateSecret {
    /// Name of the client
    name: String,
    /// Time for which the old secret is accepted besides the new secret
    #[arg(long, value_name = "DURATION", default_value = "24h", conflicts_with = "now")]
    overlap: Seconds,
    /// Reject the old secret at once
    #[arg(long)]
    now: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Disable a client; the client's builds are finished and the builds' tokens are revoked at once
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass clients disable vela")]
pub(super) struct Disable {
    /// Name of the client
    name: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Print a new secret for a client declared in the configuration
#[derive(Debug, Args)]
#[command(after_help = "Example:
  (umask 077; buildpass clients new-secret > secrets/vela)

Then declare the client: [clients.vela] with secret_file = \"secrets/vela\". To change the secret, write a new secret on a line \
before the old secret, run `buildpass config apply`, give the new secret to the client, and remove the old line.")]
pub(super) struct NewSecret {}

impl Clients {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(installation).await,
            Self::NewSecret(NewSecret {}) => {
                Ok(output::line(Secret::draw(SECRET_PREFIX, &SystemEntropy)?.expose_secret())?)
            }
            Self::Create(create) => {
                let configured = installation.config(Flags::default())?.providers;
                with(installation.store().await?, async |store| create.run(store, &configured).await).await
            }
            Self::RotateSecret(rotate) => {
                with(installation.required_store().await?, async |store| rotate.run(store).await).await
            }
            Self::Disable(disable) => {
                with(installation.required_store().await?, async |store| disable.run(store).await).await
            }
        }
    }
}

/// Runs `work` on the store and closes the store, also after an error.
async fn with(store: Arc<dyn Store>, work: impl AsyncFnOnce(&dyn Store) -> Result<(), Failure>) -> Result<(), Failure> {
    let done = work(&*store).await;
    store.close().await;
    done
}

#[derive(Serialize)]
struct CreatedClient<'a> {
    client_id: &'a ClientId,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
    name: &'a str,
    scopes: &'a [Scope],
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<&'a ClientIdentity>,
}

impl Create {
    /// Returns the provider and the subject of the tokens that the new client authenticates with, or `None` if the
    /// client authenticates with a secret.
    async fn identity(&self, store: &dyn Store, configured: &[Provider]) -> Result<Option<ClientIdentity>, Failure> {
        let (Some(provider), Some(subject)) = (&self.provider, &self.subject) else { return Ok(None) };
        let rows = store.read_rules(&IssuerId::main(), 0).await?.providers;
        let stored = rows.into_iter().filter(|row| row.removed_at.is_none()).map(|row| row.name);
        let known: BTreeSet<String> = configured.iter().map(|known| known.name().to_owned()).chain(stored).collect();
        if !known.contains(provider) {
            let known = if known.is_empty() { "none".to_owned() } else { Vec::from_iter(known).join(", ") };
            return Err(Failure::usage(format!("there is no provider {provider:?}; known providers: {known}")));
        }
        if self.scopes.contains(&Scope::Admin) {
            return Err(Failure::usage("--scope admin requires a client with a secret"));
        }
        if subject.is_empty() || subject.chars().any(char::is_control) {
            return Err(Failure::usage(
                "--subject must be the exact subject of the tokens: not empty, no control characters",
            ));
        }
        Ok(Some(ClientIdentity { provider: provider.clone(), subject: subject.clone() }))
    }

    async fn run(self, store: &dyn Store, configured: &[Provider]) -> Result<(), Failure> {
        let now = now();
        let identity = self.identity(store, configured).await?;
        let secret = Secret::draw(SECRET_PREFIX, &SystemEntropy)?;
        let mut scopes = if self.scopes.is_empty() { Scope::CI_SERVER.to_vec() } else { self.scopes };
        scopes.sort_unstable_by_key(|scope| Scope::ALL.iter().position(|known| known == scope));
        scopes.dedup();
        let client = Client {
            id: ClientId::new(now, &SystemEntropy)?,
            name: self.name,
            scopes,
            organizations: self.organizations,
            audiences: self.audiences,
            ids: self.ids,
            identity,
            created_at: now,
            disabled_at: None,
            declared: false,
            revision: 0,
        };
        if store.create_client(&IssuerId::main(), &client, secret.digest()).await?.is_err() {
            let name = &client.name;
            return Err(Failure::refused(match &client.identity {
                None => format!(
                    "a client named {name} exists; choose another name, or create a new secret for it: \
                     buildpass clients rotate-secret {name}"
                ),
                Some(_) => format!("a client named {name}, or with this provider and subject, exists already"),
            }));
        }
        if client.organizations.is_empty() && client.has(Scope::BuildsWrite) {
            let name = &client.name;
            output::note(&format!("note: {name} may act for every organisation; --org limits a client to some"));
        }
        if self.json {
            return Ok(output::document(&CreatedClient {
                client_id: &client.id,
                client_secret: client.identity.is_none().then(|| secret.expose_secret().as_str()),
                name: &client.name,
                scopes: &client.scopes,
                identity: client.identity.as_ref(),
            })?);
        }
        output::line(&format!("client_id      {}", client.id))?;
        if let Some(ClientIdentity { provider, subject }) = &client.identity {
            output::line(&format!("provider       {provider}"))?;
            output::line(&format!("subject        {}", output::visible(subject)))?;
            output::note("The client has no secret: it authenticates with a token of that provider.");
            return Ok(());
        }
        output::line(&format!("client_secret  {}", secret.expose_secret()))?;
        output::note("The secret is printed only once: the database holds its digest.");
        Ok(())
    }
}

#[derive(Serialize)]
struct ListedClient {
    client_id: ClientId,
    name: String,
    scopes: Vec<Scope>,
    organizations: Vec<OrganizationPattern>,
    audiences: Vec<AudiencePattern>,
    ids: Option<String>,
    identity: Option<ClientIdentity>,
    declared: bool,
    created_at: Moment,
    disabled_at: Option<Moment>,
}

impl From<Client> for ListedClient {
    fn from(client: Client) -> Self {
        Self {
            client_id: client.id,
            name: client.name,
            scopes: client.scopes,
            organizations: client.organizations,
            audiences: client.audiences,
            ids: client.ids,
            identity: client.identity,
            declared: client.declared,
            created_at: client.created_at,
            disabled_at: client.disabled_at,
        }
    }
}

impl List {
    async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let clients = match installation.existing_store().await? {
            None => Vec::new(),
            Some(store) => {
                let clients = store.list_clients(&IssuerId::main()).await;
                store.close().await;
                clients?
            }
        };
        if clients.is_empty() {
            output::note("There is no client yet; `buildpass clients create NAME` creates one.");
        }
        if self.json {
            return Ok(output::json_lines(clients.into_iter().map(ListedClient::from))?);
        }
        if clients.is_empty() {
            return Ok(());
        }
        let mut table = Table::new(&["NAME", "CLIENT ID", "SCOPES", "ORGANISATIONS", "AUDIENCES", "IDS", "DISABLED"]);
        for client in clients {
            table.row([
                client.name,
                client.id.to_string(),
                joined(&client.scopes, ""),
                joined(&client.organizations, "all"),
                joined(&client.audiences, "all"),
                cell(client.ids),
                cell(client.disabled_at),
            ]);
        }
        Ok(table.print()?)
    }
}

fn joined(items: &[impl ToString], none: &str) -> String {
    if items.is_empty() {
        return none.to_owned();
    }
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[derive(Serialize)]
struct RotatedSecret<'a> {
    client_id: &'a ClientId,
    client_secret: &'a str,
    name: &'a str,
    previous_until: Option<Moment>,
}

impl RotateSecret {
    async fn run(self, store: &dyn Store) -> Result<(), Failure> {
        let (issuer, now) = (IssuerId::main(), now());
        let secret = Secret::draw(SECRET_PREFIX, &SystemEntropy)?;
        let previous_until = if self.now { now } else { now + self.overlap };
        let clients = store.list_clients(&issuer).await?;
        let known = clients.into_iter().find(|client| client.name == self.name).ok_or_else(|| unknown(&self.name))?;
        if known.declared {
            return Err(declared(&self.name));
        }
        if let Some(ClientIdentity { provider, .. }) = &known.identity {
            let problem = format!("the client {} has no secret: it authenticates with tokens of {provider}", self.name);
            return Err(Failure::refused(problem));
        }
        if !store.rotate_client_secret(&issuer, &self.name, secret.digest(), previous_until, now).await? {
            return Err(Failure::refused(format!("the client {} is disabled", self.name)));
        }
        let previous_until = Some(previous_until).filter(|until| *until > now);
        if self.json {
            return Ok(output::document(&RotatedSecret {
                client_id: &known.id,
                client_secret: secret.expose_secret(),
                name: &self.name,
                previous_until,
            })?);
        }
        output::line(&format!("client_id      {}", known.id))?;
        output::line(&format!("client_secret  {}", secret.expose_secret()))?;
        output::note(&match previous_until {
            Some(until) => format!("The previous secret is accepted until {until}; older secrets are rejected."),
            None => "The previous secret is rejected from now on.".to_owned(),
        });
        Ok(())
    }
}

#[derive(Serialize)]
struct DisabledClient<'a> {
    name: &'a str,
    builds_ended: u64,
}

impl Disable {
    async fn run(self, store: &dyn Store) -> Result<(), Failure> {
        let disabled = store.disable_client(&IssuerId::main(), &self.name, now()).await?;
        let Some(disabled) = disabled else {
            let known = store.list_clients(&IssuerId::main()).await?;
            let is_declared = known.iter().any(|client| client.name == self.name && client.declared);
            return Err(if is_declared { declared(&self.name) } else { unknown(&self.name) });
        };
        if self.json {
            let builds_ended = disabled.builds_ended;
            return Ok(output::document(&DisabledClient { name: &self.name, builds_ended })?);
        }
        let (name, ended) = (output::visible(&self.name), disabled.builds_ended);
        let builds = if ended == 1 { "build" } else { "builds" };
        Ok(output::line(&format!("{name} is disabled; {ended} running {builds} finished"))?)
    }
}

fn unknown(name: &str) -> Failure {
    let name = output::visible(name);
    Failure::refused(format!("there is no client named {name}; `buildpass clients list` lists all clients"))
}

fn declared(name: &str) -> Failure {
    let name = output::visible(name);
    Failure::refused(format!(
        "{name} is declared in [clients.{name}]: change it there, then run `buildpass config apply`"
    ))
}

fn named(text: &str) -> Result<String, &'static str> {
    client_name(text).map(|()| text.to_owned())
}

fn ids(text: &str) -> Result<String, &'static str> {
    ids_name(text).map(|()| text.to_owned())
}
