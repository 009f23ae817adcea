//! Files that cannot be opened or made: the error names the file, whose it is, its mode, and who the process is.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;

use super::Folder;

/// `nobody`, as whom the commands run if the tests run as root, whom no mode binds.
const NOBODY: u32 = 65_534;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Runs a command that must fail with this code, and asserts that its error describes `path`.
fn told(folder: &Folder, arguments: &[&str], code: i32, path: &Path) {
    let owner = fs::metadata("/proc/self").unwrap().uid();
    let user = if owner == 0 { NOBODY } else { owner };
    let mut command = folder.command(arguments);
    if owner == 0 {
        command.uid(user).gid(user);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    let name = path.file_name().unwrap().to_str().unwrap();
    let mode = fs::metadata(path).unwrap().mode() & 0o7777;
    for expected in [
        name,
        &format!("belongs to uid {owner} and"),
        &format!("has mode {mode:04o}"),
        &format!("this process runs as uid {user} "),
    ] {
        assert!(said.contains(expected), "{arguments:?}: {expected}: {said}");
    }
}

#[test]
fn a_file_that_cannot_be_opened_is_told_with_its_owner_its_mode_and_the_user_of_the_process() {
    let folder = Folder::new();
    set_mode(folder.path(), 0o755);
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        set_mode(&path, 0o000);
        path
    };
    told(&folder, &["config", "check"], 3, &file("buildpass.toml", ""));
    let secret = file("a-secret", "x");
    for keys in [
        "[store]\nurl = \"postgres://u@localhost/d\"\npassword_file = \"a-secret\"\n",
        "[store]\nurl_file = \"a-secret\"\n",
        "[clients.ci]\nsecret_file = \"a-secret\"\n",
    ] {
        set_mode(&folder.path().join("buildpass.toml"), 0o644);
        fs::write(folder.path().join("buildpass.toml"), keys).unwrap();
        told(&folder, &["config", "check"], 1, &secret);
    }
    fs::remove_file(folder.path().join("buildpass.toml")).unwrap();
    let to = ["--to", "postgres://u@localhost/d", "--to-password-file", "a-secret"];
    told(&folder, &[&["store", "copy", "--from", "sqlite://x"][..], &to].concat(), 3, &secret);
}

#[test]
fn a_database_that_cannot_be_opened_names_the_file_that_is_shut() {
    let folder = Folder::new();
    set_mode(folder.path(), 0o555);
    told(&folder, &["store", "migrate"], 3, folder.path());
    set_mode(folder.path(), 0o755);
    folder.run(&["store", "migrate"]).done();
    let data = folder.path().join("data");
    let database = data.join("buildpass.db");
    set_mode(&data, 0o777);
    for name in ["buildpass.db", "buildpass.db-wal", "buildpass.db-shm"] {
        set_mode(&database, 0o666);
        let path = data.join(name);
        if !path.exists() {
            fs::write(&path, "").unwrap();
        }
        set_mode(&path, 0o000);
        told(&folder, &["store", "migrate"], 3, &path);
        if name == "buildpass.db" { set_mode(&path, 0o666) } else { fs::remove_file(&path).unwrap() }
    }
    set_mode(&data, 0o555);
    told(&folder, &["store", "migrate"], 3, &data);
    set_mode(&data, 0o755);
}
