//! The operating system's limit of open files, in which each connection counts as a file. A server must never reach the
//! limit, because then it could accept no connection and open no file of its database.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::http::ADMIN_CONNECTIONS;

/// Open files that are reserved for all but the connections of the public listener: those of the admin listener, 32 for
/// the database, and 96 for listeners, fetches, key files, standard streams and connections that are accepted but not
/// served yet.
const RESERVED: usize = ADMIN_CONNECTIONS + 32 + 96;

/// Minimum number of connections that the public listener serves, even if the limit of open files is too low for them.
const FEWEST: usize = 16;

/// Maximum number of open files of this process.
#[derive(Debug, Clone, Copy)]
pub(super) struct OpenFiles(Option<u64>);

impl OpenFiles {
    /// Raises the soft limit to the hard limit. A limit that cannot be raised stays.
    pub(super) fn raise() -> Self {
        let limit = getrlimit(Resource::Nofile);
        if limit.current == limit.maximum {
            return Self(limit.maximum);
        }
        match setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
            Ok(()) => Self(limit.maximum),
            Err(error) => {
                tracing::warn!(%error, limit = limit.current, "could not raise the limit of open files");
                Self(limit.current)
            }
        }
    }

    /// Returns the limit that [`Self::raise`] would set.
    pub(super) fn reachable() -> Self {
        Self(getrlimit(Resource::Nofile).maximum)
    }

    /// Returns the number of connections that the public listener may have: `wanted`, or as many as the limit allows.
    pub(super) fn places(self, wanted: usize) -> usize {
        let Some(limit) = self.0 else { return wanted };
        let room = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(RESERVED);
        wanted.min(room.max(FEWEST))
    }

    /// Returns a warning for the operator if the limit has no room for `wanted` connections.
    pub(super) fn shortage(self, wanted: usize) -> Option<String> {
        let places = self.places(wanted);
        let limit = self.0.filter(|_| places < wanted)?;
        let needed = wanted.saturating_add(RESERVED);
        Some(format!(
            "server.max_connections is {wanted}, but a limit of {limit} open files has room for {places} connections: raise \
             the limit to {needed} (LimitNOFILE in a systemd unit, --ulimit nofile of a container, ulimit -Hn in a shell)"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_the_database_for_operators_and_for_files() {
        assert_eq!(OpenFiles(Some(1_048_576)).places(4096), 4096);
        assert_eq!(OpenFiles(None).places(4096), 4096);
        assert_eq!(OpenFiles(Some(1_024)).places(4096), 1_024 - 192);
        assert_eq!(OpenFiles(Some(1_024)).places(100), 100);
        assert_eq!(OpenFiles(Some(64)).places(4096), FEWEST);
    }

    #[test]
    fn a_shortage_names_both_figures_and_the_limit_that_would_do() {
        let text = OpenFiles(Some(1_024)).shortage(4096).unwrap();
        for figure in ["4096", "1024", "832", "4288"] {
            assert!(text.contains(figure), "{text}");
        }
        assert!(OpenFiles(Some(4_288)).shortage(4096).is_none());
    }
}
