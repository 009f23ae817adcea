//! `completions`: what a shell needs to complete our command line.

use super::failure::Failure;
use super::output;

/// Print the completions of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  buildpass completions bash > ~/.local/share/bash-completion/completions/buildpass")]
pub(super) struct Completions {
    /// Which shell
    shell: clap_complete::Shell,
}

impl Completions {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::command(), "buildpass", &mut script);
        Ok(output::bytes(&script)?)
    }
}
