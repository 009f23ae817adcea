//! `store migrate`.

use super::Folder;

#[test]
fn a_schema_is_created_once() {
    let folder = Folder::new();
    let first = folder.run(&["store", "migrate", "--json"]).json();
    assert_eq!(first["before"], 0);
    assert!(!first["applied"].as_array().unwrap().is_empty());
    let second = folder.run(&["store", "migrate", "--json"]).json();
    assert_eq!((&second["before"], &second["after"]), (&first["after"], &first["after"]));
    assert!(second["applied"].as_array().unwrap().is_empty());
    assert!(folder.run(&["store", "migrate"]).done().contains("the schema is at version"));
    // Only the first start creates keys.
    assert!(!folder.path().join("keys").exists());
}

#[test]
fn a_file_that_is_no_database_is_left_unchanged() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    let file = folder.path().join("data/buildpass.db");
    std::fs::write(&file, "not a database, but somebody's diary: many, many lines of it").unwrap();
    folder.run(&["store", "migrate"]).failed(3);
    assert!(std::fs::read_to_string(file).unwrap().starts_with("not a database"));
}
