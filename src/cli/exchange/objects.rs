//! The commands `create`, `list`, `show`, `update` and `delete` for the objects of one section of the rules, such as
//! roles. An object has the form of a rules file and of the admin API, and is applied as `exchange apply` applies a
//! rules file.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::super::failure::Failure;
use super::super::installation::Installation;
use super::super::output;
use super::changes::{self, with_editor};
use super::columns;
use crate::exchange::{Precondition, Prune, RulesFile, Section, has_same_identity, one_object, remove_view_members};
use crate::jose::{JsonProblem, require_unique_members};

/// Name of the provider that is built in.
const OWN_ISSUER: &str = "self";

/// Words and examples for the help of one section's commands.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Help {
    /// The parent of the section's commands, such as `exchange roles`.
    pub(in crate::cli) command: &'static str,
    pub(in crate::cli) article: &'static str,
    pub(in crate::cli) noun: &'static str,
    pub(in crate::cli) plural: &'static str,
    /// Arguments that select one object, in examples.
    pub(in crate::cli) example: &'static str,
    /// Text at the end of the help of `list` and `show`.
    pub(in crate::cli) note: &'static str,
    /// An example of an object of the section, in TOML.
    pub(in crate::cli) object: &'static str,
}

impl Help {
    /// Returns a function that sets the help of each command of an [`ObjectCommand`].
    pub(in crate::cli) fn describe(self) -> impl FnMut(clap::Command) -> clap::Command {
        move |command| {
            let (about, example) = match command.get_name() {
                "create" => (self.create(), self.create_example()),
                "list" => (self.list(), self.list_example()),
                "show" => (self.show(), self.show_example()),
                "update" => (self.update(), self.update_example()),
                "delete" => (self.delete(), self.delete_example()),
                _ => return command,
            };
            command.about(about).after_help(example).mut_args(self.arguments())
        }
    }

    /// Returns a function that hides the argument `--user` in sections with objects that have no owner.
    pub(in crate::cli) fn arguments(self) -> impl FnMut(clap::Arg) -> clap::Arg {
        move |argument| match argument.get_id().as_str() {
            "user" => argument.hide(!self.example.contains("--user")),
            _ => argument,
        }
    }

    fn one(&self) -> String {
        format!("{} {}", self.article, self.noun)
    }

    fn create(&self) -> String {
        format!("Create {} from a TOML or JSON file", self.one())
    }

    pub(in crate::cli) fn list(&self) -> String {
        format!("List {}", self.plural)
    }

    pub(in crate::cli) fn show(&self) -> String {
        format!("Show {} as JSON", self.one())
    }

    fn update(&self) -> String {
        format!("Replace {}; credentials issued under the old version are revoked at once", self.one())
    }

    fn delete(&self) -> String {
        format!("Delete {}; credentials issued under the {} are revoked at once", self.one(), self.noun)
    }

    fn create_example(&self) -> String {
        let (command, object) = (self.command, self.object);
        format!(
            "Example:\n  buildpass {command} create - <<'EOF'\n  {object}\n  EOF\n\n\
             The file holds the object in the form of a rules file, in TOML or JSON."
        )
    }

    pub(in crate::cli) fn list_example(&self) -> String {
        format!("Example:\n  buildpass {} list --json | jq -r .name{}", self.command, self.note)
    }

    pub(in crate::cli) fn show_example(&self) -> String {
        format!("Example:\n  buildpass {} show {}{}", self.command, self.example, self.note)
    }

    fn update_example(&self) -> String {
        let (command, example) = (self.command, self.example);
        format!(
            "Example:\n  buildpass {command} show {example} > object.json\n  buildpass {command} update object.json\n\n\
             The object must exist. Fields that `show` adds, such as created_at, may stay in the file."
        )
    }

    pub(in crate::cli) fn delete_example(&self) -> String {
        format!("Example:\n  buildpass {} delete {}", self.command, self.example)
    }
}

