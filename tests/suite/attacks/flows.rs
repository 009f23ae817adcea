//! Flows: each accepts its own tokens and credentials only, redeems a token once, and fails closed.

use std::sync::Arc;

use buildpass::base::Seconds;
use buildpass::exchange::{Prune, Section};
use buildpass::policy::ClientIdentity;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::exchange_setup::{ExchangeSetup, FLOWS, OPEN, RULES, TOML};
use crate::harness::postgres::PostgresServer;
use crate::harness::{Auth, Reply, START, SettableClock, Start, claims, logged};
use crate::verifier::forge::{Forge, base64url, claims_with, header};
use crate::verifier::stranger::Stranger;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_accepted_by_the_flow_of_its_audience_and_no_other() {
    let setup = ExchangeSetup::with(OPEN, RULES).await;
    for (own, audience) in FLOWS {
        for (flow, due) in FLOWS {
            let reply = setup.ask(flow, &setup.token(audience).await).await;
            assert_eq!(reply.is_good(), due == audience, "{own}'s token at {flow}: {} {}", reply.status, reply.text);
        }
        // The API accepts tokens of clients without a secret, but never own ones.
        let reply = setup.ask("api", &setup.token(audience).await).await;
        assert_eq!(reply.status, 401);
        // A token with several audiences is rejected.
        let several = setup.token_of(&setup.build.id, json!({ "audience": [audience, "x.example.com"] })).await;
        assert!(!setup.ask(own, &several).await.is_good(), "{own}");
    }
    let api = setup.token("https://ci.example.com/api/v1").await;
    for (flow, _) in FLOWS {
        assert!(!setup.ask(flow, &api).await.is_good(), "{flow}");
    }
}

/// Entitlements for tokens of another Vela; its builds are also a client without a secret.
const VELA: &str = r#"
[[rubygems.roles]]
name = "push-app"
user = "octo"
provider = "vela"
permissions = { scopes = ["push_rubygem"] }
access_policy = { statements = [{ effect = "allow", conditions = [
  { operator = "string_equals", claim = "aud", value = "gems.example.com" },
] }] }
[[rubygems.trusted_publishers]]
gem = "other"
user = "octo"
provider = "vela"
criteria = { org = "acme", repo = "app" }
[[nuget.trust_policies]]
name = "vela"
user = "octo"
owner = "acme"
kind = "vela"
provider = "vela"
criteria = { org = "acme", repo = "app" }
[[grants]]
name = "artefacts"
provider = "vela"
audience = "https://artefacts.example.com"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_client_without_a_secret_is_accepted_by_the_api_and_by_no_flow() {
    const API: &str = "https://ci.example.com/api/v1";
    let setup = ExchangeSetup::with(&OPEN.replace("self", "vela"), RULES).await;
    let jwks = toml::Value::try_from(setup.forge.jwks()).unwrap();
    let provider =
        format!("[[providers]]\nname=\"vela\"\nprovider=\"vela\"\nissuer=\"https://issuer.example\"\njwks={jwks}\n");
    setup.apply(&(provider + VELA)).await;
    let identity = ClientIdentity { provider: "vela".to_owned(), subject: "repo:acme/app".to_owned() };
    setup.server.client_with(|client| client.identity = Some(identity)).await;
    let token = |audience: &str, jti: String| {
        let build = json!({ "aud": audience, "jti": jti, "repo": "acme/app", "build_number": "7", "event": "push" });
        setup.partner(build)
    };
    // 404: the build is another client's.
    assert_eq!(setup.ask("api", &token(API, "a".to_owned())).await.status, 404);
    for (at, (flow, audience)) in FLOWS.into_iter().enumerate() {
        assert_eq!(setup.ask("api", &token(audience, format!("b{at}"))).await.status, 401, "{audience} at the API");
        assert!(!opened(&setup.ask(flow, &token(API, format!("c{at}"))).await), "the API's at {flow}");
        let reply = setup.ask(flow, &token(audience, format!("d{at}"))).await;
        assert!(opened(&reply), "{flow} accepts it with its own audience: {} {}", reply.status, reply.text);
    }
}

