//! `names`: lists and releases the bindings of organisation and repository names to ids. Only an operator may release a
//! name, because the next build that is registered under the name binds the name again.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::failure::Failure;
use super::installation::Installation;
use super::output::{self, Table, cell};
use crate::base::IssuerId;
use crate::claims::fold_name;
use crate::store::{BoundName, NameKind, Store};

/// Commands on names that are bound to ids.
#[derive(Debug, Subcommand)]
pub(super) enum Names {
    List(List),
    Release(Release),
}

/// List names of organisations and repositories, each with the id that the name is bound to
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass names list")]
pub(super) struct List {
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Unbind the name of an organisation or repository from its id
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  buildpass names release acme
  buildpass names release acme/app

The next build that is registered under the name binds the name to the id of its organisation or repository: \
release a name only if you know which build that will be.")]
pub(super) struct Release {
    /// Name to release, so that another id can be bound to it: ORG for an organisation, ORG/NAME for a repository
    #[arg(value_name = "ORG[/NAME]")]
    name: String,
    /// Kind of the name to release; required if both an organisation and a repository have this name
    #[arg(long, value_enum)]
    kind: Option<BindingKind>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum BindingKind {
    Org,
    Repo,
}

impl From<BindingKind> for NameKind {
    fn from(kind: BindingKind) -> Self {
        match kind {
            BindingKind::Org => Self::Org,
            BindingKind::Repo => Self::Repo,
        }
    }
}

impl Names {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run(installation).await,
            Self::Release(release) => {
                let store = installation.required_store().await?;
                let done = release.run(&*store).await;
                store.close().await;
                done
            }
        }
    }
}

impl List {
    async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let names = match installation.existing_store().await? {
            None => Vec::new(),
            Some(store) => {
                let names = store.list_names(&IssuerId::main()).await;
                store.close().await;
                names?
            }
        };
        if names.is_empty() {
            output::note(
                "No name is bound yet: the registration of a build binds the names of its organisation and repository to ids.",
            );
        }
        if self.json {
            return Ok(output::json_lines(names)?);
        }
        if names.is_empty() {
            return Ok(());
        }
        let mut table = Table::new(&["KIND", "NAME", "ID", "BOUND AT", "CURRENT"]);
        for BoundName { kind, name, id, bound_at, current } in names {
            let current = if current { "yes" } else { "no" };
            table.row([noun(kind).to_owned(), name, cell(id), bound_at.to_string(), current.to_owned()]);
        }
        Ok(table.print()?)
    }
}

#[derive(Serialize)]
struct Released<'a> {
    kind: NameKind,
    name: &'a str,
}

impl Release {
    async fn run(self, store: &dyn Store) -> Result<(), Failure> {
        let issuer = IssuerId::main();
        let kind = match self.kind {
            Some(kind) => kind.into(),
            None => only_kind(&store.list_names(&issuer).await?, &self.name)?,
        };
        if !store.release_name(&issuer, kind, &self.name).await? {
            return Err(unbound(&self.name));
        }
        if self.json {
            return Ok(output::document(&Released { kind, name: &self.name })?);
        }
        Ok(output::line(&format!("{} {} is released", noun(kind), output::visible(&self.name)))?)
    }
}

/// Returns the kind of the bound name `wanted`: an organisation's or a repository's. Fails if the name is bound for
/// both or for neither. Upper and lower case count as equal, as in the database.
fn only_kind(names: &[BoundName], wanted: &str) -> Result<NameKind, Failure> {
    let folded = fold_name(wanted);
    let of = |kind| names.iter().any(|bound| bound.kind == kind && fold_name(&bound.name) == folded);
    match (of(NameKind::Org), of(NameKind::Repo)) {
        (true, false) => Ok(NameKind::Org),
        (false, true) => Ok(NameKind::Repo),
        (false, false) => Err(unbound(wanted)),
        (true, true) => Err(Failure::usage(format!(
            "{} is both an organisation and a repository: add --kind org or --kind repo",
            output::visible(wanted)
        ))),
    }
}

fn unbound(name: &str) -> Failure {
    let name = output::visible(name);
    Failure::refused(format!("{name} is not bound to an id; `buildpass names list` lists the bound names"))
}

const fn noun(kind: NameKind) -> &'static str {
    match kind {
        NameKind::Org => "org",
        NameKind::Repo => "repo",
    }
}
