//! Writes the error text for a file that cannot be opened or created: name, owner and mode of the file, and the user of
//! this process. Used for every file that an operator names. Never repeats the contents of a file.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

/// Returns the error text for the file at `path`: the path, then the text of [`file_cause`].
#[cfg(feature = "server")]
#[must_use]
pub(crate) fn file_problem(path: &Path, error: &io::Error) -> String {
    format!("{}: {}", path.display(), file_cause(path, error))
}

/// Returns the text of `error`. Unless the file is missing, adds two facts: the owner and mode of the file (or of the
/// nearest visible folder above the file), and the user that this process runs as.
#[must_use]
pub(crate) fn file_cause(path: &Path, error: &io::Error) -> String {
    let mut text = error.to_string();
    if error.kind() != io::ErrorKind::NotFound {
        describe_owner(&mut text, path);
    }
    text
}

#[cfg(unix)]
fn describe_owner(text: &mut String, path: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    let found = path.ancestors().find_map(|at| {
        let at = if at.as_os_str().is_empty() { Path::new(".") } else { at };
        std::fs::metadata(at).ok().map(|metadata| (at, metadata))
    });
    let Some((at, metadata)) = found else { return };
    let (owner, group, mode) = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777);
    let what = match (at == path, metadata.is_dir()) {
        (true, true) => "the folder".to_owned(),
        (true, false) => "the file".to_owned(),
        (false, _) => format!("the folder {}", at.display()),
    };
    let _infallible = write!(text, " ({what} belongs to uid {owner} and gid {group} and has mode {mode:04o}");
    // The kernel gives the files in /proc/self to the effective user and group of the process.
    if let Ok(process) = std::fs::metadata("/proc/self/status") {
        let _infallible = write!(text, "; this process runs as uid {} and gid {}", process.uid(), process.gid());
    }
    text.push(')');
}

#[cfg(not(unix))]
fn describe_owner(_text: &mut String, _path: &Path) {}

#[cfg(all(test, unix, feature = "server"))]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn a_file_is_described_by_its_owner_its_mode_and_the_user_of_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "hush").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let uid = std::fs::metadata(&path).unwrap().uid();
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let told = file_problem(&path, &denied);
        assert!(told.starts_with(&format!("{}: permission denied (the file belongs to uid {uid} ", path.display())));
        assert!(told.contains("mode 0640; this process runs as uid "), "{told}");
        let below = file_problem(&path.join("a/b"), &denied);
        assert!(below.contains(&format!("(the folder {} belongs", path.display())), "{below}");
        let missing = io::Error::from(io::ErrorKind::NotFound);
        assert!(!file_problem(&folder.path().join("x"), &missing).contains("uid"));
    }
}
