//! `buildpass names`.

use super::{Folder, registration};

#[test]
fn names_are_listed_with_their_ids_and_released() {
    let mut folder = Folder::installed();
    let _served = folder.serve_for_a_ci();
    folder.run_with(&["builds", "register", "-"], &registration().to_string()).done();
    let rows = folder.run(&["names", "list", "--json"]).json_lines();
    let bound: Vec<_> =
        rows.iter().map(|row| (row["kind"].as_str(), row["name"].as_str(), row["id"].as_str())).collect();
    assert_eq!(bound, [(Some("org"), Some("acme"), Some("42")), (Some("repo"), Some("acme/app"), Some("1001"))]);
    assert!(folder.run(&["names", "list"]).done().contains("acme/app"));

    let mut squatter = registration();
    squatter["repo_id"] = "666".into();
    squatter["number"] = 18.into();
    let squat = |folder: &Folder| folder.run_with(&["builds", "register", "-"], &squatter.to_string());
    assert!(squat(&folder).failed(1).contains("409"));
    let released = folder.run(&["names", "release", "ACME/App", "--json"]).json();
    assert_eq!(released["kind"], "repo");
    squat(&folder).done();
    assert!(folder.run(&["names", "release", "acme/other"]).failed(1).contains("is not bound"));
}

#[test]
fn an_ambiguous_name_requires_its_kind() {
    let mut folder = Folder::installed();
    let client = folder.run(&["clients", "create", "every", "--json"]).json();
    let _served = folder.serve_for_a_ci();
    folder.set("BUILDPASS_CLIENT_ID", client["client_id"].as_str().unwrap());
    folder.set("BUILDPASS_CLIENT_SECRET", client["client_secret"].as_str().unwrap());
    folder.run_with(&["builds", "register", "-"], &registration().to_string()).done();
    let mut nested = registration();
    nested["org"] = "acme/app".into();
    nested["org_id"] = "43".into();
    nested["repo_id"] = "1002".into();
    folder.run_with(&["builds", "register", "-"], &nested.to_string()).done();
    assert!(folder.run(&["names", "release", "acme/app"]).failed(2).contains("--kind"));
    folder.run(&["names", "release", "acme/app", "--kind", "org"]).done();
    folder.run(&["names", "release", "acme/app"]).done();
    let left = folder.run(&["names", "list", "--json"]).json_lines();
    let left: Vec<&str> = left.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(left, ["acme", "acme/app/app"]);
}
