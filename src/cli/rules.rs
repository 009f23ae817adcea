//! What tokens may be traded for: users, providers, roles, trusted publishers, trust policies, grants. Each is brought in
//! by the act that `roles apply` uses; what the admin API takes as an object, these take as a file.

use std::io::Read as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::config::how;
use super::failure::Failure;
use super::installation::{self, Place};
use super::output::{self, Table, cell};
use crate::config::Flags;
use crate::exchange::{
    Applied, Change, ChangeSet, Precondition, Prune, RulesEditor, RulesFile, Section, UserSpec, is_same, leave_written,
    one_object, read_rules_file, shown_rules,
};
use crate::jose::{JsonProblem, require_unique_members};

/// Who brings it in, as events tell it.
const BY: &str = "command";

/// Largest file that is read.
const MOST: u64 = 16 * 1_024 * 1_024;

/// What can be done with the things of one section.
#[derive(Debug, Subcommand)]
pub(super) enum Rules {
    Create(Create),
    List(List),
    Show(Show),
    Update(Update),
    Delete(Delete),
}

/// Make one, from a file that holds it as an object
#[derive(Debug, Args)]
#[command(after_help = "Example, of a grant:
  buildpass grants create - <<'EOF'
  name = \"artefacts\"
  provider = \"self\"
  audience = \"https://artefacts.example.com\"
  scopes = [\"read\"]
  EOF

The object is one of the roles file, in TOML or JSON.")]
pub(super) struct Create {
    /// The object's file, or - for standard input
    file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Change one, which must be there already
#[derive(Debug, Args)]
#[command(after_help = "Example, of a role:
  buildpass roles show push-app > push-app.json
  buildpass roles update push-app.json

What was given by it dies at once.")]
pub(super) struct Update {
    /// The object's file, or - for standard input
    file: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// List all of them
#[derive(Debug, Args)]
#[command(after_help = "Example, of roles:
  buildpass roles list --json | jq -r .token")]
pub(super) struct List {
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Show one of them: what was written, and when
#[derive(Debug, Args)]
#[command(after_help = "Example, of a role:
  buildpass roles show push-app --user octo")]
pub(super) struct Show {
    /// Its name
    name: String,
    /// Whose it is, where several users have one of that name
    #[arg(long, value_name = "U")]
    user: Option<String>,
}

/// Remove one; what was given by it dies at once
#[derive(Debug, Args)]
#[command(after_help = "Example, of a role:
  buildpass roles delete push-app --user octo")]
pub(super) struct Delete {
    /// Its name
    name: String,
    /// Whose it is, where several users have one of that name
    #[arg(long, value_name = "U")]
    user: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// RubyGems' roles, and whole files of rules
#[derive(Debug, Subcommand)]
pub(super) enum Roles {
    Apply(Apply),
    #[command(flatten)]
    One(Rules),
}

/// Apply a file of users, providers, roles, publishers, policies and grants in; twice changes nothing
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  buildpass roles apply roles.toml --dry-run
  buildpass roles apply roles.toml --prune

An error anywhere brings nothing in. A role keeps its token. What a change ends dies at once.")]
pub(super) struct Apply {
    /// The file, or - for standard input
    file: PathBuf,
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
    /// Remove what the file does not hold, the configuration's own providers apart
    #[arg(long)]
    prune: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Users: whose keys roles and trust policies make
#[derive(Debug, Subcommand)]
pub(super) enum Users {
    Create(CreateUser),
    List(List),
    Show(Show),
    Update(UpdateUser),
    Delete(Delete),
}

/// Make a user
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass users create octo")]
pub(super) struct CreateUser {
    /// The name
    name: String,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Disable a user, whose keys die at once, or enable one
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("to").required(true).args(["disable", "enable"]))]
#[command(after_help = "Examples:
  buildpass users update octo --disable
  buildpass users update octo --enable")]
pub(super) struct UpdateUser {
    /// The name
    name: String,
    /// Nothing is made for this user any more
    #[arg(long)]
    disable: bool,
    /// Things may be made for this user again; dead keys stay dead
    #[arg(long)]
    enable: bool,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Rules {
    pub(super) async fn run(self, section: Section, place: &Place) -> Result<(), Failure> {
        match self {
            Self::Create(Create { file, json }) => bring_one(place, section, &file, Precondition::New, json).await,
            Self::Update(Update { file, json }) => bring_one(place, section, &file, Precondition::Standing, json).await,
            Self::List(list) => list.run(section, place).await,
            Self::Show(show) => show.run(section, place).await,
            Self::Delete(delete) => delete.run(section, place).await,
        }
    }
}

impl Roles {
    pub(super) async fn run(self, place: &Place) -> Result<(), Failure> {
        match self {
            Self::Apply(apply) => apply.run(place).await,
            Self::One(rules) => rules.run(Section::Roles, place).await,
        }
    }
}

impl Users {
    pub(super) async fn run(self, place: &Place) -> Result<(), Failure> {
        let user =
            |name: String, disabled| RulesFile { users: vec![UserSpec { name, disabled }], ..Default::default() };
        match self {
            Self::Create(CreateUser { name, json }) => {
                bring(place, user(name, false), Some(Precondition::New), Prune::Nothing, false).await?.print(json)
            }
            Self::Update(UpdateUser { name, disable, json, .. }) => {
                bring(place, user(name, disable), Some(Precondition::Standing), Prune::Nothing, false)
                    .await?
                    .print(json)
            }
            Self::List(list) => list.run(Section::Users, place).await,
            Self::Show(show) => show.run(Section::Users, place).await,
            Self::Delete(delete) => delete.run(Section::Users, place).await,
        }
    }
}

impl Apply {
    async fn run(self, place: &Place) -> Result<(), Failure> {
        let file = read_rules_file(&text(&self.file)?)
            .map_err(|error| Failure::refused(format!("{}: {error}", self.file.display())))?;
        if self.prune && file.is_empty() {
            let problem = "holds nothing: with --prune that would remove everything; remove things by `delete`";
            return Err(Failure::refused(format!("{}: {problem}", self.file.display())));
        }
        let prune = if self.prune { Prune::All } else { Prune::Nothing };
        let brought = bring(place, file, None, prune, self.dry_run).await?;
        if self.json {
            return Ok(output::document(&brought.document(self.dry_run))?);
        }
        brought.print(false)
    }
}

/// What was brought in, for people or for programs.
struct Brought(Vec<Change>);

impl Brought {
    fn document(&self, dry_run: bool) -> Value {
        let mut document = Map::from_iter([("dry_run".to_owned(), Value::from(dry_run))]);
        for section in Section::ALL {
            let of: Vec<&Change> = self.0.iter().filter(|change| change.section == section).collect();
            let key = section.name().rsplit('.').next().unwrap_or_default();
            document.insert(key.to_owned(), json!(of));
        }
        Value::Object(document)
    }

    fn print(&self, json: bool) -> Result<(), Failure> {
        for warning in self.0.iter().flat_map(|change| &change.warnings) {
            output::note(&format!("warning: {}", output::visible(warning)));
        }
        if json {
            return match self.0.as_slice() {
                [one] => Ok(output::document(one)?),
                all => Ok(output::document(&all)?),
            };
        }
        let mut table = Table::new(&["WHAT", "NAME", "USER", "CHANGE", "TOKEN"]);
        for change in &self.0 {
            table.row([
                change.section.noun().to_owned(),
                change.name.clone(),
                cell(change.user.as_ref()),
                how(change.change).to_owned(),
                cell(change.token.as_ref()),
            ]);
        }
        Ok(table.print()?)
    }
}

/// Brings a file in, at the database, beside a server that may be running.
async fn bring(
    place: &Place,
    file: RulesFile,
    expect: Option<Precondition>,
    prune: Prune,
    dry_run: bool,
) -> Result<Brought, Failure> {
    let bring = ChangeSet { file, declared: None, prune, expect };
    let applied = with_keeper(place, async |keeper| Ok(keeper.apply(&bring, BY, dry_run).await?)).await?;
    let Applied(changes) = applied;
    Ok(Brought(changes))
}

async fn with_keeper<T>(
    place: &Place,
    work: impl AsyncFnOnce(&RulesEditor) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let config = place.config(Flags::default())?;
    let store = installation::open(&config).await?;
    let done = match installation::keeper(&config, &store) {
        Ok(keeper) => work(&keeper).await,
        Err(failure) => Err(failure),
    };
    store.close().await;
    done
}

async fn bring_one(
    place: &Place,
    section: Section,
    file: &PathBuf,
    expect: Precondition,
    json: bool,
) -> Result<(), Failure> {
    let fault = |problem: String| Failure::refused(format!("{}: {problem}", file.display()));
    let text = text(file)?;
    let mut object: Value = if text.trim_start().starts_with('{') {
        if matches!(require_unique_members(text.as_bytes()), Err(JsonProblem::Duplicate)) {
            return Err(fault("names a member twice".to_owned()));
        }
        serde_json::from_str(&text).map_err(|error| fault(error.to_string()))?
    } else {
        toml::from_str(&text).map_err(|error| fault(error.message().to_owned()))?
    };
    // What `show` adds may come back as it was.
    if let (Precondition::Standing, Some(object)) = (expect, object.as_object_mut()) {
        let standing = with_keeper(place, async |keeper| Ok(keeper.standing().await?)).await?;
        if let Some(one) = shown_rules(&standing, section).iter().find(|one| is_same(section, object, one)) {
            leave_written(section, object, one);
        }
    }
    let file = one_object(section, object).map_err(|error| fault(error.to_string()))?;
    bring(place, file, Some(expect), Prune::Nothing, false).await?.print(json)
}

fn text(file: &PathBuf) -> Result<String, Failure> {
    let mut text = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().lock().take(MOST + 1).read_to_string(&mut text)?;
    } else {
        let fault = |error: std::io::Error| Failure::unreachable(format!("{}: {error}", file.display()));
        std::fs::File::open(file).map_err(fault)?.take(MOST + 1).read_to_string(&mut text).map_err(fault)?;
    }
    // Cut off between two tables it would read as a whole file, and --prune would remove the rest.
    if text.len() as u64 > MOST {
        return Err(Failure::refused(format!("{}: a file may have {MOST} bytes", file.display())));
    }
    Ok(text)
}

impl List {
    async fn run(self, section: Section, place: &Place) -> Result<(), Failure> {
        let standing = with_keeper(place, async |keeper| Ok(keeper.standing().await?)).await?;
        let rows = shown_rules(&standing, section);
        if self.json {
            return Ok(output::json_lines(rows)?);
        }
        let mut table = Table::new(&["NAME", "USER", "PROVIDER", "TOKEN", "CREATED"]);
        for row in &rows {
            let text = |key: &str| row.get(key).and_then(Value::as_str).map(str::to_owned);
            table.row(["name", "user", "provider", "token", "created_at"].map(|key| cell(text(key))));
        }
        Ok(table.print()?)
    }
}

impl Show {
    async fn run(self, section: Section, place: &Place) -> Result<(), Failure> {
        let standing = with_keeper(place, async |keeper| Ok(keeper.standing().await?)).await?;
        let mut rows = shown_rules(&standing, section);
        rows.retain(|row| row["name"] == self.name && self.user.as_ref().is_none_or(|user| row["user"] == *user));
        match rows.as_slice() {
            [one] => Ok(output::document(one)?),
            [] => Err(Failure::refused(format!("there is no {} {:?}", section.noun(), self.name))),
            _ => Err(Failure::usage("several users have one of that name; say whose: --user U")),
        }
    }
}

impl Delete {
    async fn run(self, section: Section, place: &Place) -> Result<(), Failure> {
        let prune = Prune::One(section, self.user.clone(), self.name.clone());
        let brought = bring(place, RulesFile::default(), None, prune, false).await?;
        if brought.0.is_empty() {
            return Err(Failure::refused(format!("there is no {} {:?}", section.noun(), self.name)));
        }
        brought.print(self.json)
    }
}
