//! `exchange users`: manages the users that own roles, trusted publishers and trust policies.

use clap::{Args, Subcommand};

use super::super::failure::Failure;
use super::super::installation::Installation;
use super::changes;
use super::object_help::Help;
use super::objects::{Delete, List, Show};
use crate::exchange::{Precondition, Prune, RulesFile, Section, UserSpec};

const HELP: Help = Help {
    command: "exchange users",
    article: "a",
    noun: "user",
    plural: "users",
    example: "octo",
    note: "",
    object: "",
};

/// Commands on users.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Users {
    Create(CreateUser),
    #[command(mut_args = HELP.arguments(), about = HELP.list(), after_help = HELP.list_example())]
    List(List),
    #[command(mut_args = HELP.arguments(), about = HELP.show(), after_help = HELP.show_example())]
    Show(Show),
    Update(UpdateUser),
    #[command(
        mut_args = HELP.arguments(),
        about = "Delete a user; refused while a role, trusted publisher or trust policy belongs to the user",
        after_help = HELP.delete_example()
    )]
    Delete(Delete),
}

/// Create a user
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass exchange users create octo")]
pub(in crate::cli) struct CreateUser {
    /// Name of the user
    name: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Disable or enable a user
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("to").required(true).args(["disable", "enable"]))]
#[command(after_help = "Examples:
  buildpass exchange users update octo --disable
  buildpass exchange users update octo --enable")]
pub(in crate::cli) struct UpdateUser {
    /// Name of the user
    name: String,
    /// Disable the user: no more credentials are issued for the user, and the current ones are revoked at once
    #[arg(long)]
    disable: bool,
    /// Enable the user, so that credentials can be issued for the user again; revoked credentials stay revoked
    #[arg(long)]
    enable: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Users {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let (name, disabled, expect, json) = match self {
            Self::List(list) => return list.run(Section::Users, installation).await,
            Self::Show(show) => return show.run(Section::Users, installation).await,
            Self::Delete(delete) => return delete.run(Section::Users, installation).await,
            Self::Create(CreateUser { name, json }) => (name, false, Precondition::Absent, json),
            Self::Update(UpdateUser { name, disable, json, .. }) => (name, disable, Precondition::Exists, json),
        };
        let file = RulesFile { users: vec![UserSpec { name, disabled }], ..Default::default() };
        changes::apply(installation, file, Some(expect), Prune::Nothing, false).await?.print(json)
    }
}
