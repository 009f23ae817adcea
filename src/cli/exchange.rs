//! `exchange explain`: what would a door do with this token, step by step? Claims nothing, makes nothing.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::json;

use super::failure::Failure;
use super::installation::{self, Place};
use super::keys::attach;
use super::{input, output};
use crate::app;
use crate::base::Secret;
use crate::config::{Config, Flags};
use crate::exchange::{
    Ask, Exchange, ExchangeError, ExchangeParts, ForwardCredential, ForwardRequest, RegistryScope, RequestedToken,
    TokenExchangeRequest,
};
use crate::http::forward_path;
use crate::keyring::SigningPool;
use crate::store::{InFlight, Store};
use crate::telemetry::Metrics;

#[derive(Debug, Subcommand)]
pub(super) enum ExchangeCommand {
    Explain(Explain),
}

/// Explain what a door would do with a token: every step passed, and the one that fails with what was expected
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("door").required(true).args(["role", "publisher", "nuget", "grant", "registry", "forward"]))]
#[command(after_help = "Examples:
  buildpass exchange explain --token - --role rg_oidc_akr_0123456789abcdefghjk < token
  buildpass exchange explain --token - --nuget octo < token
  buildpass exchange explain --token - --grant --scope read < token
  buildpass exchange explain --token - --registry repository:acme/app:pull < token
  buildpass exchange explain --token - --forward artefacts --method PUT --path /acme/app.tgz < token

Claims nothing and makes nothing. Ends with 1 where the token would be refused, or open nothing.")]
pub(super) struct Explain {
    /// The token, or - to read it from standard input, where other processes can't see it
    #[arg(long)]
    token: String,
    /// The RubyGems role of this token
    #[arg(long, value_name = "TOKEN")]
    role: Option<String>,
    /// RubyGems' trusted publishers
    #[arg(long)]
    publisher: bool,
    /// NuGet's door, for this user
    #[arg(long, value_name = "USER")]
    nuget: Option<String>,
    /// The token endpoint, for the token's own audience
    #[arg(long)]
    grant: bool,
    /// The scopes that are asked for at the token endpoint
    #[arg(long, value_name = "S", value_delimiter = ',', requires = "grant")]
    scope: Vec<String>,
    /// The registry's door, for this scope
    #[arg(long, value_name = "SCOPE")]
    registry: Option<String>,
    /// A request behind the proxy that asks about this grant
    #[arg(long, value_name = "GRANT")]
    forward: Option<String>,
    /// The request's method
    #[arg(long, value_name = "M", requires = "forward", default_value = "GET")]
    method: String,
    /// The request's path, as it came
    #[arg(long, value_name = "P", requires = "forward", default_value = "/")]
    path: String,
    /// The request's host
    #[arg(long, value_name = "H", requires = "forward", default_value = "")]
    host: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
    /// Grants nothing and claims nothing; it never does
    #[arg(long, hide = true)]
    dry_run: bool,
}

impl ExchangeCommand {
    pub(super) async fn run(self, place: &Place) -> Result<(), Failure> {
        match self {
            Self::Explain(explain) => explain.run(place).await,
        }
    }
}

impl Explain {
    fn ask(&self) -> Result<Ask, Failure> {
        if let Some(role) = &self.role {
            return Ok(Ask::Role { role: role.clone() });
        }
        if let Some(username) = &self.nuget {
            return Ok(Ask::Nuget { username: username.clone() });
        }
        if let Some(scope) = &self.registry {
            let scope = RegistryScope::parse(scope);
            let scope = scope.ok_or_else(|| Failure::usage("--registry is like repository:acme/app:pull,push"))?;
            return Ok(Ask::Registry { provider: None, scopes: vec![scope] });
        }
        if self.publisher {
            return Ok(Ask::Publisher);
        }
        let scopes = Some(self.scope.clone()).filter(|scopes| !scopes.is_empty());
        Ok(Ask::Grant(TokenExchangeRequest { audiences: Vec::new(), scopes, requested: RequestedToken::Any }))
    }

    async fn run(self, place: &Place) -> Result<(), Failure> {
        let ask = self.ask()?;
        let token = Secret::new(input::token(&self.token)?);
        let forward = match &self.forward {
            None => None,
            Some(grant) => Some(ForwardRequest {
                grant: grant.clone(),
                credential: ForwardCredential(token.clone()),
                method: self.method.clone(),
                path: forward_path::decoded(&self.path).ok_or_else(|| {
                    Failure::refused("--path: two servers could read it apart, and so it is refused, with 403")
                })?,
                host: self.host.clone(),
            }),
        };
        let config = place.config(Flags::default())?;
        let store = place.required_store().await?;
        let explained = async {
            let exchange = exchange(&config, &store).await?;
            let explained = match &forward {
                Some(forward) => exchange.explain_forward(forward).await,
                None => exchange.explain(&ask, &token).await,
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
        Err(Failure::refused("the token would be refused, or open nothing"))
    }
}

/// The exchange as `serve` would put it together, beside a server that may be running.
async fn exchange(config: &Config, store: &Arc<dyn Store>) -> Result<Exchange, Failure> {
    let keyring = Arc::new(attach(config, Arc::clone(store)).await?);
    let keeper = installation::keeper(config, store)?;
    let books = app::rules_cache(config, &keeper, &keyring);
    let pool = SigningPool::new(1, 16, InFlight::default()).map_err(|error| Failure::refused(error.to_string()))?;
    let parts = ExchangeParts {
        store: Arc::clone(store),
        rules_cache: books,
        keyring,
        pool: Arc::new(pool),
        metrics: Arc::new(Metrics::new()),
        clock: Arc::clone(&keeper.clock),
        entropy: Arc::clone(&keeper.entropy),
    };
    Ok(Exchange::new(keeper.issuer.clone(), keeper.settings.clone(), parts))
}
