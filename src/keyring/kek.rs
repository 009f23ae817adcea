//! Reads key-encryption keys from files or the configuration. A file is created only at a first start, and an existing
//! file is never overwritten.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::KeyringError;
use super::seal::KeyEncryptionKeys;
use crate::base::{Entropy, Secret, file_cause, secret_text};

/// Configured key-encryption keys, not read yet. The first key seals (encrypts) new texts; all keys open (decrypt)
/// sealed texts.
#[derive(Debug, Clone)]
pub struct KekSource {
    /// Id of each key-encryption key, and the place to read the key from.
    pub keys: Vec<(String, KekPlace)>,
}

/// Place from which one key-encryption key is read.
#[derive(Debug, Clone)]
pub enum KekPlace {
    /// The key-encryption key is in a file.
    File {
        /// Path of the key-encryption key's file.
        path: PathBuf,
        /// Whether the file, if missing, is created at a first start.
        may_be_made: bool,
    },
    /// The key-encryption key is a value in the configuration.
    Value(Secret<String>),
}

impl KekSource {
    /// Reads every key-encryption key. Creates a missing file if its place allows that and no signing key is stored yet
    /// (`has_rows` is `false`).
    pub(super) fn read(&self, has_rows: bool, entropy: &dyn Entropy) -> Result<KeyEncryptionKeys, KeyringError> {
        let mut keys = Vec::new();
        for (id, place) in &self.keys {
            let text = match place {
                KekPlace::Value(value) => Zeroizing::new(value.expose_secret().clone()),
                KekPlace::File { path, may_be_made } => read_or_make(path, *may_be_made, has_rows, entropy)?,
            };
            let key = decode(&text).ok_or_else(|| KeyringError::NotAKey { id: id.clone() })?;
            keys.push((id.clone(), key));
        }
        KeyEncryptionKeys::new(keys)
    }
}

fn read_or_make(
    path: &Path,
    may_be_made: bool,
    has_rows: bool,
    entropy: &dyn Entropy,
) -> Result<Zeroizing<String>, KeyringError> {
    if let Some(text) = read_file(path)? {
        return Ok(text);
    }
    if has_rows {
        return Err(KeyringError::Lost { path: path.to_owned() });
    }
    if !may_be_made {
        let problem = format!("is missing: create it with `buildpass keys new-kek {}`", path.display());
        return Err(KeyringError::File { path: path.to_owned(), problem });
    }
    match make_kek_file(path, entropy) {
        Ok(()) => {}
        // Another process at its first start has created the file in the meantime.
        Err(_) if path.exists() => {}
        Err(error) => return Err(error),
    }
    read_file(path)?.ok_or_else(|| KeyringError::Lost { path: path.to_owned() })
}

/// Reads the file of a key-encryption key; `None` if the file is missing. Follows a symlink, and warns if other users
/// may read the file.
fn read_file(path: &Path) -> Result<Option<Zeroizing<String>>, KeyringError> {
    let refuse =
        |error: std::io::Error| KeyringError::File { path: path.to_owned(), problem: file_cause(path, &error) };
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => return Ok(None),
        Err(error) => return Err(refuse(error)),
    };
    let mode = file.metadata().map_err(refuse)?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), mode = format!("{:04o}", mode & 0o7777), "the file of the key-encryption key is readable by others: set its mode to 0600");
    }
    let mut text = Zeroizing::new(String::new());
    file.take(4096).read_to_string(&mut text).map_err(refuse)?;
    Ok(Some(text))
}

/// Creates a key-encryption key in a new file, synced to disk. The file has mode 0600 whatever the umask is, a new
/// folder 0700. An existing file or symlink is never changed.
///
/// # Errors
/// [`KeyringError::File`] names the path; [`KeyringError::Entropy`].
pub(crate) fn make_kek_file(path: &Path, entropy: &dyn Entropy) -> Result<(), KeyringError> {
    let refuse =
        |error: std::io::Error| KeyringError::File { path: path.to_owned(), problem: file_cause(path, &error) };
    let line = new_kek(entropy)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.exists()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(refuse)?;
    }
    // The text is written under a temporary name first, so that a process that is killed half-way leaves no truncated
    // file.
    let mut file = tempfile::Builder::new()
        .prefix(".new-key.")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder.unwrap_or_else(|| Path::new(".")))
        .map_err(refuse)?;
    file.as_file().set_permissions(Permissions::from_mode(0o600)).map_err(refuse)?;
    file.write_all(line.expose_secret().as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(refuse)?;
    file.persist_noclobber(path).map_err(|error| refuse(error.error))?;
    if let Some(folder) = folder {
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(refuse)?;
    }
    Ok(())
}

/// Generates a key-encryption key as text: base64 of 32 bytes and a line end.
///
/// # Errors
/// [`KeyringError::Entropy`].
fn new_kek(entropy: &dyn Entropy) -> Result<Secret<String>, KeyringError> {
    let mut bytes = Zeroizing::new([0_u8; 32]);
    entropy.fill(bytes.as_mut())?;
    let mut line = STANDARD.encode(bytes.as_ref());
    line.push('\n');
    Ok(Secret::new(line))
}

fn decode(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let bytes = Zeroizing::new(STANDARD.decode(secret_text(text)).ok()?);
    bytes.as_slice().try_into().ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SystemEntropy;

    fn source(path: &Path, may_be_made: bool) -> KekSource {
        KekSource { keys: vec![("k1".to_owned(), KekPlace::File { path: path.to_owned(), may_be_made })] }
    }

    #[test]
    fn a_key_file_is_for_its_owner_alone_and_is_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/master.key");
        source(&path, true).read(false, &SystemEntropy).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let before = fs::read(&path).unwrap();
        source(&path, true).read(true, &SystemEntropy).unwrap();
        assert_eq!(fs::read(&path).unwrap(), before);
        assert!(make_kek_file(&path, &SystemEntropy).is_err());
    }

    #[test]
    fn a_symlink_is_never_followed_when_a_key_is_made_and_is_read_when_it_was_set() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("elsewhere"), folder.path().join("master.key"));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(source(&link, true).read(false, &SystemEntropy).is_err());
        assert!(!target.exists());
        make_kek_file(&target, &SystemEntropy).unwrap();
        source(&link, true).read(true, &SystemEntropy).unwrap();
    }

    #[test]
    fn the_leftover_of_a_killed_start_does_not_hinder_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        fs::write(folder.path().join(".new-key.abc"), "half a k").unwrap();
        source(&path, true).read(false, &SystemEntropy).unwrap();
        source(&path, true).read(true, &SystemEntropy).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap().len(), 45);
    }

    #[test]
    fn a_lost_key_is_never_replaced_by_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let refused = source(&path, true).read(true, &SystemEntropy).unwrap_err().to_string();
        assert!(refused.contains("restore it from the backup"), "{refused}");
        let refused = source(&path, false).read(false, &SystemEntropy).unwrap_err().to_string();
        assert!(refused.contains("buildpass keys new-kek"), "{refused}");
        assert!(!path.exists());
    }

    #[test]
    fn a_malformed_key_is_refused_without_showing_it() {
        for text in ["", "c2hvcnQ=", "not base64 at all, and long enough to be one maybe"] {
            let source = KekSource { keys: vec![("k1".to_owned(), KekPlace::Value(Secret::new(text.to_owned())))] };
            let refused = source.read(false, &SystemEntropy).unwrap_err().to_string();
            assert!(refused.contains("k1") && (text.is_empty() || !refused.contains(text)), "{refused}");
        }
    }
}
