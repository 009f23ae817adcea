//! `completions`: prints the script by which a shell completes the command line.

use super::failure::Failure;
use super::output;

/// Print the completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  buildpass completions bash > ~/.local/share/bash-completion/completions/buildpass")]
pub(super) struct Completions {
    /// Shell that the script is for
    shell: clap_complete::Shell,
}

impl Completions {
    pub(super) fn run(self, mut command: clap::Command) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "buildpass", &mut script);
        Ok(output::bytes(&script)?)
    }
}
