//! `keys rotate`, `revoke`, `reseal`, `clock` and `new-kek`: changes of keys by an operator. A change takes effect on
//! every replica within `keys.refresh_interval`. No private key is ever printed.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::super::failure::Failure;
use super::super::installation::Installation;
use super::super::keyring::with_keyring;
use super::super::output::{self, Table};
use crate::base::SystemEntropy;
use crate::keyring::{self, ActError};

/// Switch early to the announced signing keys: as soon as every cache holds them, not only when the rotation period
/// ends
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys rotate

An announced key is published but does not sign yet. It may sign once no cache holds a key set without it. If the \
switch is scheduled already, the command prints the time of the switch and changes nothing. If a key has leaked, use \
`keys revoke`.")]
pub(in crate::cli) struct Rotate {
    /// Switch now; if caches may still lack the announced keys, exit with 1 and print the earliest safe time
    #[arg(long)]
    now: bool,
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Revoke a leaked signing key at once; the announced key signs instead of the revoked key
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys revoke Vq3NIg5oXJ0u1l4pNe1hVvX0hY0nY2Y9lqv7b6wT9yA --reason 'found in a backup'

The revoked key leaves the key set, but verifiers may keep the key: go-oidc, Vault and Fulcio until they see a token \
that a new key signed, so send them such a token; kube-apiserver and MinIO even longer.")]
pub(in crate::cli) struct Revoke {
    /// Id of the signing key (kid), as `keys list` prints it
    #[arg(allow_hyphen_values = true)] // Some key ids begin with a hyphen.
    kid: String,
    /// Reason for the revocation, kept in the audit record
    #[arg(long)]
    reason: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Encrypt all private signing keys again, now under the first key-encryption key of the configuration
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys new-kek keys/master-2.key
  # put the new key first in keys.key_encryption_keys, before the old key, on every replica; then:
  buildpass keys reseal
  # now the old key can be removed from keys.key_encryption_keys")]
pub(in crate::cli) struct Reseal {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Create a key-encryption key, which encrypts the private signing keys in the database
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys new-kek keys/master-2.key

Then add the key to keys.key_encryption_keys. Keep a backup of the key apart from backups of the database: each backup \
is useless without the other backup.")]
pub(in crate::cli) struct NewKek {
    /// File to create for the key; the file must not exist
    file: PathBuf,
}

/// Let servers sign again after one server's clock ran ahead: accept the current time as correct
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass keys clock --accept

The server signs nothing while its clock is behind the largest time that was recorded. This command resets that time to \
now. Keys announced after now are revoked.")]
pub(in crate::cli) struct Clock {
    /// Confirm that the clock of this machine is correct
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
            let moved = if switch.moved { "scheduled" } else { "unchanged" };
            table.row([switch.alg.to_string(), switch.kid, switch.signs_from.to_string(), moved.to_owned()]);
        }
        Ok(table.print()?)
    }
}

impl Revoke {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        if self.reason.trim().is_empty() {
            return Err(Failure::usage("--reason: must not be empty; it is kept in the audit record"));
        }
        let revoked = with_keyring(installation, async |keyring| keyring.revoke(&self.kid, &self.reason).await).await?;
        if self.json {
            output::document(&revoked)?;
        } else {
            output::line(&format!("{} is revoked.", output::visible(&revoked.kid)))?;
            match &revoked.promoted {
                Some(kid) if revoked.in_every_cache => {
                    output::line(&format!("{kid} signs in its place; every cache holds it already."))?
                }
                Some(kid) => output::line(&format!(
                    "{kid} signs in its place; it may be missing from caches until {}.",
                    revoked.safe_from
                ))?,
                None => output::line("No other key takes its place: it was not the active key.")?,
            }
        }
        output::note(&format!(
            "Caches that obey the response headers accept the old key until {}; a replica cut off from the database could \
             serve the old key set until {}.\nVerifiers may keep the old key: go-oidc, Vault and Fulcio until they see a \
             token with an unknown key (send them one), kube-apiserver and MinIO even longer.",
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
            0 => "All private keys are encrypted under the first key-encryption key already.".to_owned(),
            count => format!("{count} encrypted again under the first key-encryption key."),
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
        output::line("The current time is accepted.")?;
        for kid in revoked {
            output::line(&format!("{kid} is revoked: it was announced after the current time."))?;
        }
        Ok(())
    }
}
