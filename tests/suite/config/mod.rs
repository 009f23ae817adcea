//! The configuration: error texts, precedence of sources, hidden secrets and the reference.

mod all_faults;
mod bounds;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use buildpass::base::Seconds;
use buildpass::config::{Config, ConfigError, Flags, Sources, markdown_reference, reference};

struct Setting {
    folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
    flags: Flags,
}

impl Setting {
    fn new(file: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("buildpass.toml"), file).unwrap();
        Self { folder, environment: BTreeMap::new(), flags: Flags::default() }
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn load(self) -> Result<Config, ConfigError> {
        let working_dir = self.folder.path().to_owned();
        Config::load(&Sources { file: None, environment: self.environment, working_dir, flags: self.flags })
    }

    /// Returns the error text, without the folder's name.
    fn refusal(self) -> String {
        let folder = self.folder.path().display().to_string();
        self.load().map(|_| "accepted".to_owned()).unwrap_or_else(|error| error.to_string()).replace(&folder, "FOLDER")
    }
}

#[test]
fn every_refusal_names_key_file_and_line() {
    let mut table = String::new();
    for file in [
        "[servre]\n",
        "[clients.ci]\nscopes = []\n",
        "[audit]\nkeep = \"400d\"\n",
        "[server]\n\nlisten_on = \"127.0.0.1:1\"\n",
        "listen = \"127.0.0.1:1\"\n",
        "[server]\nlisten = 8080\n",
        "[server]\nlisten = \"localhost\"\n",
        "[server]\nlisten = \"0.0.0.0:8080\"\n",
        "[server]\nlisten = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"\n",
        "[server]\nlisten = \"127.0.0.1:1\"\nadmin_listen = \"127.0.0.1:1\"\n",
        "[server]\nmax_connections = 0\n",
        "[server]\nmax_connections = -1\n",
        "[server]\npublic_url = \"https://x/\"\n",
        "[server]\ntrusted_proxies = [\"10.0.0.0/33\"]\n",
        "[server]\ntrusted_proxies = [\"10.0.0.7/8\"]\n",
        "[server]\ntrusted_proxies = [\"::ffff:10.0.0.0/104\"]\n",
        "[issuer]\nurl = \"http://ci.example.com\"\n",
        "[issuer]\nurl = \"https://ci.example.com/\"\n",
        "[issuer]\nserve_at_root = \"yes\"\n",
        "[issuer]\nsubject = \"{org}:{ref}\"\n",
        "[issuer]\nsubject = \"imutable\"\n",
        "[issuer]\nclaims = [\"gitlab\"]\n",
        "[issuer]\nclaims = []\n",
        "[store]\nurl = \"postgres://user:hunter2@host/db\"\n",
        "[store]\nurl = \"postgres://user:hunter2@host/db?sslmode=prefer\"\n",
        "[store]\nurl = \"postgres://user:hunter2@host/db?sslmode=require&options=x\"\n",
        "[store]\nurl = \"postgres://host/db?sslmode=require\"\n",
        "[telemetry]\nlog_filter = \"info=loud\"\n",
        "[store]\nurl = \"postgres://user@localhost\"\n",
        "[store]\nurl = \"postgres://user:hunter2@localhost/db\"\npassword = \"hunter3\"\n",
        "[store]\nurl = \"postgres://user@localhost/db\"\npassword = \"hunter2\"\npassword_file = \"nowhere\"\n",
        "[store]\nurl = \"data.db\"\n",
        "[keys]\nalgorithms = []\n",
        "[keys]\nalgorithms = [\"RS256\", \"RS256\"]\n",
        "[keys]\nalgorithms = [\"EdDSA\"]\n",
        "[keys]\nrsa_bits = 1024\n",
        "[keys]\nrotation_period = \"1h\"\n",
        "[keys]\njwks_max_age = \"0s\"\n",
        "[keys]\nclock_skew = \"half a minute\"\n",
        "[keys]\nclock_skew = \"301s\"\n",
        "[keys]\nkey_encryption_keys = []\n",
        "[keys]\nkey_encryption_keys = [{ id = \"a\", file = \"x\", value = \"hunter2\" }]\n",
        "[keys]\nkey_encryption_keys = [{ id = \"a\", file = \"x\" }, { id = \"a\", file = \"y\" }]\n",
        "[keys]\nkey_encryption_keys = [{ id = \"a\" }]\n",
        "[tokens]\ndefault_lifetime = \"2h\"\n",
        "[tokens]\nmax_lifetime = \"2d\"\n",
        "[tokens.extra_claims]\nemail = \"{author}\"\n",
        "[tokens.extra_claims]\nteam = \"{nothing}\"\n",
        "[limits]\nbuild_per_second = \"many\"\n",
        "[issuance]\ndefault = \"allow\"\n",
        "[[issuance.rules]]\naudiences = [\"x\"]\n",
        "[[issuance.rules]]\nname = \"r\"\n",
        "[[issuance.rules]]\nname = \"r\"\naudiences = []\n",
        "[[issuance.rules]]\nname = \"r\"\naudiences = [\"x\"]\nwhen = 'build.event = \"push\"'\n",
        "[[issuance.rules]]\nname = \"r\"\naudiences = [\"x\"]\nwhen = 'build.evnt == \"push\"'\n",
        "[[issuance.rules]]\nname = \"r\"\naudiences = [\"x\"]\n[[issuance.rules]]\nname = \"r\"\naudiences = [\"y\"]\n",
        "[[issuance.rules]]\nname = \"r\"\naudiences = [\"x\"]\nmax_lifetime = \"3h\"\n",
        "[[issuance.rules]]\nname = \"r\"\naudiences = [\"x\"]\nonly = true\n",
        "[[issuance.rules]]\nname = 7\naudiences = [\"x\"]\n[[issuance.rules]]\nname = \"r\"\naudiences = [\"x\",\n\"\"]\n",
        "[issuance]\nrules = 7\n",
        "[clients]\nci = 7\n",
        "[clients.ci]\nsecret = \"hunter2\"\n",
        "[clients.ci]\nsecret = [\"hunter2\"]\n",
        "[clients.ci]\nscopes = [\"everything\"]\n",
        "[clients.ci]\nsecrets = \"hunter2\"\n",
        "[oidc.p]\nissuer = \"https://issuer.example\"\n",
        "[oidc.p]\nprovider = \"generic\"\nissuer = \"https://issuer.example\"\njwks_hard_stop = true\n",
        "[oidc.p]\nprovider = \"generic\"\nissuer = \"https://issuer.example\"\nclock_skew_tolerance = \"1h\"\n",
        "[oidc.p]\nprovider = \"generic\"\nnothing = 1\n[oidc.q]\nprovider = 1\n",
        "[repository.app]\n",
        "[repository.\"a//b\"]\naccess_policy = {}\n",
        "[repository.app.access_policy]\ndefault = \"hunter2\"\n",
        "[repository.app.access_policy]\nproviders = []\n",
        "[repository.app.access_policy]\nproviders = [\"self\"]\nrules = [\"true\", \"identity.\"]\n",
        "[forward_auth]\nproxy = \"hunter2\"\n",
        "[limits]\nclient_per_second = 1.5\n",
        "[limits]\nclient_per_second = 4294967296\n",
        "[telemetry]\nlog_format = \"xml\"\n",
        "[server\n",
        "[server]\nlisten = \n",
    ] {
        let refusal = Setting::new(file).refusal();
        assert_ne!(refusal, "accepted", "{file}");
        assert!(!refusal.contains("hunter2"), "{refusal}");
        writeln!(table, "{}\n    {}\n", file.trim_end().replace('\n', "⏎"), refusal.replace('\n', "\n    ")).unwrap();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_mapped_address_is_the_address_that_it_holds() {
    let file =
        "[server]\ntrusted_proxies = [\"::ffff:10.0.0.7\", \"::ffff:10.1.0.0/16\", \"fd00::/8\", \"0.0.0.0/0\"]\n";
    let proxies = Setting::new(file).load().unwrap().server.trusted_proxies;
    let proxies: Vec<String> = proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["10.0.0.7/32", "10.1.0.0/16", "fd00::/8", "0.0.0.0/0"]);
}

#[test]
fn every_fault_is_reported_at_once() {
    let file = "[server]\nlisten = 1\nmax_connections = 0\n[keys]\nrsa_bits = 1\n[nothing]\n[clients.a]\n[clients.b]\n";
    assert_eq!(Setting::new(file).refusal().lines().count(), 6);
}

#[test]
fn flags_win_over_the_environment_the_environment_over_the_file_and_the_file_over_the_defaults() {
    let file = "[server]\nlisten = \"127.0.0.1:1001\"\n[tokens]\ndefault_lifetime = \"6m\"\n";
    let listen = |setting: Setting| setting.load().unwrap().server.listen.port();
    assert_eq!(listen(Setting::new("")), 8080);
    assert_eq!(listen(Setting::new(file)), 1001);
    assert_eq!(listen(Setting::new(file).with("BUILDPASS_SERVER__LISTEN", "127.0.0.1:1002")), 1002);
    let mut flagged = Setting::new(file).with("BUILDPASS_SERVER__LISTEN", "127.0.0.1:1002");
    flagged.flags.listen = Some("127.0.0.1:1003".to_owned());
    assert_eq!(listen(flagged), 1003);
    assert_eq!(Setting::new(file).load().unwrap().tokens.default_lifetime, Seconds::new(360));
}

#[test]
fn an_unknown_key_in_the_environment_is_refused_and_kubernetes_names_are_ignored() {
    let refusal = Setting::new("").with("BUILDPASS_SERVER__LISTN", "x").refusal();
    assert!(refusal.contains("BUILDPASS_SERVER__LISTN"), "{refusal}");
    let kubernetes = Setting::new("")
        .with("BUILDPASS_PORT", "tcp://10.0.0.1:80")
        .with("BUILDPASS_SERVICE_HOST", "10.0.0.1")
        .with("BUILDPASS_PORT_80_TCP_ADDR", "10.0.0.1");
    kubernetes.load().unwrap();
}

#[test]
fn relative_paths_start_from_the_state_dir() {
    let setting = Setting::new("[server]\nstate_dir = \"state\"\n");
    let folder = setting.folder.path().to_owned();
    let config = setting.load().unwrap();
    assert_eq!(sqlite_path(&config), folder.join("state/data/buildpass.db"));
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("other.toml");
    std::fs::write(&file, "").unwrap();
    let environment = BTreeMap::from([("BUILDPASS_CONFIG".to_owned(), file.display().to_string())]);
    let sources = Sources { file: None, environment, working_dir: folder, flags: Flags::default() };
    let config = Config::load(&sources).unwrap();
    assert_eq!(sqlite_path(&config), elsewhere.path().join("data/buildpass.db"), "paths start at the file's folder");
}

#[test]
fn a_named_file_that_is_missing_is_refused() {
    let setting = Setting::new("").with("BUILDPASS_CONFIG", "absent.toml");
    assert!(setting.refusal().contains("absent.toml"));
}

#[test]
fn the_reference_is_current_and_changes_nothing() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("buildpass.reference.toml");
    assert_eq!(
        std::fs::read_to_string(kept).unwrap(),
        reference(),
        "cargo run -- config reference > buildpass.reference.toml"
    );
    let strip = |text: String| {
        let values: Vec<_> = text.lines().filter_map(|line| line.split(" #").next()).map(str::to_owned).collect();
        values.join("\n")
    };
    let (default, referred) = (Setting::new("").load().unwrap(), Setting::new(&reference()).load().unwrap());
    assert_eq!(strip(default.show()), strip(referred.show()));
}

