//! `keys rotate`, `revoke`, `reseal`, `clock` and `new-kek`: what an operator changes by hand. What was changed is in
//! force on every replica within `keys.refresh_interval`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::super::failure::Failure;
use super::super::installation::Installation;
use super::super::keyring::with_keyring;
use super::super::output::{self, Table};
use crate::base::SystemEntropy;
use crate::keyring::{self, ActError};

/// Let the reserves sign as soon as that is safe, without waiting for the end of the period
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys rotate

A reserve signs when every cache holds it: when it was announced for as long as caches may be old. Asked again before
that switch, this prints the same time and changes nothing. A key in wrong hands is a matter for `keys revoke`.")]
pub(in crate::cli) struct Rotate {
    /// Only if the reserves are ripe already; otherwise exit with 1 and the arithmetic
    #[arg(long)]
    now: bool,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Take a key out at once, because it is in wrong hands: its reserve signs in its place, ripe or not
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys revoke Vq3NIg5oXJ0u1l4pNe1hVvX0hY0nY2Y9lqv7b6wT9yA --reason 'found in a backup'

Removal is no revocation elsewhere: go-oidc, Vault and Fulcio keep a key until they meet one that they don't know, so
show them a token of the new one; kube-apiserver and MinIO keep it for longer still.")]
pub(in crate::cli) struct Revoke {
    /// The key, as `keys list` names it
    #[arg(allow_hyphen_values = true)] // One in sixty-four begins with a hyphen.
    kid: String,
    /// Why; it stands in the record
    #[arg(long)]
    reason: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Seal every private half under the first key-encryption key of the configuration
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys new-kek keys/master-2.key
  # list it first in keys.key_encryption_keys and keep the old one behind it, on every replica; then:
  buildpass keys reseal
  # after that the old one may go")]
pub(in crate::cli) struct Reseal {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Make a key-encryption key: the secret under which the database keeps the signing keys
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys new-kek keys/master-2.key

Then list it in keys.key_encryption_keys. Keep a copy where the database's copies are not: neither is of use alone.")]
pub(in crate::cli) struct NewKek {
    /// The file to make; never one that is there already
    file: PathBuf,
}

/// Make the time as it is now the largest time seen, after a clock that ran ahead
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys clock --accept

Keys that were announced later than now are revoked: they were announced in a time that never was.")]
pub(in crate::cli) struct Clock {
    /// Say that this machine's clock is right now
    #[arg(long, required = true)]
    accept: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Rotate {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let switches = with_keyring(installation, async |keyring| keyring.rotate(self.now).await).await?;
        if self.json {
            return Ok(output::json_lines(switches)?);
        }
        let mut table = Table::new(&["ALG", "KID", "SIGNS FROM", ""]);
        for switch in switches {
            let moved = if switch.moved { "set now" } else { "as it was set" };
            table.row([switch.alg.to_string(), switch.kid, switch.signs_from.to_string(), moved.to_owned()]);
        }
        Ok(table.print()?)
    }
}

impl Revoke {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        if self.reason.trim().is_empty() {
            return Err(Failure::usage("--reason: must not be empty; it stands in the record"));
        }
        let revoked = with_keyring(installation, async |keyring| keyring.revoke(&self.kid, &self.reason).await).await?;
        if self.json {
            output::document(&revoked)?;
        } else {
            output::line(&format!("{} is revoked.", output::visible(&revoked.kid)))?;
            match &revoked.promoted {
                Some(kid) if revoked.ripe => output::line(&format!("{kid} signs in its place; every cache holds it."))?,
                Some(kid) => {
                    output::line(&format!("{kid} signs in its place; caches may lack it until {}.", revoked.safe_from))?
                }
                None => output::line("No key takes its place: it did not sign.")?,
            }
        }
        output::note(&format!(
            "Caches that heed our headers accept the old key until {}; a replica that is cut off from the database could \
             serve the old key set until {}.\nRemoval is no revocation elsewhere: go-oidc, Vault and Fulcio keep a key \
             until they meet one that they don't know (show them a token of the new one), kube-apiserver and MinIO for \
             longer still.",
            revoked.caches_accept_until, revoked.cut_off_until
        ));
        Ok(())
    }
}

impl Reseal {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let count = with_keyring(installation, async |keyring| keyring.reseal().await).await?;
        if self.json {
            return Ok(output::document(&json!({ "resealed": count }))?);
        }
        Ok(output::line(&match count {
            0 => "Everything is sealed under the first key-encryption key already.".to_owned(),
            count => format!("{count} sealed anew under the first key-encryption key."),
        })?)
    }
}

impl NewKek {
    pub(super) fn run(self) -> Result<(), Failure> {
        keyring::make_kek_file(&self.file, &SystemEntropy).map_err(ActError::from)?;
        output::note(&format!("{} holds a new key-encryption key, mode 0600.", self.file.display()));
        Ok(())
    }
}

impl Clock {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let revoked = with_keyring(installation, async |keyring| keyring.accept_clock().await).await?;
        if self.json {
            return Ok(output::document(&json!({ "revoked": revoked }))?);
        }
        output::line("The time as it is now is the largest time seen.")?;
        for kid in revoked {
            output::line(&format!("{kid} is revoked: it was announced in a time that never was."))?;
        }
        Ok(())
    }
}
