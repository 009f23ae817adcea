//! `provenance`: finds the build that pushed a version of a package, in the publications that registries recorded.

use clap::Args;
use serde_json::json;

use super::failure::Failure;
use super::installation::Installation;
use super::output::{self, stored_json};
use crate::base::IssuerId;
use crate::exchange::{credential_view, provenance};
use crate::store::Ecosystem;

/// Show which build pushed a version of a package
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass provenance app 1.2.0 --ecosystem rubygems")]
pub(super) struct Provenance {
    /// Name of the package
    package: String,
    /// Version of the package
    version: String,
    /// Search in this ecosystem only: rubygems, nuget, oci or generic
    #[arg(long, value_name = "ECOSYSTEM")]
    ecosystem: Option<Ecosystem>,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

impl Provenance {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let store = installation.required_store().await?;
        let found = provenance(&*store, &IssuerId::main(), &self.package, &self.version, self.ecosystem).await;
        store.close().await;
        let found = found?;
        if found.is_empty() {
            let (package, version) = (output::visible(&self.package), output::visible(&self.version));
            return Err(Failure::refused(format!("no publication of {package} {version} is recorded")));
        }
        for (publication, key, token) in found {
            let claims = stored_json(&token.claims);
            let whole = json!({
                "publication": {
                    "ecosystem": publication.ecosystem, "package": publication.package,
                    "version": publication.version, "digest": publication.digest, "audience": publication.audience,
                    "published_at": publication.published_at, "recorded_by": publication.client,
                },
                "key": credential_view(&key),
                "id_token": { "id": token.id, "provider": token.provider, "received_at": token.received_at,
                              "header": stored_json(&token.header) },
                "claims": &claims,
            });
            if self.json {
                output::json_lines([whole])?;
            } else {
                let shown = |name: &str, value: &str| output::line(&format!("{name:<13} {}", output::visible(value)));
                let named = format!("{} {}", publication.package, publication.version);
                output::heading(&format!("{} {}", publication.ecosystem, output::visible(&named)))?;
                shown("digest", &publication.digest)?;
                shown("published", &publication.published_at.to_string())?;
                shown("key", &format!("{} ({})", key.name, key.id))?;
                shown("id token", &format!("issued by {}, received {}", token.provider, token.received_at))?;
                output::line("claims")?;
                output::document(&claims)?;
            }
        }
        Ok(())
    }
}
