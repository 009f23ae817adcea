//! `token inspect`: decodes a token. The command verifies nothing, and must say so.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use serde_json::{Value, json};

use super::super::failure::Failure;
use super::super::{input, output};
use crate::jose;

/// Decode a token without verifying it
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass token request --audience x | buildpass token inspect - | jq .claims.sub")]
pub(in super::super) struct Inspect {
    /// The token, or - to read the token from standard input, hidden from other processes
    token: String,
    /// No effect: the output is always one JSON document
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(super) fn run(self) -> Result<(), Failure> {
        let token = input::token(&self.token)?;
        let peeked = jose::peek(&token).map_err(Failure::refused)?;
        let claims: Value = read(peeked.unverified_payload())?;
        let header = peeked.signing_input().split('.').next().unwrap_or_default();
        let header: Value = read(&URL_SAFE_NO_PAD.decode(header).map_err(Failure::refused)?)?;
        output::document(&json!({"header": header, "claims": claims}))?;
        output::note("Not verified: anyone can write such a token. Use `buildpass verify` to check its signature.");
        Ok(())
    }
}

fn read(bytes: &[u8]) -> Result<Value, Failure> {
    serde_json::from_slice(bytes).map_err(|_| Failure::refused("the header or the payload of the token is not JSON"))
}
