//! Prints the demo: numbered steps, with text and results under each.

use super::super::failure::Failure;
use super::super::output;

/// The printed steps so far.
#[derive(Debug, Default)]
pub(super) struct Story {
    steps: u32,
}

impl Story {
    /// Prints the title of the next step; `by` is the command or request that does the same.
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

    /// Prints several lines unchanged.
    pub(super) fn quote(&self, text: &str) -> Result<(), Failure> {
        text.lines().try_for_each(|line| self.say(line))
    }
}
