//! The program `buildpass`: runs the command line and hands back its exit code. Holds no logic of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    buildpass::cli::run()
}