#[test]
fn the_manuals_page_is_current() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual/configuration.md");
    assert_eq!(
        std::fs::read_to_string(kept).unwrap(),
        markdown_reference(),
        "cargo run -- config reference --format markdown > src/manual/configuration.md"
    );
}

#[test]
fn the_reference_lists_the_keys_of_a_provider_that_are_read() {
    let refusal = Setting::new("[oidc.p]\nnothing = 1\n").refusal();
    let known = refusal.split("known keys are ").nth(1).unwrap().lines().next().unwrap();
    let page = markdown_reference();
    let section = page.split("### `[oidc.NAME]`").nth(1).unwrap().split("\n#").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let listed: Vec<&str> = rows.map(|row| row.split('`').next().unwrap()).collect();
    assert_eq!(listed.join(", "), known);
}

#[test]
fn no_inline_secret_of_a_client_is_shown() {
    const SECRET: &str = "bpc_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
    let config = Setting::new(&format!("[clients.ci]\nsecret = \"{SECRET}\"\n")).load().unwrap();
    assert!(!config.show().contains(SECRET) && config.show().contains("[secret]"), "{}", config.show());
    let file = "[store]\nurl = \"postgres://user@localhost/db\"\npassword = \"hunter2\"\n\
                [keys]\nkey_encryption_keys = [{ id = \"a\", file = \"x\" }]\n";
    let config = Setting::new(file).load().unwrap();
    assert!(!config.show().contains("hunter2") && !format!("{config:?}").contains("hunter2"), "{}", config.show());
}

#[test]
fn no_secret_is_ever_shown() {
    const SECRET: &str = "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ=";
    let file = format!("[keys]\nkey_encryption_keys = [{{ id = \"a\", value = \"{SECRET}\" }}]\n");
    let config = Setting::new(&file).load().unwrap();
    assert!(!config.show().contains(SECRET) && config.show().contains("[secret]"), "{}", config.show());
    assert!(!format!("{config:?}").contains(SECRET));
    for broken in [
        format!("{file}[nothing]\n"),
        file.replace("value", "valu"),
        file.replace("}]", ""),
        file.replace("\"a\"", "7"),
    ] {
        let refusal = Setting::new(&broken).refusal();
        assert!(refusal != "accepted" && !refusal.contains(SECRET), "{refusal}");
    }
}

fn sqlite_path(config: &Config) -> PathBuf {
    match &config.store.place {
        buildpass::store::StoreUrl::Sqlite(path) => path.clone(),
        other => panic!("{other:?}"),
    }
}
