//! `token`: the commands for jobs. The commands read no configuration and no file of the checkout, and need neither a
//! home directory nor a writable folder.

mod endpoint;
mod inspect;
mod request;

pub(super) use self::endpoint::{TokenEndpoint, TokenRequest};

use clap::Subcommand;

use super::failure::Failure;

/// Commands on ID tokens.
#[derive(Debug, Subcommand)]
pub(super) enum Token {
    Request(request::Request),
    Inspect(inspect::Inspect),
}

impl Token {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Request(request) => request.run().await,
            Self::Inspect(inspect) => inspect.run(),
        }
    }
}
