//! Builds the settings, the rules editor and the rules cache of the exchange from the configuration.

use std::sync::Arc;

use async_trait::async_trait;

use crate::base::{Clock, Entropy, IssuerId};
use crate::config::Config;
use crate::exchange::{DefaultAudiences, ExchangeSettings, RulesCache, RulesCacheParts, RulesEditor};
use crate::issuer::{Paths, TokenVerifier};
use crate::keyring::{Keyring, OwnKeys};
use crate::store::{Store, StoreError};
use crate::verifier::{Provider, Requirements, SystemResolver, TokenRefusal, VerifiedToken, Verifier};

/// Returns the settings of the exchange. Audiences that are not configured derive from the issuer's URL.
#[must_use]
pub(crate) fn exchange_settings(config: &Config, paths: &Paths) -> ExchangeSettings {
    let defaults = DefaultAudiences::of(paths.issuer());
    let set = &config.exchange;
    ExchangeSettings {
        enabled: set.enabled,
        issuer: paths.issuer().as_str().to_owned(),
        api_audience: paths.api_audience(),
        rubygems_host: set.rubygems_host.clone().unwrap_or(defaults.rubygems_host),
        nuget_audience: set.nuget_audience.clone().unwrap_or(defaults.nuget_audience),
        registry_audience: set.registry_audience.clone().unwrap_or(defaults.registry_audience),
        max_lifetime: config.tokens.max_lifetime,
        repositories: Arc::clone(&config.repositories),
    }
}

/// Creates the value with which a server or a command reads and changes the exchange's rules.
#[must_use]
pub(crate) fn rules_editor(
    config: &Config,
    paths: &Paths,
    store: &Arc<dyn Store>,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> RulesEditor {
    RulesEditor {
        store: Arc::clone(store),
        issuer: IssuerId::main(),
        settings: exchange_settings(config, paths),
        own: Provider::own_issuer(paths.issuer().as_str(), config.keys.clock_skew, config.tokens.max_lifetime),
        clock: Arc::clone(clock),
        entropy: Arc::clone(entropy),
    }
}

/// Returns the cache of the exchange's rules. Tokens of our own issuer are verified with the keys of `keyring`.
#[must_use]
pub(crate) fn rules_cache(config: &Config, rules_editor: &RulesEditor, keyring: &Arc<Keyring>) -> Arc<RulesCache> {
    let clock = &rules_editor.clock;
    let keys = Arc::new(OwnKeys::new(Arc::clone(keyring), Arc::clone(clock)));
    let own = Verifier::new(rules_editor.own.clone(), keys, Arc::clone(clock));
    let (store, issuer, configured) =
        (Arc::clone(&rules_editor.store), rules_editor.issuer.clone(), config.providers.clone());
    let (clock, resolver) = (Arc::clone(clock), Arc::new(SystemResolver));
    Arc::new(RulesCache::new(RulesCacheParts { store, issuer, own, clock, resolver, configured: configured.into() }))
}

/// Verifier of the tokens that clients without a secret send. Accepts the tokens of the current providers.
pub(super) struct ProviderTokens(pub(super) Arc<RulesCache>);

#[async_trait]
impl TokenVerifier for ProviderTokens {
    async fn verify(
        &self,
        token: &str,
        requirements: &Requirements<'_>,
    ) -> Result<Result<Vec<VerifiedToken>, TokenRefusal>, StoreError> {
        self.0.verify(token, requirements).await
    }
}
