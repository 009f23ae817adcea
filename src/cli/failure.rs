//! The error that ends a command, and the exit code of each error. The text of the error is printed unchanged, so the
//! text must never hold a secret.

use std::fmt;
use std::io;
use std::process::ExitCode;

use super::output;
use crate::app::{ApplyError, StartError};
use crate::base::EntropyError;
use crate::config::ConfigError;
use crate::exchange::ApplyRulesError;
use crate::keyring::{ActError, KeyringError};
use crate::store::StoreError;

/// Error that ends a command.
#[derive(Debug)]
pub(super) enum Failure {
    /// Exit code 0, without a message: the program that read this command's standard output closed the pipe.
    OutputClosed,
    /// Exit code 1: the check or request was refused.
    Refused(anyhow::Error),
    /// Exit code 3: a server, a file or the database cannot be reached or opened.
    Unreachable(anyhow::Error),
    /// Exit code 2: a flag, an argument or a variable is missing or wrong.
    Usage(anyhow::Error),
}

impl Failure {
    pub(super) fn refused(message: impl fmt::Display) -> Self {
        Self::Refused(anyhow::Error::msg(message.to_string()))
    }

    pub(super) fn unreachable(message: impl fmt::Display) -> Self {
        Self::Unreachable(anyhow::Error::msg(message.to_string()))
    }

    pub(super) fn usage(message: impl fmt::Display) -> Self {
        Self::Usage(anyhow::Error::msg(message.to_string()))
    }

    /// Prints the error on standard error and returns the exit code.
    pub(super) fn report(self) -> ExitCode {
        let (code, error) = match self {
            Self::OutputClosed => return ExitCode::SUCCESS,
            Self::Refused(error) => (1, error),
            Self::Usage(error) => (2, error),
            Self::Unreachable(error) => (3, error),
        };
        output::error(&format!("{error:#}"));
        ExitCode::from(code)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::OutputClosed } else { Self::Unreachable(error.into()) }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Unreachable(error.into())
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        if error.is_unreadable() { Self::Unreachable(error.into()) } else { Self::Refused(error.into()) }
    }
}

impl From<EntropyError> for Failure {
    fn from(error: EntropyError) -> Self {
        Self::Unreachable(error.into())
    }
}

impl From<ActError> for Failure {
    fn from(error: ActError) -> Self {
        match error {
            ActError::Failed(error @ KeyringError::Clock(_)) => Self::Refused(error.into()),
            ActError::Failed(error) => Self::Unreachable(error.into()),
            ActError::Refused(refusal) => Self::Refused(refusal.into()),
        }
    }
}

impl From<ApplyError> for Failure {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Client(_) | ApplyError::Rules(_) => Self::Refused(error.into()),
            ApplyError::Keys(error) => error.into(),
            ApplyError::Store(error) => error.into(),
        }
    }
}

impl From<ApplyRulesError> for Failure {
    fn from(error: ApplyRulesError) -> Self {
        match error {
            ApplyRulesError::Store(error) => error.into(),
            ApplyRulesError::Audience(_) | ApplyRulesError::Rule(_) => Self::Refused(error.into()),
            ApplyRulesError::Entropy(_) => Self::Unreachable(error.into()),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(_) => Self::Refused(error.into()),
            StartError::Keyring(error) => error.into(),
            StartError::Store(_) => Self::Unreachable(error.into()),
        }
    }
}
