//! `export-static`: writes the issuer's discovery document and key set to files, for a bucket or a CDN in front of a
//! server that cannot be reached from outside. The files must equal the responses of `serve` byte for byte.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::failure::Failure;
use super::installation::{Installation, now};
use super::keyring::attach;
use super::output;
use crate::app;
use crate::base::{IssuerId, file_problem};
use crate::config::Flags;
use crate::issuer::Document;
use crate::keyring::{ActError, KeyRefusal, KeyringError};

/// Write the issuer's discovery document and key set to files
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  buildpass export-static public
  aws s3 sync public s3://ci-issuer --content-type application/json --cache-control max-age=300

The command prints the time until which the key set is complete: it holds the next signing key, but no key after \
that. Run the command again before that time, and at once after `keys rotate`, `keys revoke` or a change of keys.algorithms.")]
pub(super) struct ExportStatic {
    /// Folder to write the files to; created if it does not exist
    folder: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl ExportStatic {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let config = installation.config(Flags::default())?;
        let store = installation.required_store().await?;
        let read = async {
            if store.read_keys(&IssuerId::main()).await?.rows.is_empty() {
                return Err(ActError::from(KeyRefusal::NotBegun).into());
            }
            let keyring = attach(&config, Arc::clone(&store)).await?;
            match keyring.clock_fault(now()) {
                Some(fault) => Err(ActError::from(KeyringError::Clock(fault)).into()),
                None => Ok::<_, Failure>(keyring.view()),
            }
        }
        .await;
        store.close().await;
        let (view, now) = (read?, now());
        if !view.is_sound(now) {
            return Err(Failure::refused(
                "a signing key cannot be opened, so the written key set would lack it; `buildpass keys list` shows which key",
            ));
        }
        let documents = app::documents(&config, &view, now)?;
        let folder = self.folder.join(".well-known");
        let cannot = |error| Failure::unreachable(file_problem(&folder, &error));
        fs::create_dir_all(&folder).map_err(cannot)?;
        write(&folder, "openid-configuration", &documents.discovery).map_err(cannot)?;
        write(&folder, "jwks", &documents.jwks).map_err(cannot)?;
        let until = view.complete_until(now);
        if self.json {
            return Ok(output::document(&json!({ "folder": folder, "complete_until": until }))?);
        }
        Ok(output::line(&format!("{} holds both documents; they are complete until {until}", folder.display()))?)
    }
}

/// Replaces a document atomically, so that a concurrent copy of the folder gets the old document or the new document.
fn write(folder: &Path, name: &str, document: &Document) -> std::io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(".new.").tempfile_in(folder)?;
    file.write_all(&document.bytes)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    file.as_file().set_permissions(mode)?;
    file.as_file().sync_all()?;
    file.persist(folder.join(name)).map_err(|error| error.error)?;
    Ok(())
}
