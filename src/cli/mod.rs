//! The command line: one file a command. Nothing but this floor prints, and nothing here decides who gets a token.

mod api;
mod api_keys;
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
mod input;
mod installation;
mod keys;
mod migrate;
mod names;
mod output;
mod policy;
mod provenance;
mod providers;
mod retry;
mod rules;
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

use clap::{CommandFactory, Parser, Subcommand};

use self::failure::Failure;
use self::installation::Place;
use crate::exchange::Section;

/// What every exit code means, under the help of the whole.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  refused, or found wanting
  2  usage: a flag, an argument or a variable is missing or wrong
  3  a server, a file or the database can't be reached or opened

Without a configuration everything lives in the working directory: data/buildpass.db, keys/master.key.
See the whole road in one command: buildpass demo";

/// Identity for CI builds: an OpenID Connect issuer that signs short-lived tokens for every build.
#[derive(Debug, Parser)]
#[command(name = "buildpass", version, after_help = EXIT_CODES, max_term_width = 100, arg_required_else_help = true)]
struct CommandLine {
    /// Configuration file; else $BUILDPASS_CONFIG, else ./buildpass.toml (`token` and `builds` read none)
    #[arg(long, global = true, value_name = "FILE", display_order = 900)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    /// Make and manage clients: CI servers and others that call the API
    #[command(subcommand)]
    Clients(clients::Clients),
    /// Register, finish and show builds over the HTTP API, for CI servers and workers
    #[command(subcommand)]
    Builds(builds::Builds),
    /// The signing keys' life: list, rotate, revoke, take over from another issuer
    #[command(subcommand)]
    Keys(keys::Keys),
    /// List names and the ids that they are bound to, release a name
    #[command(subcommand)]
    Names(names::Names),
    /// Fetch an ID token from inside a job, look into one
    #[command(subcommand)]
    Token(token::Token),
    /// Read the record of issued tokens
    #[command(subcommand)]
    Audit(audit::Audit),
    Verify(verify::Verify),
    /// Who may do what with which token
    #[command(subcommand)]
    Policy(policy::Policy),
    /// The issuers whose tokens we verify
    #[command(subcommand)]
    Providers(providers::Providers),
    /// RubyGems' roles; `apply` brings whole files of rules in
    #[command(subcommand)]
    Roles(rules::Roles),
    /// RubyGems' trusted publishers
    #[command(subcommand)]
    TrustedPublishers(rules::Rules),
    /// NuGet's trust policies
    #[command(subcommand)]
    Policies(rules::Rules),
    /// Grants of the token endpoint and of forward authentication
    #[command(subcommand)]
    Grants(rules::Rules),
    /// Users: whose keys roles and trust policies make
    #[command(subcommand)]
    Users(rules::Users),
    /// Keys that were given for tokens
    #[command(subcommand)]
    ApiKeys(api_keys::ApiKeys),
    /// What the doors of the exchange would do with a token
    #[command(subcommand)]
    Exchange(exchange::ExchangeCommand),
    Provenance(provenance::Provenance),
    Migrate(migrate::Migrate),
    /// Move the installation to another database
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Check, show, explain and apply the configuration
    #[command(subcommand)]
    Config(config::ConfigCommand),
    ExportStatic(export_static::ExportStatic),
    Bench(bench::Bench),
    Completions(completions::Completions),
}

/// The command line as data, for completions and for the pictures of its help.
#[must_use]
pub fn command() -> clap::Command {
    CommandLine::command()
}

/// Runs the command line of this process.
#[must_use]
pub fn run() -> ExitCode {
    let line = CommandLine::parse();
    match dispatch(line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn dispatch(line: CommandLine) -> Result<(), Failure> {
    let place = Place::new(line.config);
    match line.command {
        Command::Serve(serve) => wait(serve.run(&place)),
        Command::Demo(demo) => wait(demo.run()),
        Command::Clients(clients) => wait(clients.run(&place)),
        Command::Builds(builds) => wait(builds.run()),
        Command::Keys(keys) => wait(keys.run(&place)),
        Command::Names(names) => wait(names.run(&place)),
        Command::Token(token) => wait(token.run()),
        Command::Audit(audit) => wait(audit.run(&place)),
        Command::Verify(verify) => wait(verify.run(&place)),
        Command::Policy(policy) => wait(policy.run()),
        Command::Providers(providers) => wait(providers.run(&place)),
        Command::Roles(roles) => wait(roles.run(&place)),
        Command::TrustedPublishers(rules) => wait(rules.run(Section::TrustedPublishers, &place)),
        Command::Policies(rules) => wait(rules.run(Section::TrustPolicies, &place)),
        Command::Grants(rules) => wait(rules.run(Section::Grants, &place)),
        Command::Users(users) => wait(users.run(&place)),
        Command::ApiKeys(keys) => wait(keys.run(&place)),
        Command::Exchange(exchange) => wait(exchange.run(&place)),
        Command::Provenance(provenance) => wait(provenance.run(&place)),
        Command::Migrate(migrate) => wait(migrate.run(&place)),
        Command::Store(store) => wait(store.run()),
        Command::Config(config) => wait(config.run(&place)),
        Command::ExportStatic(export) => wait(export.run(&place)),
        Command::Bench(bench) => bench.run(),
        Command::Completions(completions) => completions.run(),
    }
}

fn wait(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(work);
    // A key that is being made when a signal comes is not waited for.
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        super::command().debug_assert();
    }
}
