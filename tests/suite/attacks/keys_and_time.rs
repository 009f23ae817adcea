//! Keys at rest: the content of files and database, and their permissions.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::cli::Folder;

#[test]
fn a_wide_umask_leaves_the_key_to_its_owner_alone() {
    let folder = Folder::new();
    let binary = env!("CARGO_BIN_EXE_buildpass");
    let script = format!("umask 0; exec timeout 5 '{binary}' serve --listen 127.0.0.1:0 --admin-listen ''");
    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(folder.path())
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("buildpass ready"), "{output:?}");
    let mode = |path: &str| std::fs::metadata(folder.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("keys/master.key"), mode("keys")), (0o600, 0o700));
    assert_eq!((mode("data/buildpass.db"), mode("data")), (0o600, 0o700));
}

#[test]
fn a_symlink_in_the_keys_place_is_not_followed_when_a_key_is_made() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("keys")).unwrap();
    let target = folder.path().join("elsewhere");
    std::os::unix::fs::symlink(&target, folder.path().join("keys/master.key")).unwrap();
    let output = folder.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", ""]).failed(3);
    assert!(output.contains("keys/master.key"), "{output}");
    assert!(!target.exists());
}

#[test]
fn a_database_of_sealed_keys_does_not_start_without_its_key_encryption_key() {
    let folder = Folder::installed();
    let key = folder.path().join("keys/master.key");
    let kept = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let output = folder.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", ""]).failed(3);
    assert!(output.contains("restore it from the backup"), "{output}");
    assert!(!key.exists(), "none was made up");
    let other = Folder::new();
    other.run(&["keys", "new-kek", "other.key"]).done();
    std::fs::copy(other.path().join("other.key"), &key).unwrap();
    let output = folder.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", ""]).failed(3);
    assert!(output.contains("restore the key-encryption key that sealed the signing keys"), "{output}");
    std::fs::write(&key, kept).unwrap();
    folder.serve(&[]).end();
}