/// Whether the reply holds a credential that grants any access.
fn opened(reply: &Reply) -> bool {
    let nothing = |token: &Value| token.as_str().is_some_and(|token| claims(token)["access"] == json!([]));
    let answer: Value = serde_json::from_str(&reply.text).unwrap_or_default();
    reply.is_good() && !nothing(&answer["token"])
}

/// A grant whose scope has the name of RubyGems' own, and a role for another server.
const SHOWING: &str = r#"
[[grants]]
name = "showing"
provider = "self"
audience = "https://showing.example.com"
scopes = ["show_dashboard"]
[[rubygems.roles]]
name = "elsewhere"
user = "octo"
provider = "self"
permissions = { scopes = ["show_dashboard"] }
access_policy = { statements = [{ effect = "allow", conditions = [
  { operator = "string_equals", claim = "aud", value = "other-gems.example.com" },
] }] }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_accepted_by_its_own_flow_and_is_no_subject_token() {
    let setup = ExchangeSetup::with(OPEN, RULES).await;
    setup.apply(SHOWING).await;
    let text = |reply: Reply, field: &str| reply.json()[field].as_str().unwrap().to_owned();
    let credentials = [
        ("grant", text(setup.ask("grant", &setup.token(FLOWS[0].1).await).await, "access_token")),
        ("jwt", setup.granted("https://signed.example.com").await),
        ("named as a scope", setup.granted("https://showing.example.com").await),
        ("role", text(setup.ask("role", &setup.token(FLOWS[1].1).await).await, "rubygems_api_key")),
        ("role of another server", {
            let token = setup.token("other-gems.example.com").await;
            text(setup.assume(&setup.role("elsewhere").await, &token).await, "rubygems_api_key")
        }),
        ("publisher", text(setup.ask("publisher", &setup.token(FLOWS[2].1).await).await, "rubygems_api_key")),
        ("nuget", text(setup.ask("nuget", &setup.token(FLOWS[3].1).await).await, "apiKey")),
        ("registry", text(setup.ask("registry", &setup.token(FLOWS[4].1).await).await, "token")),
    ];
    for (what, credential) in &credentials {
        for (flow, _) in FLOWS {
            let expected = flow == "authz" && *what == "grant";
            assert_eq!(setup.ask(flow, credential).await.is_good(), expected, "{what} at {flow}");
        }
        assert_eq!(setup.ask("api", credential).await.status, 401, "{what}");
        // The dashboard knows keys of RubyGems' flows, but these may not read it.
        let bare = [("authorization", credential.as_str())];
        let seen = setup.server.with_headers(Method::GET, "/api/v1/oidc/api_key_roles", &bare, "").await;
        // A key for another server is unknown here.
        let known = matches!(*what, "role" | "publisher");
        assert_eq!(seen.status, if known { 403 } else { 401 }, "{what} at the dashboard");
        assert!(setup.is_active(credential).await, "{what}");
    }
    // A verifier of ID tokens rejects our access tokens by their `typ`.
    for (what, jwt) in credentials.iter().filter(|(_, text)| text.starts_with("ey")) {
        let kind: Value = serde_json::from_slice(&decode(jwt.split('.').next().unwrap())).unwrap();
        assert_eq!(kind["typ"], "at+jwt", "{what}");
        let again = setup.exchange(jwt, &[]).await;
        assert_eq!((again.status, again.json()["error"].clone()), (400, json!("invalid_request")), "{what}");
    }
    assert_eq!(setup.alarms().await, 0, "rejected by its type, not for a missing record");
}

