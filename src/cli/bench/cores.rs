//! Which core the server has, and which the load. A thread that is started inherits its starter's core, and so does a
//! process.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Two cores of those that we may use; the same one twice where there is no other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cores {
    server: Option<usize>,
    load: Option<usize>,
}

impl Cores {
    pub(super) fn choose() -> Self {
        let mut usable = match sched_getaffinity(None) {
            Ok(set) => (0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect::<Vec<_>>(),
            Err(_) => Vec::new(),
        }
        .into_iter();
        let server = usable.next();
        Self { server, load: usable.next().or(server) }
    }

    pub(super) fn are_apart(self) -> bool {
        self.server != self.load
    }

    /// Puts this thread on the server's core.
    pub(super) fn take_servers(self) {
        pin(self.server);
    }

    /// Puts this thread on the load's core.
    pub(super) fn take_loads(self) {
        pin(self.load);
    }
}

/// Where the system forbids it the figures are less steady, and that is all.
fn pin(core: Option<usize>) {
    if let Some(core) = core {
        let mut set = CpuSet::new();
        set.set(core);
        let _forbidden = sched_setaffinity(None, &set);
    }
}
