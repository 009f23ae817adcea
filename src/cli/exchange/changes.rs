//! Applies changes of the exchange's rules to the database, and prints the changes. A change must never be applied in
//! part.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::super::failure::Failure;
use super::super::installation::{self, Installation};
use super::super::output::{self, Table, cell, change_word};
use crate::base::file_problem;
use crate::config::Flags;
use crate::exchange::{Applied, Change, ChangeSet, Precondition, Prune, RulesEditor, RulesFile, Section};

/// Author that the audit events name for changes made by a command.
pub(super) const BY: &str = "command";

/// Maximum size of a file with rules or with an object, in bytes.
const MAX_BYTES: u64 = 16 * 1_024 * 1_024;

/// The changes that were applied, to be printed for people or for programs.
pub(super) struct Report(pub(super) Vec<Change>);

impl Report {
    pub(super) fn document(&self, dry_run: bool) -> Value {
        let mut document = Map::from_iter([("dry_run".to_owned(), Value::from(dry_run))]);
        for section in Section::ALL {
            let of: Vec<&Change> = self.0.iter().filter(|change| change.section == section).collect();
            let key = section.name().rsplit('.').next().unwrap_or_default();
            document.insert(key.to_owned(), json!(of));
        }
        Value::Object(document)
    }

    pub(super) fn print(&self, json: bool) -> Result<(), Failure> {
        for warning in self.0.iter().flat_map(|change| &change.warnings) {
            output::note(&format!("warning: {}", output::visible(warning)));
        }
        if json {
            return match self.0.as_slice() {
                [one] => Ok(output::document(one)?),
                all => Ok(output::document(&all)?),
            };
        }
        let mut table = Table::new(&["KIND", "NAME", "USER", "CHANGE", "TOKEN"]);
        for change in &self.0 {
            table.row([
                change.section.noun().to_owned(),
                change.name.clone(),
                cell(change.user.as_ref()),
                change_word(change.change).to_owned(),
                cell(change.token.as_ref()),
            ]);
        }
        Ok(table.print()?)
    }
}

/// Applies the rules in `file` to the database, even while a server is running.
pub(super) async fn apply(
    installation: &Installation,
    file: RulesFile,
    expect: Option<Precondition>,
    prune: Prune,
    dry_run: bool,
) -> Result<Report, Failure> {
    let changes = ChangeSet { file, declared: None, prune, expect };
    let applied = with_editor(installation, async |editor| Ok(editor.apply(&changes, BY, dry_run).await?)).await?;
    let Applied(changes) = applied;
    Ok(Report(changes))
}

/// Runs `work` on the exchange's rules in the database, and closes the store afterwards.
pub(super) async fn with_editor<T>(
    installation: &Installation,
    work: impl AsyncFnOnce(&RulesEditor) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let config = installation.config(Flags::default())?;
    let store = installation::open(&config).await?;
    let done = match installation::rules_editor(&config, &store) {
        Ok(editor) => work(&editor).await,
        Err(failure) => Err(failure),
    };
    store.close().await;
    done
}

/// Reads a file, or standard input if the path is `-`. Refuses a file that is too long instead of reading only its
/// first part: with `--prune`, the first part of a rules file would delete the objects of the rest.
pub(super) fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    if file.as_os_str() == "-" {
        std::io::stdin().lock().take(MAX_BYTES + 1).read_to_string(&mut text)?;
    } else {
        let fault = |error: std::io::Error| Failure::unreachable(file_problem(file, &error));
        std::fs::File::open(file).map_err(fault)?.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(fault)?;
    }
    if text.len() as u64 > MAX_BYTES {
        return Err(Failure::refused(format!("{}: larger than {MAX_BYTES} bytes, the maximum", file.display())));
    }
    Ok(text)
}
