//! The command line, with one file or folder for each command. Only this module prints. A command never decides who
//! gets a token.

mod access_policy;
mod api;
mod audit;
mod bench;
mod builds;
mod clients;
mod completions;
mod config;
mod demo;
mod exchange;
mod export_static;
mod failure;
mod help;
mod input;
mod installation;
mod keyring;
mod keys;
mod misspelled;
mod names;
mod open_files;
mod output;
mod provenance;
mod providers;
mod retry;
mod serve;
mod shell;
mod signals;
mod since;
mod store;
mod token;
mod trusted;
mod variables;
mod verify;

use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use self::failure::Failure;
use self::installation::Installation;
use crate::base::{RELEASED, SystemClock};
use crate::telemetry::{self, LogFormat, LogSettings};

/// Last lines of `buildpass --help`: exit codes and a hint for the first start.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  the check or request was refused
  2  usage: a flag, an argument or a variable is missing or wrong
  3  a server, a file or the database cannot be reached or opened

`buildpass COMMAND --help` prints the help of a command. Without a configuration everything is kept in the working \
directory: data/buildpass.db, keys/master.key. To see how the parts work together: buildpass demo";

/// OpenID Connect issuer that signs short-lived tokens for CI builds, verifies tokens, and exchanges them for credentials.
#[derive(Debug, Parser)]
#[command(name = "buildpass", version, after_help = EXIT_CODES, max_term_width = 100, arg_required_else_help = true)]
struct CommandLine {
    /// Configuration file [default: $BUILDPASS_CONFIG, else ./buildpass.toml]; `token` and `builds` read no
    /// configuration
    #[arg(long, global = true, value_name = "FILE", display_order = 900)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    /// Check, show and apply the configuration
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Migrate the database schema, or move to another database
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Manage clients: CI servers and other programs that call the API
    #[command(subcommand)]
    Clients(clients::Clients),
    /// Manage signing keys: list, rotate, revoke, adopt
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Manage the bindings of organisation and repository names to ids
    #[command(subcommand)]
    Names(names::Names),
    /// Manage and check providers: the issuers of accepted tokens
    #[command(subcommand)]
    Providers(providers::Providers),
    /// Manage the exchange: rules, and issued keys and access tokens
    #[command(subcommand)]
    Exchange(exchange::ExchangeCommand),
    /// Read the audit record: issued tokens and events
    #[command(subcommand)]
    Audit(audit::Audit),
    Provenance(provenance::Provenance),
    ExportStatic(export_static::ExportStatic),
    /// Register, finish and show builds over the HTTP API
    #[command(subcommand)]
    Builds(builds::Builds),
    /// Request an ID token from inside a job, or decode a token
    #[command(subcommand)]
    Token(token::Token),
    Verify(verify::Verify),
    /// Evaluate the access policies of repositories for a token
    #[command(subcommand)]
    AccessPolicy(access_policy::AccessPolicyCommand),
    Bench(bench::Bench),
    Completions(completions::Completions),
}

/// Returns the description of the command line, for completions, the manual and tests.
#[must_use]
pub fn command() -> clap::Command {
    help::grouped(CommandLine::command())
}

/// Runs the command that this process was started with, and returns the exit code.
#[must_use]
pub fn run() -> ExitCode {
    let line = command().try_get_matches().and_then(|matches| CommandLine::from_arg_matches(&matches));
    let line = line.unwrap_or_else(|error| misspelled::with_tips(error, &command(), &arguments()).exit());
    match dispatch(line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn arguments() -> Vec<String> {
    std::env::args().skip(1).collect()
}

fn dispatch(line: CommandLine) -> Result<(), Failure> {
    let installation = Installation::new(line.config);
    // `serve` starts the logs that its configuration describes; `demo` and `bench` log nothing.
    let _logs = match line.command {
        Command::Serve(_) | Command::Demo(_) | Command::Bench(_) => None,
        _ => Some(telemetry::start_logs(&said_by_commands(), Arc::new(SystemClock::new())).map_err(Failure::refused)?),
    };
    if installation::now() < RELEASED {
        let now = installation::now();
        output::note(&format!(
            "warning: the clock is at {now}, before {RELEASED}, the date of this release: correct it"
        ));
    }
    match line.command {
        Command::Serve(serve) => wait(serve.run(&installation)),
        Command::Demo(demo) => wait(demo.run()),
        Command::Config(config) => wait(config.run(&installation)),
        Command::Store(store) => wait(store.run(&installation)),
        Command::Clients(clients) => wait(clients.run(&installation)),
        Command::Keys(keys) => wait(keys.run(&installation)),
        Command::Names(names) => wait(names.run(&installation)),
        Command::Providers(providers) => wait(providers.run(&installation)),
        Command::Exchange(exchange) => wait(exchange.run(&installation)),
        Command::Audit(audit) => wait(audit.run(&installation)),
        Command::Provenance(provenance) => wait(provenance.run(&installation)),
        Command::ExportStatic(export) => wait(export.run(&installation)),
        Command::Builds(builds) => wait(builds.run()),
        Command::Token(token) => wait(token.run()),
        Command::Verify(verify) => wait(verify.run(&installation)),
        Command::AccessPolicy(policy) => wait(policy.run()),
        Command::Bench(bench) => bench.run(),
        Command::Completions(completions) => completions.run(command()),
    }
}

/// Returns the log settings of all commands except `serve`, `demo` and `bench`: only panics and the progress of long
/// work on the database are logged.
fn said_by_commands() -> LogSettings {
    LogSettings {
        format: LogFormat::Text,
        filter: "off,buildpass::telemetry::logs=error,buildpass::store::progress=warn".to_owned(),
    }
}

fn wait(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    // Does not wait for a key that is being generated when a signal arrives.
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        super::command().debug_assert();
    }
}