/// Commands on the objects of one section.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ObjectCommand {
    Create(Create),
    List(List),
    Show(Show),
    Update(Update),
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// File with the object, or - for standard input
    file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Update {
    /// File with the object, or - for standard input
    file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// Name of the object, as `list` prints it
    name: String,
    /// Owner of the object; required if several users have an object of this name
    #[arg(long, value_name = "USER")]
    user: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Delete {
    /// Name of the object, as `list` prints it
    name: String,
    /// Owner of the object; required if several users have an object of this name
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl ObjectCommand {
    pub(in crate::cli) async fn run(self, section: Section, installation: &Installation) -> Result<(), Failure> {
        match self {
            Self::Create(Create { file, json }) => {
                apply_one(installation, section, &file, Precondition::Absent, json).await
            }
            Self::Update(Update { file, json }) => {
                apply_one(installation, section, &file, Precondition::Exists, json).await
            }
            Self::List(list) => list.run(section, installation).await,
            Self::Show(show) => show.run(section, installation).await,
            Self::Delete(delete) => delete.run(section, installation).await,
        }
    }
}

async fn apply_one(
    installation: &Installation,
    section: Section,
    file: &Path,
    expect: Precondition,
    json: bool,
) -> Result<(), Failure> {
    let fault = |problem: String| Failure::refused(format!("{}: {problem}", file.display()));
    let mut object = parse(&changes::read(file)?).map_err(fault)?;
    if let (Precondition::Exists, Some(object)) = (expect, object.as_object_mut()) {
        let views = with_editor(installation, async |editor| Ok(editor.list(section).await?)).await?;
        if let Some(current) = views.iter().find(|current| has_same_identity(section, object, current)) {
            remove_view_members(section, object, current);
        }
    }
    let file = one_object(section, object).map_err(|error| fault(error.to_string()))?;
    changes::apply(installation, file, Some(expect), Prune::Nothing, false).await?.print(json)
}

/// Parses an object in JSON or TOML.
fn parse(text: &str) -> Result<Value, String> {
    if !text.trim_start().starts_with('{') {
        return toml::from_str(text).map_err(|error| error.message().to_owned());
    }
    if matches!(require_unique_members(text.as_bytes()), Err(JsonProblem::Duplicate)) {
        return Err("duplicate member".to_owned());
    }
    serde_json::from_str(text).map_err(|error| error.to_string())
}

impl List {
    pub(super) async fn run(self, section: Section, installation: &Installation) -> Result<(), Failure> {
        let rows = with_editor(installation, async |editor| Ok(editor.list(section).await?)).await?;
        if self.json {
            return Ok(output::json_lines(rows)?);
        }
        Ok(columns::table(section, &rows).print()?)
    }
}

impl Show {
    pub(super) async fn run(self, section: Section, installation: &Installation) -> Result<(), Failure> {
        let (name, user) = (&self.name, self.user.as_deref());
        let rows = with_editor(installation, async |editor| Ok(editor.find(section, name, user).await?)).await?;
        match rows.as_slice() {
            [one] => Ok(output::document(one)?),
            [] => Err(unknown(section, &self.name)),
            _ => Err(Failure::usage(format!(
                "several users have a {} named {:?}: name the owner by --user",
                section.noun(),
                self.name
            ))),
        }
    }
}

impl Delete {
    pub(super) async fn run(self, section: Section, installation: &Installation) -> Result<(), Failure> {
        let prune = Prune::One(section, self.user.clone(), self.name.clone());
        let report = changes::apply(installation, RulesFile::default(), None, prune, false).await?;
        if report.0.is_empty() {
            return Err(unknown(section, &self.name));
        }
        report.print(self.json)
    }
}

fn unknown(section: Section, name: &str) -> Failure {
    if section == Section::Providers && name == OWN_ISSUER {
        return Failure::refused(
            "the provider \"self\" is this server's own issuer: it is built in, and `buildpass config show` prints issuer.url",
        );
    }
    Failure::refused(format!("there is no {} {name:?}", section.noun()))
}
