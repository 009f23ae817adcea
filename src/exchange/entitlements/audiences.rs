//! Every audience belongs to one flow, so that a recipient of a token cannot exchange it elsewhere.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::entitlement::Compiled;
use crate::exchange::settings::ExchangeSettings;
use crate::store::EntitlementKind;
use crate::verifier::Provider;

/// A flow that claims an audience: its name in errors, the setting that claims it, and the audience.
type Claim = (&'static str, &'static str, fn(&ExchangeSettings) -> Cow<'_, str>);

/// Audiences that the settings claim. A new flow adds its row.
#[rustfmt::skip]
const CLAIMS: &[Claim] = &[
    (API, "the API itself", |settings| Cow::from(&settings.api_audience)),
    (RUBYGEMS, "exchange.rubygems_host", |settings| Cow::from(&settings.rubygems_host)),
    (NUGET, "exchange.nuget_audience", |settings| Cow::from(&settings.nuget_audience)),
    (REGISTRY, "exchange.registry_audience", |settings| Cow::from(&settings.registry_audience)),
];

const API: &str = "clients without a secret";
const GRANTS: &str = "grants";
const NUGET: &str = "NuGet";
const REGISTRY: &str = "the registry";
const RUBYGEMS: &str = "RubyGems";

/// Error returned when two flows claim one audience.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audience {audience:?} belongs to {first} ({first_by}), and {second_by} claims it for {second}")]
pub struct AudienceConflict {
    /// Audience that is claimed twice.
    pub audience: String,
    /// Flow that claims the audience first.
    pub first: &'static str,
    /// Setting or rule by which the first flow claims it.
    pub first_by: String,
    /// Flow that claims the audience second.
    pub second: &'static str,
    /// Setting or rule by which the second flow claims it.
    pub second_by: String,
}

/// Checks that the settings and the providers claim no audience for two flows.
///
/// # Errors
/// [`AudienceConflict`].
pub fn check_audiences(settings: &ExchangeSettings, providers: &[Provider]) -> Result<(), AudienceConflict> {
    Claimed::of(settings, providers).map(drop)
}

/// Claimed audiences, each with its flow and the claimant.
pub(in crate::exchange) struct Claimed<'a>(BTreeMap<Cow<'a, str>, (&'static str, String)>);

impl<'a> Claimed<'a> {
    /// Audiences that the settings and the providers claim.
    pub(in crate::exchange) fn of(
        settings: &'a ExchangeSettings,
        providers: &'a [Provider],
    ) -> Result<Self, AudienceConflict> {
        let mut claimed = Self(BTreeMap::new());
        for (flow, by, audience) in CLAIMS {
            claimed.add(audience(settings), flow, || (*by).to_owned())?;
        }
        for provider in providers {
            let Some(audience) = provider.required_audience() else { continue };
            claimed.add(Cow::from(audience), REGISTRY, || format!("the provider {}", provider.name()))?;
        }
        Ok(claimed)
    }

    /// Adds the audiences that an entitlement claims.
    pub(in crate::exchange) fn add_entitlement(
        &mut self,
        kind: EntitlementKind,
        name: &str,
        compiled: &'a Compiled,
    ) -> Result<(), AudienceConflict> {
        let flow = match kind {
            EntitlementKind::Grant => GRANTS,
            EntitlementKind::Publisher | EntitlementKind::Role => RUBYGEMS,
            EntitlementKind::TrustPolicy => NUGET,
        };
        for audience in compiled.audiences() {
            self.add(Cow::from(audience), flow, || format!("{kind} {name:?}"))?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        audience: Cow<'a, str>,
        flow: &'static str,
        by: impl FnOnce() -> String,
    ) -> Result<(), AudienceConflict> {
        let Some((first, first_by)) = self.0.get(&audience) else {
            self.0.insert(audience, (flow, by()));
            return Ok(());
        };
        if *first == flow {
            return Ok(());
        }
        let (first, first_by) = (*first, first_by.clone());
        Err(AudienceConflict { audience: audience.into_owned(), first, first_by, second: flow, second_by: by() })
    }
}
