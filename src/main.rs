//! The program `buildpass`. Runs the command line and returns its exit code.

use std::process::ExitCode;

/// jemalloc gives memory back to the system after a peak of connections; glibc's allocator keeps most of it (decision
/// 65 in the manual).
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    buildpass::cli::run()
}
