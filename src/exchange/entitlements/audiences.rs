//! Check that every audience belongs to one flow. A recipient of a token for one flow must not be able to exchange the
//! token in another flow.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::entitlement::Compiled;
use crate::exchange::settings::ExchangeSettings;
use crate::store::EntitlementKind;
use crate::verifier::Provider;

/// An audience that a setting assigns to a flow: the flow's name in errors, the setting's name, and the audience.
type Claim = (&'static str, &'static str, fn(&ExchangeSettings) -> Cow<'_, str>);

/// Audiences that the settings assign to flows. A new flow with an audience setting needs a row here.
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

/// Error returned when one audience is assigned to two flows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audience {audience:?} belongs to {first} ({first_by}): {second_by} cannot use it for {second}")]
pub struct AudienceConflict {
    /// Audience that is assigned to two flows.
    pub audience: String,
    /// Name of the flow that already has the audience.
    pub first: &'static str,
    /// Setting or rule that assigns the audience to the first flow.
    pub first_by: String,
    /// Name of the flow that must not get the audience as well.
    pub second: &'static str,
    /// Setting or rule that assigns the audience to the second flow.
    pub second_by: String,
}

/// Checks that settings and providers assign no audience to two flows.
///
/// # Errors
/// [`AudienceConflict`] names the first audience with two flows.
pub fn check_audiences(settings: &ExchangeSettings, providers: &[Provider]) -> Result<(), AudienceConflict> {
    Claimed::of(settings, providers).map(drop)
}

/// Assigned audiences, each with the name of the flow and the setting or rule that assigns the audience.
pub(in crate::exchange) struct Claimed<'a>(BTreeMap<Cow<'a, str>, (&'static str, String)>);

impl<'a> Claimed<'a> {
    /// Collects the audiences that settings and providers assign to flows.
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

    /// Adds the audiences that an entitlement assigns to the flow of the entitlement's kind.
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