pub(super) fn decode(segment: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(segment).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_one_flow_redeemed_is_used_for_all_flows() {
    let setup = ExchangeSetup::open().await;
    let token = setup.token("gems.example.com").await;
    assert!(setup.ask("role", &token).await.is_good());
    assert_eq!(setup.ask("publisher", &token).await.status, 422);
    let token = setup.token("https://artefacts.example.com").await;
    assert!(setup.ask("authz", &token).await.is_good());
    assert!(setup.ask("grant", &token).await.is_good());
    assert_eq!(setup.ask("authz", &token).await.status, 401, "forward auth rejects a used token");
}

/// Order of P-256: anyone can derive a second valid signature from it.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// Returns the token with `n - s` instead of `s` in its signature.
fn malleated(token: &str) -> String {
    let (text, signature) = token.rsplit_once('.').unwrap();
    let mut signature = decode(signature);
    let mut borrow = 0_i16;
    for at in (0..32).rev() {
        let difference = i16::from(ORDER[at]) - i16::from(signature[32 + at]) - borrow;
        borrow = i16::from(difference < 0);
        signature[32 + at] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    format!("{text}.{}", base64url(signature))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_token_is_redeemed_once_however_it_is_changed() {
    let setup = ExchangeSetup::open().await;
    let jwks = toml::Value::try_from(setup.forge.jwks()).unwrap();
    let provider = |name: &str, audience: &str| {
        format!(
            "[[providers]]\nname=\"{name}\"\nprovider=\"generic\"\nissuer=\"https://issuer.example\"\n\
             required_audience=\"{audience}\"\njwks={jwks}\n[[grants]]\nname=\"{name}\"\nprovider=\"{name}\"\n\
             audience=\"shared\"\n"
        )
    };
    setup.apply(&(provider("one", "audience-one") + &provider("two", "audience-two"))).await;
    let token = |alg: &str, changed: Value| setup.forge.token(&header(alg), &claims_with(changed));
    let with_jti = token("ES256", json!({ "aud": "shared" }));
    let nameless = token("ES256", json!({ "aud": "shared", "jti": null }));
    for token in [&with_jti, &nameless] {
        assert_eq!(setup.exchange(token, &[]).await.status, 200, "{}", claims(token));
        let other = malleated(token);
        assert_ne!(*token, other);
        for again in [token, &other] {
            let reply = setup.exchange(again, &[]).await;
            assert!(reply.text.contains("has been used"), "{}", reply.text);
        }
    }
    // Signed with another key of its issuer, it is the same token: its jti is the same.
    let resigned = token("RS256", json!({ "aud": "shared" }));
    assert!(setup.exchange(&resigned, &[]).await.text.contains("has been used"));
    // A provider that is created again, or another provider of the issuer, rejects it too.
    for name in ["one", "two"] {
        let other = if name == "one" { "two" } else { "one" };
        setup.try_apply("", Prune::One(Section::Grants, None, name.to_owned())).await.unwrap();
        setup.try_apply("", Prune::One(Section::Providers, None, name.to_owned())).await.unwrap();
        let reply = setup.exchange(&with_jti, &[]).await;
        assert!(reply.text.contains("has been used"), "by {other}: {}", reply.text);
        setup.apply(&provider(name, &format!("audience-{name}"))).await;
        assert!(setup.exchange(&with_jti, &[]).await.text.contains("has been used"));
    }
}

/// Kinds differ in the claim that identifies a token; a token is redeemed once whatever the kind.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_redeemed_once_whichever_kind_of_provider_accepts_it() {
    const ISSUER: &str = "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0";
    let setup = ExchangeSetup::open().await;
    let jwks = toml::Value::try_from(setup.forge.jwks()).unwrap();
    let entry = |kind: &str| {
        format!(
            "[[providers]]\nname=\"as-{kind}\"\nprovider=\"{kind}\"\nissuer=\"{ISSUER}\"\njwks={jwks}\n\
             required_audience=\"of-{kind}\"\n[[grants]]\nname=\"{kind}\"\nprovider=\"as-{kind}\"\naudience=\"shared\"\n\
             when='request.scopes == [\"{kind}\"]'\nscopes=[\"{kind}\"]\n"
        )
    };
    setup.apply(&(entry("generic") + &entry("entra"))).await;
    for (number, (first, second)) in [("generic", "entra"), ("entra", "generic")].into_iter().enumerate() {
        for ids in [json!({ "jti": null }), json!({}), json!({ "jti": null, "uti": null })] {
            let mut claims = json!({
                "iss": ISSUER, "aud": "shared", "tid": "11111111-2222-3333-4444-555555555555", "oid": "o", "ver": "2.0",
                "jti": format!("j{number}"), "uti": format!("u{number}"), "number": number,
            });
            claims.as_object_mut().unwrap().extend(ids.as_object().unwrap().clone());
            let token = setup.partner(claims);
            assert_eq!(setup.exchange(&token, &[("scope", first)]).await.status, 200, "{first} {ids}");
            let again = setup.exchange(&token, &[("scope", second)]).await;
            assert!(again.text.contains("has been used"), "{second} {ids}: {}", again.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_our_signature_but_no_record_raises_an_alarm_and_is_rejected() {
    let setup = ExchangeSetup::with(OPEN, RULES).await;
    let signer = setup.server.app.issuer().keyring().view().default_signer(START).unwrap();
    for (flow, audience) in FLOWS {
        let mut forged = claims(&setup.token(audience).await);
        let recorded = signer.sign(forged.to_string().as_bytes()).unwrap();
        // A recorded jti under other claims, and a jti that was never issued.
        forged["repo"] = json!("acme/other");
        let edited = signer.sign(forged.to_string().as_bytes()).unwrap();
        forged["jti"] = json!("01990000-0000-7000-8000-000000000000");
        let unknown = signer.sign(forged.to_string().as_bytes()).unwrap();
        forged["jti"] = json!("not an id of ours");
        let odd = signer.sign(forged.to_string().as_bytes()).unwrap();
        for token in [recorded, edited, unknown, odd] {
            let before = setup.alarms().await;
            assert!(!setup.ask(flow, &token).await.is_good(), "{flow}: {}", claims(&token));
            assert_eq!(setup.alarms().await, before + 1, "{flow}: {}", claims(&token));
        }
    }
    assert!(logged().contains("has no record"));
}

const OURS: &str = "This server or its database is unavailable at the moment";
const PROVIDERS: &str = "The identity provider is unavailable: its signing keys could not be fetched";

/// Checks that the flow answers 503 in its own protocol, and says whose trouble it is.
fn assert_unavailable(flow: &str, reply: &Reply, trouble: &str) {
    assert_eq!(reply.status, 503, "{flow}: {}", reply.text);
    assert_eq!(reply.header("x-buildpass-reason"), Some(trouble), "{flow}");
    assert!(reply.header("retry-after").is_some(), "{flow}");
    let member = |field: &str| reply.json()[field].clone();
    match flow {
        "grant" => {
            assert_eq!(member("error"), "temporarily_unavailable");
            assert_eq!(member("error_description"), trouble);
        }
        "role" | "publisher" | "nuget" => assert_eq!(member("error"), trouble),
        "registry" => assert_eq!(member("errors")[0]["message"], trouble),
        _ => assert_eq!(reply.text, "", "{flow}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_wrong_clock_redeems_nothing_in_any_flow() {
    let setup = ExchangeSetup::with(OPEN, RULES).await;
    let mut tokens = Vec::new();
    for (flow, audience) in FLOWS {
        tokens.push((flow, setup.token(audience).await));
    }
    setup.server.app.issuer().step().await.unwrap();
    setup.server.clock.set(START - Seconds::new(3_600));
    for (flow, token) in &tokens {
        assert_unavailable(flow, &setup.ask(flow, token).await, OURS);
    }
    setup.server.clock.set(START + Seconds::new(1));
    for (flow, token) in &tokens {
        assert!(setup.ask(flow, token).await.is_good(), "{flow}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn a_token_is_redeemed_elsewhere_while_one_server_has_a_wrong_clock() {
    let database = PostgresServer::shared().database().await;
    let (good, wrong) = (Arc::new(SettableClock::at(START)), Arc::new(SettableClock::at(START)));
    let setup = ExchangeSetup::on(Start::new(TOML).on(&database, &good), RULES).await;
    let bad = Start::new(TOML).on(&database, &wrong).go().await;
    let token = setup.token("https://artefacts.example.com").await;
    for server in [&setup.server, &bad] {
        server.app.issuer().step().await.unwrap();
    }
    wrong.set(START + Seconds::new(2 * 366 * 86_400));
    bad.app.issuer().step().await.unwrap();
    let form = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token", token.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:id_token"),
    ];
    assert_unavailable("grant", &bad.form("/oauth/token", Auth::None, &form).await, OURS);
    setup.server.app.issuer().step().await.unwrap();
    assert_eq!(setup.exchange(&token, &[]).await.status, 200);
}

/// Once the file exists, the provider works without a restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_with_a_missing_file_is_unavailable_until_the_file_exists() {
    let (forge, folder) = (Arc::new(Forge::new()), tempfile::tempdir().unwrap());
    let issuer = Stranger::issuer(&forge.jwks()).await;
    let file = folder.path().join("ca.pem");
    let toml = format!(
        "[oidc.late]\nprovider=\"generic\"\nissuer=\"{}\"\nallow_private=[\"127.0.0.1\"]\nserver_ca_bundle=\"{}\"\n",
        issuer.url,
        file.display()
    );
    let setup = ExchangeSetup::with(&toml, RULES).await;
    let grant = "[[grants]]\nname=\"late\"\nprovider=\"late\"\naudience=\"https://artefacts.example.com\"\n";
    setup.apply(grant).await;
    let claims = claims_with(json!({ "iss": issuer.url, "aud": "https://artefacts.example.com" }));
    let token = forge.token(&header("RS256"), &claims);
    assert_unavailable("grant", &setup.exchange(&token, &[]).await, PROVIDERS);
    let authority = rcgen::generate_simple_self_signed(vec!["issuer.example".to_owned()]).unwrap();
    std::fs::write(&file, authority.cert.pem()).unwrap();
    assert_unavailable("grant", &setup.exchange(&token, &[]).await, PROVIDERS);
    setup.server.clock.advance(10);
    let reply = setup.exchange(&token, &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    // After a restart without the file, and with the issuer down once it exists, the stored keys are used.
    setup.server.app.exchange().unwrap().step().await.unwrap();
    std::fs::remove_file(&file).unwrap();
    let setup = ExchangeSetup { server: setup.server.restart(&format!("{TOML}{toml}")).await, ..setup };
    issuer.forget();
    std::fs::write(&file, authority.cert.pem()).unwrap();
    setup.server.clock.advance(10);
    let claims = claims_with(json!({ "iss": issuer.url, "aud": "https://artefacts.example.com", "jti": "another" }));
    let reply = setup.exchange(&forge.token(&header("RS256"), &claims), &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flow_answers_that_a_provider_is_unavailable() {
    let (forge, down) = (Forge::new(), Stranger::start().await);
    let setup = ExchangeSetup::with(OPEN, RULES).await;
    let rules = format!(
        "[[providers]]\nname=\"down\"\nprovider=\"generic\"\nissuer=\"{}\"\nallow_private=[\"127.0.0.1\"]\n\
         [[rubygems.roles]]\nname=\"push-app\"\nuser=\"octo\"\nprovider=\"down\"\n\
         permissions={{scopes=[\"push_rubygem\"]}}\naccess_policy={{statements=[{{effect=\"allow\",\
         conditions=[{{operator=\"string_equals\",claim=\"repository\",value=\"acme/app\"}}]}}]}}\n\
         [[grants]]\nname=\"artefacts\"\nprovider=\"down\"\naudience=\"https://artefacts.example.com\"\n",
        down.url
    );
    setup.apply(&rules).await;
    for (flow, audience) in FLOWS {
        let claims = claims_with(json!({ "iss": down.url, "aud": audience }));
        assert_unavailable(flow, &setup.ask(flow, &forge.token(&header("RS256"), &claims)).await, PROVIDERS);
    }
}
