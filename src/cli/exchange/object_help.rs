//! Help of the commands `create`, `list`, `show`, `update` and `delete` for roles, grants and the other objects: the
//! same sentences for every kind of object, each with a noun and an example of that kind. Never runs a command.

/// Words and examples for the help of the commands on one kind of object, such as roles.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Help {
    /// The words of the command before `create`, `list` and so on, such as `exchange roles`.
    pub(in crate::cli) command: &'static str,
    pub(in crate::cli) article: &'static str,
    pub(in crate::cli) noun: &'static str,
    pub(in crate::cli) plural: &'static str,
    /// Arguments that select one object, such as `push-app --user octo`, for examples.
    pub(in crate::cli) example: &'static str,
    /// Text at the end of the help of `list` and `show`.
    pub(in crate::cli) note: &'static str,
    /// An example of an object, in TOML.
    pub(in crate::cli) object: &'static str,
}

impl Help {
    /// Returns a function that sets the help of `create`, `list`, `show`, `update` and `delete`.
    pub(in crate::cli) fn describe(self) -> impl FnMut(clap::Command) -> clap::Command {
        move |command| {
            let (about, example) = match command.get_name() {
                "create" => (self.create(), self.create_example()),
                "list" => (self.list(), self.list_example()),
                "show" => (self.show(), self.show_example()),
                "update" => (self.update(), self.update_example()),
                "delete" => (self.delete(), self.delete_example()),
                _ => return command,
            };
            command.about(about).after_help(example).mut_args(self.arguments())
        }
    }

    /// Returns a function that hides the argument `--user` of commands on objects without an owner, such as grants.
    pub(in crate::cli) fn arguments(self) -> impl FnMut(clap::Arg) -> clap::Arg {
        move |argument| match argument.get_id().as_str() {
            "user" => argument.hide(!self.example.contains("--user")),
            _ => argument,
        }
    }

    fn one(&self) -> String {
        format!("{} {}", self.article, self.noun)
    }

    fn create(&self) -> String {
        format!("Create {} from a TOML or JSON file", self.one())
    }

    pub(in crate::cli) fn list(&self) -> String {
        format!("List {}", self.plural)
    }

    pub(in crate::cli) fn show(&self) -> String {
        format!("Show {} as JSON", self.one())
    }

    fn update(&self) -> String {
        format!("Replace {}; credentials issued under the old version are revoked at once", self.one())
    }

    fn delete(&self) -> String {
        format!("Delete {}; credentials issued under the {} are revoked at once", self.one(), self.noun)
    }

    fn create_example(&self) -> String {
        let (command, object) = (self.command, self.object);
        format!(
            "Example:\n  buildpass {command} create - <<'EOF'\n  {object}\n  EOF\n\n\
             The file holds the object in the form of a rules file, in TOML or JSON."
        )
    }

    pub(in crate::cli) fn list_example(&self) -> String {
        format!("Example:\n  buildpass {} list --json | jq -r .name{}", self.command, self.note)
    }

    pub(in crate::cli) fn show_example(&self) -> String {
        format!("Example:\n  buildpass {} show {}{}", self.command, self.example, self.note)
    }

    fn update_example(&self) -> String {
        let (command, example) = (self.command, self.example);
        format!(
            "Example:\n  buildpass {command} show {example} > object.json\n  buildpass {command} update object.json\n\n\
             The object must exist. Fields that `show` adds, such as created_at, may stay in the file."
        )
    }

    pub(in crate::cli) fn delete_example(&self) -> String {
        format!("Example:\n  buildpass {} delete {}", self.command, self.example)
    }
}
