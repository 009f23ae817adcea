//! The commands `create`, `list`, `show`, `update` and `delete` for one kind of object of the rules, such as roles. An
//! object has the form of a rules file and of the admin API, and is applied as `exchange apply` applies a rules file.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::super::failure::Failure;
use super::super::installation::Installation;
use super::super::output;
use super::changes::{self, with_editor};
use super::columns;
use crate::exchange::{
    Object, Precondition, Prune, RulesFile, Section, has_same_identity, one_object, remove_view_members,
};
use crate::jose::{JsonProblem, require_unique_members};

/// Name of the built-in provider, this server's own issuer.
const OWN_ISSUER: &str = "self";

/// Commands on one kind of object, such as roles.
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
    /// TOML or JSON file that describes the object, or - for standard input
    file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Update {
    /// TOML or JSON file that describes the object, or - for standard input
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
        match views.iter().find(|current| has_same_identity(section, object, current)) {
            Some(current) => remove_view_members(section, object, current),
            None => of_other_user(section, object, &views).map_err(fault)?,
        }
    }
    let file = one_object(section, object).map_err(|error| fault(error.to_string()))?;
    changes::apply(installation, file, Some(expect), Prune::Nothing, false).await?.print(json)
}

/// Refuses to update an object that the user named in `object` does not have, if another user has one of that name.
fn of_other_user(section: Section, object: &Object, current: &[Object]) -> Result<(), String> {
    if !section.has_owners() {
        return Ok(());
    }
    let is_same = |current: &&Object| {
        let mut theirs = object.clone();
        theirs.insert("user".to_owned(), current.get("user").cloned().unwrap_or_default());
        has_same_identity(section, &theirs, current)
    };
    let theirs: Vec<Object> = current.iter().filter(is_same).cloned().collect();
    if theirs.is_empty() {
        return Ok(());
    }
    let (noun, owners) = (section.noun(), owners(&theirs));
    let user = object.get("user").cloned().unwrap_or_default();
    Err(format!(
        "user: the {noun} belongs to {owners}, not to {user}: write its owner as user, or `create` one for {user}"
    ))
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
            [] => Err(unknown(installation, section, name, user).await?),
            several => Err(Failure::usage(format!(
                "several users have a {} named {name:?}: choose one with --user: {}",
                section.noun(),
                owners(several)
            ))),
        }
    }
}

impl Delete {
    pub(super) async fn run(self, section: Section, installation: &Installation) -> Result<(), Failure> {
        let prune = Prune::One(section, self.user.clone(), self.name.clone());
        let report = changes::apply(installation, RulesFile::default(), None, prune, false).await?;
        if report.0.is_empty() {
            return Err(unknown(installation, section, &self.name, self.user.as_deref()).await?);
        }
        report.print(self.json)
    }
}

/// Returns the names of the users that own the objects, joined by commas.
fn owners(objects: &[Object]) -> String {
    objects.iter().filter_map(|object| Some(object.get("user")?.to_string())).collect::<Vec<_>>().join(", ")
}

/// Returns the failure for an object that does not exist, or that belongs to another user than `user`.
async fn unknown(
    installation: &Installation,
    section: Section,
    name: &str,
    user: Option<&str>,
) -> Result<Failure, Failure> {
    if let Some(user) = user {
        let named = with_editor(installation, async |editor| Ok(editor.find(section, name, None).await?)).await?;
        if !named.is_empty() {
            let owners = match owners(&named) {
                owners if section.has_owners() => format!("belongs to {owners}: name that user by --user"),
                _ => "belongs to no user: leave --user out".to_owned(),
            };
            let noun = section.noun();
            return Ok(Failure::refused(format!("user {user:?} has no {noun} {name:?}: that {noun} {owners}")));
        }
    }
    Ok(missing(section, name))
}

fn missing(section: Section, name: &str) -> Failure {
    if section == Section::Providers && name == OWN_ISSUER {
        return Failure::refused(
            "the provider \"self\" is this server's own issuer: it is built in, and `buildpass config show` prints issuer.url",
        );
    }
    Failure::refused(format!("there is no {} {name:?}", section.noun()))
}
