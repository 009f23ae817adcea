//! Gives the server one core, and attackers and clients another. Without a second core nothing is pinned.

use std::io;
use std::process::{Child, Command};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The cores of the server and of everybody else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cores {
    server: usize,
    others: usize,
}

impl Cores {
    /// Chooses two cores and moves this thread, and those that it starts, to the second. `None` if there is only one.
    pub(crate) fn choose() -> Option<Self> {
        let usable = sched_getaffinity(None).unwrap();
        let mut usable = (0..CpuSet::MAX_CPU).filter(|core| usable.is_set(*core));
        let cores = Self { server: usable.next()?, others: usable.next()? };
        pin(cores.others);
        Some(cores)
    }

    /// Starts a process on the server's core: a process inherits the core of the thread that starts it.
    pub(crate) fn spawn(self, command: &mut Command) -> io::Result<Child> {
        pin(self.server);
        let child = command.spawn();
        pin(self.others);
        child
    }
}

fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).unwrap();
}
