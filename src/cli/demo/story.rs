//! Prints the demo: numbered steps, with text and results under each.

use super::super::failure::Failure;
use super::super::output;

/// Prints the steps of the demo, and counts them.
#[derive(Debug, Default)]
pub(super) struct Story {
    steps: u32,
}

impl Story {
    /// Prints number and title of the next step. `by` is the command or request by which a user would do this step.
    pub(super) fn step(&mut self, title: &str, by: Option<&str>) -> Result<(), Failure> {
        self.steps += 1;
        output::line("")?;
        output::heading(&format!("{:2}. {title}", self.steps))?;
        match by {
            Some(by) => self.say(by),
            None => Ok(()),
        }
    }

    pub(super) fn say(&self, text: &str) -> Result<(), Failure> {
        Ok(output::line(&format!("    {}", output::visible(text)))?)
    }

    pub(super) fn fact(&self, name: &str, value: &str) -> Result<(), Failure> {
        self.say(&format!("{name:10}  {value}"))
    }

    /// Prints each line of `text` below the title of the current step.
    pub(super) fn quote(&self, text: &str) -> Result<(), Failure> {
        text.lines().try_for_each(|line| self.say(line))
    }
}
