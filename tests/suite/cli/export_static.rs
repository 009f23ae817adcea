//! `buildpass export-static`.

use super::Folder;

#[test]
fn a_copy_equals_the_served_documents_byte_for_byte() {
    let folder = Folder::installed();
    let toml = "[issuer]\nurl = \"https://ci.example.com/_services/token\"\n";
    std::fs::write(folder.path().join("buildpass.toml"), toml).unwrap();
    let output = folder.run(&["export-static", "public"]).done();
    assert!(output.contains("they are complete until 20"), "{output}");
    let served = folder.serve(&[]);
    for name in ["openid-configuration", "jwks"] {
        let copy = std::fs::read_to_string(folder.path().join("public/.well-known").join(name)).unwrap();
        assert_eq!(copy, served.fetch(&format!("/_services/token/.well-known/{name}")));
    }
    // The announced key signs after the period at the soonest, and what follows it is announced after that.
    let until =
        folder.run(&["export-static", "public", "--json"]).json()["complete_until"].as_str().unwrap().to_owned();
    let announced = folder.run(&["keys", "list", "--json"]).json_lines();
    let announced =
        announced.iter().find(|row| row["state"] == "announced").unwrap()["signs_from"].as_str().unwrap().to_owned();
    assert!(until > announced, "{until} {announced}");
}

#[test]
fn export_requires_keys_and_an_issuer_url() {
    let folder = Folder::new();
    assert!(folder.run(&["export-static", "public"]).failed(3).contains("there is no database"));
    let output = Folder::installed().run(&["export-static", "public"]).failed(1);
    assert!(output.contains("issuer.url"), "{output}");
    assert!(!folder.path().join("public").exists());
}
