//! `keys init`: creates the first signing keys of an installation that takes over the URL of another issuer. The former
//! issuer's keys are only published, never used to sign.

use std::path::Path;

use clap::Args;

use super::super::failure::Failure;
use super::super::installation::Installation;
use super::super::keyring::attach;
use super::super::output;
use crate::app::FormerIssuer;
use crate::base::{Seconds, file_problem};
use crate::config::Flags;
use crate::jose::JwkSet;
use crate::keyring::{KeyRefusal, Takeover, read_former_keys};

/// Time for which caches are assumed to keep a former issuer's documents, if the HTTP response sets no `max-age`. A
/// former issuer had the URL before this installation.
const CACHED_FOR: Seconds = Seconds::new(3_600);

/// Default time for which a former issuer's keys stay published.
const ADOPT_FOR: Seconds = Seconds::new(7_200);

/// Create the first signing keys; with --adopt, also publish the keys of the issuer that had the URL before
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys init --adopt https://ci.example.com/_services/token/.well-known/jwks

To take a URL over without an interruption:
  1. run `keys init --adopt URL` while the former issuer still serves its documents
  2. point the URL at this server and run `buildpass serve`: the server publishes both key sets and signs nothing yet
  3. let the former issuer sign until `keys list` shows a key in the state signing, or /health/ready no longer says `announced`
  4. let CI use this server, then stop the former issuer; the former keys are withdrawn after --for

A URL is fetched with the guards of the verifier: https, or plain http on loopback only; no private address except the \
host that the URL names, and never an address of cloud metadata; at most 3 redirects, all within one origin; 5 s. The \
server keeps these guards when it reads the URL again. If the discovery document names a key set on another private \
host, give the URL of the key set.")]
pub(in crate::cli) struct Init {
    /// Key set of the former issuer: a file, or the URL of the key set or of the discovery document. A URL is fetched
    /// again every minute until buildpass itself begins to sign tokens
    #[arg(long, value_name = "FILE|URL")]
    adopt: Option<String>,
    /// Time for which the keys of the former issuer stay published [default: 2h]
    #[arg(long, value_name = "DURATION", requires = "adopt")]
    r#for: Option<Seconds>,
    /// Time for which caches may keep the former issuer's documents [default: max-age of the URL's response, else 1h]
    #[arg(long, value_name = "DURATION")]
    cached_for: Option<Seconds>,
}

impl Init {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let config = installation.config(Flags::default())?;
        let (former, cached, source) = match &self.adopt {
            None => (JwkSet::default(), None, None),
            Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
                let issuer = FormerIssuer::new(url).map_err(Failure::usage)?;
                let answer = issuer.read().await.map_err(|error| Failure::unreachable(format!("--adopt: {error}")))?;
                (answer.keys, answer.max_age, Some(url.clone()))
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
            "The first keys are created, but not scheduled yet.\nNext: point the URL of the documents at this server and \
             start `buildpass serve`. It publishes these keys and the adopted ones, and signs nothing for at least {} \
             (readiness says `announced`): let the former issuer sign until then.",
            config.schedule().announce_for().max(takeover.cached_for + config.keys.clock_skew),
        ));
        Ok(())
    }
}

fn read_file(path: &Path) -> Result<JwkSet, Failure> {
    let text = std::fs::read(path)
        .map_err(|error| Failure::unreachable(format!("--adopt: {}", file_problem(path, &error))))?;
    Ok(read_former_keys(&text).map_err(|error| crate::keyring::ActError::from(KeyRefusal::Adoption(error)))?)
}
