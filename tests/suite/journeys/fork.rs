//! A fork's build under each kind of issuance policy.

use std::fmt::Write;

use crate::harness::{Server, fork};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_fork_gets_under_each_kind_of_rules() {
    let rule = "[[issuance.rules]]\nname = \"r\"\naudiences = [\"listed\"]\n";
    let mut table = String::new();
    for (name, toml) in [
        ("no rule", String::new()),
        ("a rule without a word on trust", rule.to_owned()),
        ("default = \"deny\"", "[issuance]\ndefault = \"deny\"\n".to_owned()),
        ("allow_untrusted", format!("{rule}allow_untrusted = true\n")),
    ] {
        let server = Server::with(&toml).await;
        let client = server.client().await;
        let build = server.register(&client, &fork()).await;
        for audience in ["listed", "other"] {
            let reply = server.pull(&build, &format!("audience={audience}")).await;
            let got =
                if reply.status == 200 { reply.json()["subject"].as_str().unwrap().to_owned() } else { reply.code() };
            writeln!(table, "{name}: {audience}: {got}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}
