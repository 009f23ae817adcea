//! `keys init`: the first keys of an installation at whose URL another issuer stands, or stood.

use std::path::Path;

use clap::Args;

use super::super::failure::Failure;
use super::super::installation::Installation;
use super::super::keyring::attach;
use super::super::output;
use crate::app::FormerIssuer;
use crate::base::Seconds;
use crate::config::Flags;
use crate::jose::JwkSet;
use crate::keyring::{KeyRefusal, Takeover, read_former_keys};

/// What caches last where the former issuer does not say.
const CACHED_FOR: Seconds = Seconds::new(3_600);

/// How long a former issuer's keys stay at the least, where nobody says.
const ADOPT_FOR: Seconds = Seconds::new(7_200);

/// Make the first keys for a URL that another issuer served, and let its keys stand beside ours for a while
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys init --adopt https://ci.example.com/_services/token/.well-known/jwks

The order that loses nothing:
  1. keys init --adopt URL       while the former issuer still serves its documents
  2. point the documents' URL at us and start `buildpass serve`: it serves both key sets, and signs nothing yet
  3. the former issuer goes on signing until ours signs: `keys list`, or /health/ready without the reason `announced`
  4. let CI use us, then stop the former issuer; its keys leave when --for is over")]
pub(in crate::cli) struct Init {
    /// The former issuer's key set: a file, or its URL (a discovery document leads to it). A URL is read again every
    /// minute until our first signature
    #[arg(long, value_name = "FILE|URL")]
    adopt: Option<String>,
    /// How long its keys stay in our key set [default: 2h]
    #[arg(long, value_name = "DURATION", requires = "adopt")]
    r#for: Option<Seconds>,
    /// How long caches of its documents may last [default: what the URL's answer says, else 1h]
    #[arg(long, value_name = "DURATION")]
    cached_for: Option<Seconds>,
}

impl Init {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let config = installation.config(Flags::default())?;
        let (former, cached, source) = match &self.adopt {
            None => (JwkSet::default(), None, None),
            Some(place) if place.starts_with("http://") || place.starts_with("https://") => {
                let issuer = FormerIssuer::new(place).map_err(Failure::usage)?;
                let answer = issuer.read().await.map_err(|error| Failure::unreachable(format!("--adopt: {error}")))?;
                (answer.keys, answer.max_age, Some(place.clone()))
            }
            Some(file) => (read_file(Path::new(file))?, None, None),
        };
        let takeover = Takeover {
            cached_for: self.cached_for.or(cached).unwrap_or(CACHED_FOR),
            adopt_for: self.r#for.unwrap_or(ADOPT_FOR),
            source,
            until: None,
        };
        let store = installation.store().await?;
        let done =
            async { attach(&config, store.clone()).await?.init(&takeover, &former).await.map_err(Failure::from) }.await;
        store.close().await;
        done?;
        for key in &former.keys {
            output::line(&format!("adopted {} ({})", output::visible(key.kid()), key.algorithm()))?;
        }
        output::note(&format!(
            "The first keys are made; they have no times yet.\nNext: point the documents' URL at this server and start \
             `buildpass serve`. It serves our keys and the adopted ones, and signs nothing for the first {} at the \
             least (readiness says `announced`): the former issuer goes on signing until then.",
            config.schedule().announce_for().max(takeover.cached_for + config.keys.clock_skew),
        ));
        Ok(())
    }
}

fn read_file(path: &Path) -> Result<JwkSet, Failure> {
    let text =
        std::fs::read(path).map_err(|error| Failure::unreachable(format!("--adopt: {}: {error}", path.display())))?;
    Ok(read_former_keys(&text).map_err(|error| crate::keyring::ActError::from(KeyRefusal::Adoption(error)))?)
}
