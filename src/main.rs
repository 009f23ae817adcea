//! The program `buildpass`. Runs the command line and returns its exit code.

use std::process::ExitCode;

/// The system's allocator keeps the memory that a peak of connections needed; see decision 65 in the manual.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    buildpass::cli::run()
}
