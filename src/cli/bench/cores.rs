//! Assigns one core to the server and another to the load, the client that sends requests. A new thread or process
//! inherits the core of the thread that starts it.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The processor cores of the server and of the client that sends requests: two usable cores, or the same core twice
/// if only one is usable.
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

    pub(super) fn are_distinct(self) -> bool {
        self.server != self.load
    }

    /// Moves this thread to the server's core.
    pub(super) fn use_server_core(self) {
        pin(self.server);
    }

    /// Moves this thread to the core of the load, the client that sends requests.
    pub(super) fn use_load_core(self) {
        pin(self.load);
    }
}

/// Pins this thread to a core. If the system forbids pinning, the thread stays unpinned and the benchmark's figures
/// vary more.
fn pin(core: Option<usize>) {
    if let Some(core) = core {
        let mut set = CpuSet::new();
        set.set(core);
        let _forbidden = sched_setaffinity(None, &set);
    }
}
