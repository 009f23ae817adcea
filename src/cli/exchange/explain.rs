//! `exchange explain`: shows step by step how a flow of the exchange would decide on a subject token. The command never
//! redeems the token and never issues a credential.

use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::super::failure::Failure;
use super::super::installation::{self, Installation};

use super::super::keyring::attach;
use super::super::{input, output};
use crate::app;
use crate::base::Secret;
use crate::config::{Config, Flags};
use crate::exchange::flows::forward_auth::ForwardAuth;
use crate::exchange::flows::nuget::Nuget;
use crate::exchange::flows::registry::{Registry, RegistryScope};
use crate::exchange::flows::rubygems_publisher::RubygemsPublisher;
use crate::exchange::flows::rubygems_role::RubygemsRole;
use crate::exchange::flows::token_exchange::{RequestedToken, TokenExchange};
use crate::exchange::{Exchange, ExchangeError, ExchangeParts, IssuingFlow};
use crate::http::forward_path;
use crate::keyring::{QueueLimits, SigningPool};
use crate::store::{InFlight, Store};
use crate::telemetry::Metrics;

/// Explain step by step how the exchange would decide on a subject token
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("flow").required(true).args(["role", "publisher", "nuget", "grant", "registry", "forward"]))]
#[command(after_help = "Examples:
  buildpass exchange explain --token - --role rg_oidc_akr_0123456789abcdefghjk < token
  buildpass exchange explain --token - --nuget octo < token
  buildpass exchange explain --token - --grant --scope read < token
  buildpass exchange explain --token - --registry repository:acme/app:pull < token
  buildpass exchange explain --token - --forward artefacts --method PUT --path /acme/app.tgz < token

The token is not redeemed, and no credential is issued. The exit code is 1 if the exchange would refuse the token.")]
pub(in crate::cli) struct Explain {
    /// The subject token; or a file with the token, or - for standard input, where other processes cannot see the token
    #[arg(long)]
    token: String,
    /// Explain the RubyGems flow for the role with this role token; `exchange roles list` prints the role tokens
    #[arg(long, value_name = "TOKEN")]
    role: Option<String>,
    /// Explain the RubyGems flow for trusted publishers
    #[arg(long)]
    publisher: bool,
    /// Explain which trust policy of this user accepts a NuGet login, and why the others refuse it
    #[arg(long, value_name = "USER")]
    nuget: Option<String>,
    /// Explain how the grants would decide a token exchange (RFC 8693) for the audience that the subject token has
    #[arg(long)]
    grant: bool,
    /// Scopes that the token exchange requests, separated by commas
    #[arg(long, value_name = "S", value_delimiter = ',', requires = "grant")]
    scope: Vec<String>,
    /// Explain how the exchange would decide a login to a container registry for this scope
    #[arg(long, value_name = "SCOPE")]
    registry: Option<String>,
    /// Explain how the grant with this name would decide a request that a proxy asks about (forward authentication)
    #[arg(long, value_name = "GRANT")]
    forward: Option<String>,
    /// HTTP method of the client's request to the proxy
    #[arg(long, value_name = "M", requires = "forward", default_value = "GET")]
    method: String,
    /// Path of the client's request to the proxy, percent-encoded as in the request
    #[arg(long, value_name = "P", requires = "forward", default_value = "/")]
    path: String,
    /// Host that the client's request to the proxy names
    #[arg(long, value_name = "H", requires = "forward", default_value = "")]
    host: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// No effect: this command never changes anything. Accepted because `exchange apply` has the flag
    #[arg(long, hide = true)]
    dry_run: bool,
}

impl Explain {
    fn flow(&self) -> Result<Box<dyn IssuingFlow>, Failure> {
        if let Some(role) = &self.role {
            return Ok(Box::new(RubygemsRole { role: role.clone() }));
        }
        if let Some(username) = &self.nuget {
            return Ok(Box::new(Nuget { username: username.clone() }));
        }
        if let Some(scope) = &self.registry {
            let scope = RegistryScope::parse(scope);
            let scope = scope
                .ok_or_else(|| Failure::usage("--registry: must be a scope such as repository:acme/app:pull,push"))?;
            return Ok(Box::new(Registry { provider: None, scopes: vec![scope] }));
        }
        if self.publisher {
            return Ok(Box::new(RubygemsPublisher));
        }
        let scopes = Some(self.scope.clone()).filter(|scopes| !scopes.is_empty());
        Ok(Box::new(TokenExchange { audiences: Vec::new(), scopes, requested: RequestedToken::Any }))
    }

    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let flow = self.flow()?;
        let token = Secret::new(input::token_or_file(&self.token)?);
        let forward = match &self.forward {
            None => None,
            Some(grant) => Some(ForwardAuth {
                grant: grant.clone(),
                credential: token.clone(),
                method: self.method.clone(),
                path: forward_path::decoded(&self.path).ok_or_else(|| {
                    Failure::refused(
                        "--path is ambiguous: the proxy and the service behind the proxy could decode the path differently, so buildpass answers 403",
                    )
                })?,
                host: self.host.clone(),
            }),
        };
        let config = installation.config(Flags::default())?;
        let store = installation.required_store().await?;
        let explained = async {
            let exchange = exchange(&config, &store).await?;
            let explained = match &forward {
                Some(forward) => exchange.explain_forward(forward).await,
                None => exchange.explain(&*flow, &token).await,
            };
            explained.map_err(|error| match error {
                ExchangeError::ProviderKeys { .. } | ExchangeError::Store(_) | ExchangeError::Keyring(_) => {
                    Failure::unreachable(error.to_string())
                }
                other => Failure::refused(other.to_string()),
            })
        }
        .await;
        store.close().await;
        let explanation = explained?;
        if self.json {
            output::document(&json!({ "accepted": explanation.accepted(), "steps": explanation.steps }))?;
        } else {
            output::steps(&explanation)?;
        }
        if explanation.accepted() {
            return Ok(());
        }
        Err(Failure::refused("the exchange would refuse the token"))
    }
}

/// Creates the exchange in this process, as `serve` does. A server may run at the same time.
async fn exchange(config: &Config, store: &Arc<dyn Store>) -> Result<Exchange, Failure> {
    let keyring = Arc::new(attach(config, Arc::clone(store)).await?);
    let editor = installation::rules_editor(config, store)?;
    let cache = app::rules_cache(config, &editor, &keyring);
    let limits = QueueLimits { tasks: 16, wait: config.server.request_timeout.duration() };
    let pool = SigningPool::new(1, limits, InFlight::default(), Arc::clone(&editor.clock))
        .map_err(|error| Failure::refused(error.to_string()))?;
    let parts = ExchangeParts {
        store: Arc::clone(store),
        rules_cache: cache,
        keyring,
        pool: Arc::new(pool),
        metrics: Arc::new(Metrics::new()),
        clock: Arc::clone(&editor.clock),
        entropy: Arc::clone(&editor.entropy),
    };
    Ok(Exchange::new(editor.issuer.clone(), editor.settings.clone(), parts))
}
