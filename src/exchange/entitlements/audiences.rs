//! Every audience belongs to one kind of door, so that whoever receives a token can't trade it at another.

use std::collections::BTreeMap;
use std::fmt;

use super::Compiled;
use crate::exchange::ExchangeSettings;
use crate::verifier::Provider;

/// The kinds of doors that claim audiences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowOfAudience {
    /// Clients without a secret.
    Api,
    /// The token endpoint and forward authentication.
    Grants,
    /// NuGet's.
    Nuget,
    /// The registry's.
    Registry,
    /// RubyGems'.
    Rubygems,
}

impl fmt::Display for FlowOfAudience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Api => "clients without a secret",
            Self::Grants => "grants",
            Self::Nuget => "NuGet",
            Self::Registry => "the registry",
            Self::Rubygems => "RubyGems",
        })
    }
}

/// An audience that two kinds of doors claim.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audience {audience:?} belongs to {first} ({first_by}), and {second_by} claims it for {second}")]
pub struct AudienceConflict {
    /// Which.
    pub audience: String,
    /// The kind of door that has it.
    pub first: FlowOfAudience,
    /// Through what.
    pub first_by: String,
    /// The kind that wants it too.
    pub second: FlowOfAudience,
    /// Through what.
    pub second_by: String,
}

/// Do the settings and these providers go together?
///
/// # Errors
/// [`AudienceConflict`].
pub fn check_audiences(settings: &ExchangeSettings, providers: &[Provider]) -> Result<(), AudienceConflict> {
    Claimed::of(settings, providers).map(drop)
}

/// The audiences that are claimed, each with its kind of door and who claims it.
pub(in crate::exchange) struct Claimed<'a>(BTreeMap<&'a str, (FlowOfAudience, String)>);

impl<'a> Claimed<'a> {
    /// Those that the settings and the providers claim.
    pub(in crate::exchange) fn of(
        settings: &'a ExchangeSettings,
        providers: &'a [Provider],
    ) -> Result<Self, AudienceConflict> {
        let mut claimed = Self(BTreeMap::new());
        claimed.add(&settings.api_audience, FlowOfAudience::Api, || "the API itself".to_owned())?;
        claimed.add(&settings.rubygems_host, FlowOfAudience::Rubygems, || "exchange.rubygems_host".to_owned())?;
        claimed.add(&settings.nuget_audience, FlowOfAudience::Nuget, || "exchange.nuget_audience".to_owned())?;
        claimed
            .add(&settings.registry_audience, FlowOfAudience::Registry, || "exchange.registry_audience".to_owned())?;
        for provider in providers {
            let Some(audience) = provider.required_audience() else { continue };
            claimed.add(audience, FlowOfAudience::Registry, || format!("the provider {}", provider.name()))?;
        }
        Ok(claimed)
    }

    /// With what an entitlement claims.
    pub(in crate::exchange) fn entitlement(
        &mut self,
        name: &str,
        compiled: &'a Compiled,
    ) -> Result<(), AudienceConflict> {
        let flow = match compiled {
            Compiled::Grant(_) => FlowOfAudience::Grants,
            Compiled::Publisher(_) | Compiled::Role(_) => FlowOfAudience::Rubygems,
            Compiled::TrustPolicy(_) => FlowOfAudience::Nuget,
        };
        for audience in compiled.audiences() {
            self.add(audience, flow, || name.to_owned())?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        audience: &'a str,
        flow: FlowOfAudience,
        by: impl FnOnce() -> String,
    ) -> Result<(), AudienceConflict> {
        match self.0.get(audience) {
            Some((first, first_by)) if *first != flow => Err(AudienceConflict {
                audience: audience.to_owned(),
                first: *first,
                first_by: first_by.clone(),
                second: flow,
                second_by: by(),
            }),
            Some(_) => Ok(()),
            None => {
                self.0.insert(audience, (flow, by()));
                Ok(())
            }
        }
    }
}
