//! Tips for a misspelled command. A tip never names a command that only looks a little alike, because an operator in a
//! hurry follows tips: `users` is not `serve`, and `remove` is not `revoke`.

use clap::Command;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Maximum number of similar commands in the tips for one misspelled command.
const MOST: usize = 3;

/// Replaces clap's tips in the error of an unknown command. Other errors stay unchanged.
pub(super) fn with_tips(mut error: clap::Error, program: &Command, arguments: &[String]) -> clap::Error {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return error };
    if error.kind() != ErrorKind::InvalidSubcommand {
        return error;
    }
    let word = word.clone();
    let (group, path) = group(program, arguments, &word);
    error.remove(ContextKind::SuggestedSubcommand);
    let tips = tips(program, (group, &path), &word).into_iter().map(StyledStr::from).collect();
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    error
}

/// Returns the command that `arguments` name before the unknown subcommand `word`, and its full name, such as
/// `buildpass keys`.
fn group<'a>(program: &'a Command, arguments: &[String], word: &str) -> (&'a Command, String) {
    let (mut at, mut path) = (program, program.get_name().to_owned());
    for argument in arguments.iter().take_while(|argument| *argument != word) {
        if let Some(below) = at.find_subcommand(argument) {
            at = below;
            path = format!("{path} {argument}");
        }
    }
    (at, path)
}

fn tips(program: &Command, (group, path): (&Command, &str), word: &str) -> Vec<String> {
    let names: Vec<&str> = group.get_subcommands().map(Command::get_name).filter(|name| *name != "help").collect();
    let mut meant: Vec<String> =
        names.iter().filter(|name| is_near(name, word)).map(|name| format!("{path} {name}")).collect();
    if meant.is_empty() {
        elsewhere(program, program.get_name(), word, &mut meant);
    }
    let mut tips: Vec<String> =
        meant.iter().take(MOST).map(|command| format!("a similar command exists: {command}")).collect();
    tips.push(format!("the commands of {path} are {}", names.join(", ")));
    tips
}

/// Whether `word` is `name` with one or two typing mistakes, or is one of the words in `name`, in singular or plural.
fn is_near(name: &str, word: &str) -> bool {
    let slips = if word.chars().count() < 8 { 1 } else { 2 };
    let is_word = |part: &str| part == word || part.strip_suffix('s') == Some(word);
    strsim::damerau_levenshtein(name, word) <= slips || name.split('-').any(is_word)
}

/// Adds to `found` the full names of all commands below `at` whose last word resembles `word`.
fn elsewhere(at: &Command, path: &str, word: &str, found: &mut Vec<String>) {
    for below in at.get_subcommands().filter(|below| below.get_name() != "help") {
        let path = format!("{path} {}", below.get_name());
        if is_near(below.get_name(), word) {
            found.push(path.clone());
        }
        elsewhere(below, &path, word, found);
    }
}
