//! `token`: what jobs run. Reads no configuration and no file of the checkout, needs no home and no writable folder.

mod endpoint;
mod inspect;
mod request;

pub(super) use self::endpoint::{TokenEndpoint, Wish};

use clap::Subcommand;

use super::failure::Failure;

/// ID tokens, from inside a job
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
