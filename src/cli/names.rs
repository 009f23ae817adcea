//! `names`: the names and ids that are bound to each other. Releasing one is an operator's decision: whoever comes
//! first under that name afterwards gets it.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use super::failure::Failure;
use super::installation::Installation;
use super::output::{self, Table, cell};
use crate::base::IssuerId;
use crate::claims::fold_name;
use crate::store::{BoundName, NameKind, Store};

/// Names and the ids that they are bound to
#[derive(Debug, Subcommand)]
pub(super) enum Names {
    List(List),
    Release(Release),
}

/// List all bound names
#[derive(Debug, Args)]
#[command(after_help = "Example:
  buildpass names list")]
pub(super) struct List {
    /// Print JSON lines
    #[arg(long)]
    json: bool,
}

/// Forget what a name is bound to
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  buildpass names release acme
  buildpass names release acme/app

Whoever registers a build under that name next binds it anew: release a name only when you know who that will be.")]
pub(super) struct Release {
    /// An organisation's name, or ORG/NAME of a repository
    #[arg(value_name = "ORG[/NAME]")]
    name: String,
    /// Which of the two, where an organisation and a repository have the same name
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Org,
    Repo,
}

impl From<Kind> for NameKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Org => Self::Org,
            Kind::Repo => Self::Repo,
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
                "No name is bound yet: the first registration of a build binds its organisation and repository.",
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
        Ok(output::line(&format!("{} {} is bound to nothing any more", noun(kind), output::visible(&self.name)))?)
    }
}

/// What the name names, if that is one thing only. Names are compared case-folded, as they are bound.
fn only_kind(names: &[BoundName], wanted: &str) -> Result<NameKind, Failure> {
    let folded = fold_name(wanted);
    let of = |kind| names.iter().any(|bound| bound.kind == kind && fold_name(&bound.name) == folded);
    match (of(NameKind::Org), of(NameKind::Repo)) {
        (true, false) => Ok(NameKind::Org),
        (false, true) => Ok(NameKind::Repo),
        (false, false) => Err(unbound(wanted)),
        (true, true) => Err(Failure::usage(format!(
            "{} names an organisation and a repository: say --kind org or --kind repo",
            output::visible(wanted)
        ))),
    }
}

fn unbound(name: &str) -> Failure {
    let name = output::visible(name);
    Failure::refused(format!("{name} is bound to nothing; buildpass names list shows what is"))
}

const fn noun(kind: NameKind) -> &'static str {
    match kind {
        NameKind::Org => "org",
        NameKind::Repo => "repo",
    }
}
