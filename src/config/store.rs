//! `[store]`: where state is kept. Opens nothing.

use std::path::{Path, PathBuf};

use super::reader::{Reader, text};

/// Where state is kept.
#[derive(Debug, Clone)]
pub struct StoreSection {
    /// The SQLite file.
    pub path: PathBuf,
}

pub(super) fn read(reader: &mut Reader<'_>, state_dir: &Path) -> Option<StoreSection> {
    let path = reader.read("store.url", |value| {
        let url = text(value)?;
        // The URL may hold a password: it is not repeated.
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Err("PostgreSQL is not supported yet; use sqlite:// and the path of a file".to_owned());
        }
        match url.strip_prefix("sqlite://") {
            Some(path) if !path.is_empty() && !path.contains(['?', '#']) => Ok(state_dir.join(path)),
            _ => Err("must be sqlite:// and the path of a file, such as sqlite://data/buildpass.db".to_owned()),
        }
    });
    Some(StoreSection { path: path? })
}
