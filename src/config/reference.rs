//! Writes the reference of all keys, as a configuration file to start from and as a page of the manual. The reference
//! never contains a configured value.

use std::fmt::Write as _;

use super::describe::{Key, Section};
use super::table::SECTIONS;

/// Maximum width of the reference file's comments, in characters.
const WIDTH: usize = 116;

/// Returns a configuration file that lists every key with meaning, type and default. The file changes nothing, because
/// each value is the default.
#[must_use]
pub fn reference() -> String {
    let mut text =
        String::from("# Every key of buildpass.toml with its default. Durations are written as 90s, 5m or 7d.\n");
    for section in SECTIONS {
        let _ = writeln!(text, "\n[{}]", section.name);
        for key in section.keys {
            comment(&mut text, &format!("{}{} ({})", key.doc(), table_keys(section, key), key.kind.name()));
            let name = key.parts().1;
            let _ = match key.default {
                Some(default) => writeln!(text, "{name} = {default}"),
                None => writeln!(text, "# {name} = {}", key.example),
            };
        }
    }
    text
}

/// Returns a sentence that names the keys of the tables in `key`, or an empty text if `key` holds no tables.
fn table_keys(section: &Section, key: &Key) -> String {
    match section.table {
        Some(table) if key.holds_tables() => {
            let names: Vec<_> = table.keys.iter().map(|key| key.path).collect();
            format!(" Keys: {}.", names.join(", "))
        }
        _ => String::new(),
    }
}

fn comment(text: &mut String, words: &str) {
    let mut line = String::from("#");
    for word in words.split(' ') {
        if line.chars().count() + word.chars().count() >= WIDTH {
            let _ = writeln!(text, "{line}");
            line.truncate(1);
        }
        let _ = write!(line, " {word}");
    }
    let _ = writeln!(text, "{line}");
}

/// Returns the manual's page of all keys, in Markdown.
#[must_use]
pub fn markdown_reference() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         Every key of `buildpass.toml`. Durations are written as `90s`, `5m` or `7d`. Relative paths start from \
         `server.state_dir`.\n\n\
         The value of a key comes from the first of these sources that sets the key: a flag of `serve` (`--listen`, `--admin-listen`, `--issuer`), \
         the environment, the file, the default. The variable of `server.listen` is `BUILDPASS_SERVER__LISTEN`. A list of \
         strings in a variable may be joined by commas, and a table is written as in TOML. Sections with names that the \
         operator chooses (`[clients.NAME]`, `[oidc.NAME]`, `[repository.\"NAME\"]`) are read from the file alone. The \
         file is `--config FILE`, else `$BUILDPASS_CONFIG`, else `buildpass.toml` in the working directory if it exists.\n\n\
         An unknown key, a wrong type or an impossible value stops the server; `buildpass config check` reports every \
         such fault with key, file and line. `buildpass config show` prints the values in force with their sources.\n",
    );
    for section in SECTIONS {
        let _ = write!(text, "\n## `[{}]`\n\n{}\n\n", section.name, section.about.trim());
        rows(&mut text, section.keys);
        if let Some(table) = section.table {
            let _ = write!(text, "\n### `{}`\n\n{}\n\n", table.heading, table.about.trim());
            rows(&mut text, table.keys);
        }
    }
    text
}

fn rows(text: &mut String, keys: &[Key]) {
    text.push_str("| key | type | default | meaning |\n|---|---|---|---|\n");
    for key in keys {
        let default = match key.default {
            Some(default) => format!("`{}`", default.replace('|', "\\|")),
            None if key.is_required => "required".to_owned(),
            None => "absent".to_owned(),
        };
        let (_, name) = key.parts();
        let _ = writeln!(text, "| `{name}` | {} | {default} | {} |", key.kind.name(), key.doc().replace('|', "\\|"));
    }
}
