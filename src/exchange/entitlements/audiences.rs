//! Check that every audience belongs to one kind of flow. A recipient of a token for one flow must not be able to
//! exchange the token in another flow.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::entitlement::Compiled;
use crate::exchange::settings::ExchangeSettings;
use crate::store::EntitlementKind;
use crate::verifier::Provider;

/// Kind of flow that an audience belongs to; [`crate::exchange::flows::FLOWS`] names the kind of each flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display, strum::VariantArray)]
pub enum AudienceOwner {
    /// Requests to our own API by clients that authenticate with an ID token instead of a client secret.
    #[strum(serialize = "clients without a secret")]
    Api,
    /// The token endpoint and forward authentication, whose entitlements are grants.
    #[strum(serialize = "grants")]
    Grants,
    /// The flow of NuGet's trusted publishing.
    #[strum(serialize = "NuGet")]
    Nuget,
    /// The flow of container registries.
    #[strum(serialize = "the registry")]
    Registry,
    /// The flows of RubyGems.
    #[strum(serialize = "RubyGems")]
    Rubygems,
}

/// An audience that a setting assigns: the setting's name, and the audience.
type AudienceSetting<'a> = (&'static str, Cow<'a, str>);

impl AudienceOwner {
    /// All kinds, sorted by name.
    pub const ALL: &'static [Self] = <Self as strum::VariantArray>::VARIANTS;

    /// Returns the audience that the settings assign to this kind; `None` if only entitlements assign its audiences.
    fn setting(self, settings: &ExchangeSettings) -> Option<AudienceSetting<'_>> {
        match self {
            Self::Api => Some(("the API itself", Cow::from(&settings.api_audience))),
            Self::Grants => None,
            Self::Nuget => Some(("exchange.nuget_audience", Cow::from(&settings.nuget_audience))),
            Self::Registry => Some(("exchange.registry_audience", Cow::from(&settings.registry_audience))),
            Self::Rubygems => Some(("exchange.rubygems_host", Cow::from(&settings.rubygems_host))),
        }
    }

    fn of_entitlement(kind: EntitlementKind) -> Self {
        match kind {
            EntitlementKind::Grant => Self::Grants,
            EntitlementKind::Publisher | EntitlementKind::Role => Self::Rubygems,
            EntitlementKind::TrustPolicy => Self::Nuget,
        }
    }
}

/// Error returned when one audience is assigned to two kinds of flow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{second_by} must not use the audience {audience:?} for {second}: the audience belongs to {first} ({first_by})"
)]
pub struct AudienceConflict {
    /// Audience that is assigned to two kinds of flow.
    pub audience: String,
    /// Kind of flow that already has the audience.
    pub first: AudienceOwner,
    /// Setting, provider or entitlement that assigns the audience to the first kind.
    pub first_by: String,
    /// Kind of flow that must not get the audience as well.
    pub second: AudienceOwner,
    /// Setting, provider or entitlement that assigns the audience to the second kind.
    pub second_by: String,
}

/// Checks that settings and providers assign no audience to two kinds of flow.
///
/// # Errors
/// [`AudienceConflict`] names the first audience that belongs to two kinds of flow.
pub(crate) fn check_audiences(settings: &ExchangeSettings, providers: &[Provider]) -> Result<(), AudienceConflict> {
    Claimed::of(settings, providers).map(drop)
}

/// Assigned audiences, each with its kind of flow and the setting, provider or entitlement that assigns the audience.
pub(in crate::exchange) struct Claimed<'a>(BTreeMap<Cow<'a, str>, (AudienceOwner, String)>);

impl<'a> Claimed<'a> {
    /// Collects the audiences that settings and providers assign to flows.
    pub(in crate::exchange) fn of(
        settings: &'a ExchangeSettings,
        providers: &'a [Provider],
    ) -> Result<Self, AudienceConflict> {
        let mut claimed = Self(BTreeMap::new());
        for owner in AudienceOwner::ALL {
            let Some((by, audience)) = owner.setting(settings) else { continue };
            claimed.add(audience, *owner, || by.to_owned())?;
        }
        for provider in providers {
            let Some(audience) = provider.required_audience() else { continue };
            claimed
                .add(Cow::from(audience), AudienceOwner::Registry, || format!("the provider {}", provider.name()))?;
        }
        Ok(claimed)
    }

    /// Adds the audiences that an entitlement assigns to the entitlement's kind of flow.
    pub(in crate::exchange) fn add_entitlement(
        &mut self,
        kind: EntitlementKind,
        name: &str,
        compiled: &'a Compiled,
    ) -> Result<(), AudienceConflict> {
        let owner = AudienceOwner::of_entitlement(kind);
        for audience in compiled.audiences() {
            self.add(Cow::from(audience), owner, || format!("{kind} {name:?}"))?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        audience: Cow<'a, str>,
        owner: AudienceOwner,
        by: impl FnOnce() -> String,
    ) -> Result<(), AudienceConflict> {
        let Some((first, first_by)) = self.0.get(&audience) else {
            self.0.insert(audience, (owner, by()));
            return Ok(());
        };
        if *first == owner {
            return Ok(());
        }
        let (first, first_by) = (*first, first_by.clone());
        Err(AudienceConflict { audience: audience.into_owned(), first, first_by, second: owner, second_by: by() })
    }
}
