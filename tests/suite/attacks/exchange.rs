//! The exchange: tokens in the wrong hands, at the wrong door, twice; and what died.

use std::sync::Arc;

use buildpass::base::{Clock, IssuerId, Moment, Seconds};
use buildpass::exchange::{Prune, Section};
use buildpass::policy::Scope;
use buildpass::store::{CredentialFilter, StoredCredential};
use serde_json::{Value, json};

use crate::harness::market::{Market, RULES, TOML};
use crate::harness::postgres::PostgresServer;
use crate::harness::{Auth, Reply, START, SettableClock, Start, claims, logged, registration_with};
use crate::verifier::forge::{base64url, claims_with, header};

/// The doors with the audience of each.
const DOORS: [(&str, &str); 6] = [
    ("grant", "https://artefacts.example.com"),
    ("role", "gems.example.com"),
    ("publisher", "gems.example.com"),
    ("nuget", "https://nuget.example.com"),
    ("registry", "registry.example.com"),
    ("authz", "https://artefacts.example.com"),
];

/// Grants whose condition says nothing of methods, and a role for clients without a secret.
const OPEN: &str = "[repository.\"acme\".access_policy]\nproviders = [\"self\"]\nrules = [\"true\"]\n";

async fn ask(market: &Market, door: &str, token: &str) -> Reply {
    match door {
        "grant" => market.trade(token, &[]).await,
        "role" => market.assume(&market.role("push-app").await, token).await,
        "publisher" => market.publisher(token).await,
        "nuget" => market.nuget(token, "octo").await,
        "registry" => market.server.get("/token?scope=repository:acme/app:pull", Auth::Token(token)).await,
        "authz" => market.authz("artefacts", "GET", "/x", &[("authorization", &format!("Bearer {token}"))]).await,
        _ => market.server.get(&format!("/api/v1/builds/{}", market.build.id), Auth::Token(token)).await,
    }
}

fn is_good(reply: &Reply) -> bool {
    matches!(reply.status, 200 | 201)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_the_door_of_its_audience_and_no_other() {
    let market = Market::with(OPEN, RULES).await;
    for (own, audience) in DOORS {
        for (door, due) in DOORS {
            let reply = ask(&market, door, &market.token(audience).await).await;
            assert_eq!(is_good(&reply), due == audience, "{own}'s token at {door}: {} {}", reply.status, reply.text);
        }
        // Nor the API, which takes tokens of clients without a secret; those are never our own.
        let reply = ask(&market, "api", &market.token(audience).await).await;
        assert_eq!(reply.status, 401);
        // Several audiences open nothing.
        let several = market.token_of(&market.build.id, json!({ "audience": [audience, "x.example.com"] })).await;
        assert!(!is_good(&ask(&market, own, &several).await), "{own}");
    }
    let api = market.token("https://ci.example.com/api/v1").await;
    for (door, _) in DOORS {
        assert!(!is_good(&ask(&market, door, &api).await), "{door}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_opens_its_own_door_and_is_no_token_at_any() {
    let market = Market::with(OPEN, RULES).await;
    let text = |reply: Reply, field: &str| reply.json()[field].as_str().unwrap().to_owned();
    let credentials = [
        ("grant", text(ask(&market, "grant", &market.token(DOORS[0].1).await).await, "access_token")),
        ("jwt", market.granted("https://signed.example.com").await),
        ("role", text(ask(&market, "role", &market.token(DOORS[1].1).await).await, "rubygems_api_key")),
        ("publisher", text(ask(&market, "publisher", &market.token(DOORS[2].1).await).await, "rubygems_api_key")),
        ("nuget", text(ask(&market, "nuget", &market.token(DOORS[3].1).await).await, "apiKey")),
        ("registry", text(ask(&market, "registry", &market.token(DOORS[4].1).await).await, "token")),
    ];
    for (what, credential) in &credentials {
        for (door, _) in DOORS {
            let expected = door == "authz" && *what == "grant";
            assert_eq!(is_good(&ask(&market, door, credential).await), expected, "{what} at {door}");
        }
        assert_eq!(ask(&market, "api", credential).await.status, 401, "{what}");
        assert!(market.lives(credential).await, "{what}");
    }
    // Whoever verifies ID tokens takes no access token of ours: its `typ` says what it is.
    let jwt = &credentials[1].1;
    let kind: Value = serde_json::from_slice(&decode(jwt.split('.').next().unwrap())).unwrap();
    assert_eq!(kind["typ"], "at+jwt");
    let again = market.trade(jwt, &[]).await;
    assert_eq!((again.status, again.json()["error"].clone()), (400, json!("invalid_request")));
}

fn decode(segment: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(segment).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_spent_at_one_door_for_all_of_them() {
    let market = Market::open().await;
    let token = market.token("gems.example.com").await;
    assert!(is_good(&ask(&market, "role", &token).await));
    assert_eq!(ask(&market, "publisher", &token).await.status, 422);
    let token = market.token("https://artefacts.example.com").await;
    assert!(is_good(&ask(&market, "authz", &token).await));
    assert!(is_good(&ask(&market, "grant", &token).await));
    assert_eq!(ask(&market, "authz", &token).await.status, 401, "forward auth takes none that was spent");
}

/// The order of P-256, for the other signature that everybody can make of one.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
    0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The same token under the signature with n − s in the place of s.
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
async fn whatever_is_done_to_a_strangers_token_it_is_spent_once() {
    let market = Market::open().await;
    let jwks = toml::Value::try_from(market.forge.jwks()).unwrap();
    let provider = |name: &str, audience: &str| {
        format!(
            "[[providers]]\nname=\"{name}\"\nprovider=\"generic\"\nissuer=\"https://issuer.example\"\n\
             required_audience=\"{audience}\"\njwks={jwks}\n[[grants]]\nname=\"{name}\"\nprovider=\"{name}\"\n\
             audience=\"shared\"\n"
        )
    };
    market.apply(&(provider("one", "audience-one") + &provider("two", "audience-two"))).await;
    let token = |alg: &str, changed: Value| market.forge.token(&header(alg), &claims_with(changed));
    let with_jti = token("ES256", json!({ "aud": "shared" }));
    let nameless = token("ES256", json!({ "aud": "shared", "jti": null }));
    for token in [&with_jti, &nameless] {
        assert_eq!(market.trade(token, &[]).await.status, 200, "{}", claims(token));
        let other = malleated(token);
        assert_ne!(*token, other);
        for again in [token, &other] {
            let reply = market.trade(again, &[]).await;
            assert!(reply.text.contains("has been used"), "{}", reply.text);
        }
    }
    // Under another of its issuer's keys it is the same token, as its jti says.
    let resigned = token("RS256", json!({ "aud": "shared" }));
    assert!(market.trade(&resigned, &[]).await.text.contains("has been used"));
    // Made anew, or under another entry of the issuer, the provider takes it no more.
    for name in ["one", "two"] {
        let other = if name == "one" { "two" } else { "one" };
        market.bring("", Prune::One(Section::Grants, None, name.to_owned())).await.unwrap();
        market.bring("", Prune::One(Section::Providers, None, name.to_owned())).await.unwrap();
        let reply = market.trade(&with_jti, &[]).await;
        assert!(reply.text.contains("has been used"), "by {other}: {}", reply.text);
        market.apply(&provider(name, &format!("audience-{name}"))).await;
        assert!(market.trade(&with_jti, &[]).await.text.contains("has been used"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_our_key_signed_and_we_never_recorded_is_an_alarm_and_opens_nothing() {
    let market = Market::with(OPEN, RULES).await;
    let signer = market.server.app.issuer().keyring().view().default_signer(START).unwrap();
    for (door, audience) in DOORS {
        let mut forged = claims(&market.token(audience).await);
        let recorded = signer.sign(forged.to_string().as_bytes()).unwrap();
        // A jti that we recorded, under claims that we did not sign, and one that we never drew.
        forged["repo"] = json!("acme/other");
        let edited = signer.sign(forged.to_string().as_bytes()).unwrap();
        forged["jti"] = json!("01990000-0000-7000-8000-000000000000");
        let unknown = signer.sign(forged.to_string().as_bytes()).unwrap();
        forged["jti"] = json!("not an id of ours");
        let odd = signer.sign(forged.to_string().as_bytes()).unwrap();
        for token in [recorded, edited, unknown, odd] {
            assert!(!is_good(&ask(&market, door, &token).await), "{door}: {}", claims(&token));
        }
    }
    assert!(logged().contains("was never recorded"));
    let metrics = market.server.get(&format!("{}/metrics", market.server.admin), Auth::None).await.text;
    let alarm = metrics.lines().find(|line| line.starts_with("buildpass_unrecorded_tokens_total")).unwrap();
    assert!(!alarm.ends_with(" 0"), "{alarm}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_has_ended_trades_nothing_at_any_door() {
    let market = Market::with(OPEN, RULES).await;
    let mut fetched = Vec::new();
    for (door, audience) in DOORS {
        fetched.push((door, market.token(audience).await));
    }
    market.finish().await;
    for (door, token) in fetched {
        assert!(!is_good(&ask(&market, door, &token).await), "{door}");
    }
    // Nor one that passed its deadline.
    let short = registration_with(&json!({ "number": 9, "timeout": "1m" }));
    let build = market.server.register(&market.client, &short).await;
    let token = market.token_of(&build.id, json!({ "audience": "https://artefacts.example.com" })).await;
    let key = market.trade(&token, &[]).await.json();
    assert_eq!(key["expires_in"], 60, "what is given ends with the build");
    market.server.clock.advance(61);
    market.server.app.issuer().step().await.unwrap();
    assert!(!market.lives(key["access_token"].as_str().unwrap()).await);
    for (door, _) in DOORS {
        assert!(!is_good(&ask(&market, door, &token).await), "{door}");
    }
}

async fn living(market: &Market) -> Vec<StoredCredential> {
    let filter = CredentialFilter { alive_at: Some(market.server.clock.now()), ..Default::default() };
    market.server.app.store().list_credentials(&IssuerId::main(), &filter).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_died_stays_dead_when_the_change_is_taken_back() {
    let market = Market::open().await;
    let give = async || {
        let key = ask(&market, "role", &market.token("gems.example.com").await).await;
        assert_eq!(key.status, 201, "{}", key.text);
    };
    let role = |name: &str| Prune::One(Section::Roles, Some("octo".into()), name.to_owned());
    // A role that is changed and changed back.
    give().await;
    assert_eq!(living(&market).await.len(), 1);
    let longer = RULES.replace("valid_for = \"30m\"", "valid_for = \"40m\"");
    market.apply(&longer).await;
    assert_eq!(living(&market).await.len(), 0, "its role was changed");
    market.apply(RULES).await;
    assert_eq!(living(&market).await.len(), 0);
    // A user who is disabled and enabled.
    give().await;
    market.apply("[[users]]\nname=\"octo\"\ndisabled=true\n").await;
    assert_eq!(ask(&market, "role", &market.token("gems.example.com").await).await.status, 404);
    market.apply("[[users]]\nname=\"octo\"\n").await;
    assert_eq!(living(&market).await.len(), 0);
    // A role that is removed and made anew: it is another one, with another token.
    give().await;
    let token = market.role("push-app").await;
    market.bring("", role("push-app")).await.unwrap();
    market.apply(RULES).await;
    assert_eq!(living(&market).await.len(), 0);
    assert_ne!(market.role("push-app").await, token);
    let reply = market.assume(&token, &market.token("gems.example.com").await).await;
    assert_eq!(reply.status, 404, "the old token names nothing");
    give().await;
    assert_eq!(living(&market).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_squatters_build_teaches_nuget_no_ids_and_neither_does_one_that_fails() {
    let market = Market::open().await;
    market
        .apply(
            &(market.strangers()
                + "[[nuget.trust_policies]]\nname=\"hub\"\nuser=\"octo\"\nowner=\"acme\"\nkind=\"github\"\n\
               criteria={owner=\"acme\",repository=\"app\",workflow=\"push.yml\"}\n"),
        )
        .await;
    let token = |jti: &str, changed: Value| {
        let mut claims = json!({
            "iss": "https://token.actions.githubusercontent.com", "aud": "https://nuget.example.com", "jti": jti,
            "repository": "acme/app", "repository_owner": "acme", "repository_owner_id": "42", "repository_id": "1001",
            "job_workflow_ref": "acme/app/.github/workflows/push.yml@refs/heads/main", "event_name": "push",
        });
        claims.as_object_mut().unwrap().extend(changed.as_object().unwrap().clone());
        market.forge.token(&header("RS256"), &claims_with(claims))
    };
    let ids = json!({ "repository_owner_id": "666", "repository_id": "667" });
    let with = |more: Value| {
        let mut changed = ids.clone();
        changed.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        changed
    };
    let workflow = "acme/app/.github/workflows/evil.yml@refs/heads/main";
    for (jti, changed) in [
        ("1", with(json!({ "job_workflow_ref": workflow }))),
        ("2", with(json!({ "event_name": "pull_request_target" }))),
        ("3", with(json!({ "repository": "evil/app" }))),
    ] {
        assert_eq!(market.nuget(&token(jti, changed), "octo").await.status, 401);
    }
    assert_eq!(market.nuget(&token("4", json!({})), "octo").await.status, 200, "the owner's first use teaches");
    assert_eq!(market.nuget(&token("5", ids), "octo").await.status, 401, "and nobody else's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_downstream_neither_sees_nor_records_what_another_one_owns() {
    let market = Market::open().await;
    let key = market.granted("https://artefacts.example.com").await;
    let other = market
        .server
        .client_with(|client| {
            client.scopes = vec![Scope::TokensIntrospect, Scope::PublicationsWrite];
            client.audiences = vec!["gems.example.com".parse().unwrap()];
        })
        .await;
    let seen = market.form("/oauth/introspect", Auth::Client(&other), &[("token", &key)]).await;
    assert_eq!(seen.json(), json!({ "active": false }));
    let body = json!({
        "ecosystem": "generic", "package": "x", "version": "1", "digest": format!("sha256:{}", "0".repeat(64)), "key": key,
    });
    assert_eq!(market.server.post("/api/v1/publications", Auth::Client(&other), &body).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_trades_nothing() {
    let market = Market::open().await;
    let token = market.token("https://artefacts.example.com").await;
    market.server.app.issuer().step().await.unwrap();
    market.server.clock.set(START - Seconds::new(3_600));
    let reply = market.trade(&token, &[]).await;
    assert_eq!(
        (reply.status, reply.json()["error"].clone()),
        (503, json!("temporarily_unavailable")),
        "{}",
        reply.text
    );
    assert!(reply.header("retry-after").is_some());
    market.server.clock.set(START + Seconds::new(1));
    assert_eq!(market.trade(&token, &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs PostgreSQL: cargo test -- --include-ignored"]
async fn what_ends_at_one_server_is_over_at_the_next_request_of_the_other() {
    let (clock, database) = (Arc::new(SettableClock::at(START)), PostgresServer::shared().database().await);
    let start = || Start::new(TOML).on(&database, &clock);
    let a = Market::on(start(), RULES).await;
    let b = start().go().await;
    let at_b = async |token: &str| {
        let headers = [
            ("x-original-method", "GET"),
            ("x-original-uri", "/x"),
            ("x-original-host", "s"),
            ("authorization", token),
        ];
        b.with_headers(reqwest::Method::GET, "/authz/artefacts", &headers, "").await.status
    };
    let audience = "https://artefacts.example.com";
    // A grant that is changed at A is another one at B.
    let key = a.granted(audience).await;
    assert_eq!(at_b(&key).await, 200);
    let changed = RULES.replace("scopes = [\"read\", \"write\"]", "scopes = [\"read\"]");
    a.apply(&changed).await;
    assert_eq!(at_b(&key).await, 401, "a changed grant");
    let key = a.granted(audience).await;
    assert_eq!(at_b(&key).await, 200);
    a.form("/oauth/revoke", Auth::None, &[("token", &key)]).await;
    assert_eq!(at_b(&key).await, 401, "a key that was given up");
    let token = a.token(audience).await;
    assert_eq!(at_b(&token).await, 200);
    a.form("/oauth/revoke", Auth::None, &[("token", &token)]).await;
    assert_eq!(at_b(&token).await, 401, "an ID token that was given up");
    let (key, token) = (a.granted(audience).await, a.token(audience).await);
    a.finish().await;
    assert_eq!((at_b(&key).await, at_b(&token).await), (401, 401), "a build that ended");
    let build = a.server.register(&a.client, &registration_with(&json!({ "number": 18 }))).await;
    let a = Market { build, ..a };
    let (key, token) = (a.granted(audience).await, a.token(audience).await);
    assert_eq!((at_b(&key).await, at_b(&token).await), (200, 200));
    let kid: Value = serde_json::from_slice(&decode(token.split('.').next().unwrap())).unwrap();
    a.server.app.issuer().keyring().revoke(kid["kid"].as_str().unwrap(), "leaked").await.unwrap();
    b.app.issuer().step().await.unwrap();
    assert_eq!((at_b(&key).await, at_b(&token).await), (401, 401), "a signing key that was revoked");
    let (key, token) = (a.granted(audience).await, a.token(audience).await);
    let clients = a.server.app.store().list_clients(&IssuerId::main()).await.unwrap();
    let name = clients.into_iter().find(|client| client.id.as_str() == a.client.id).unwrap().name;
    a.server.app.store().disable_client(&IssuerId::main(), &name, START).await.unwrap();
    assert_eq!((at_b(&key).await, at_b(&token).await), (401, 401), "a client that was disabled");
}

/// Each token names an issuer of its own, or none; each is asked with at every door. Nothing is kept of them.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_a_stranger_made_up_leave_no_row() {
    let market = Market::with(OPEN, &format!("{RULES}[[users]]\nname = \"other\"\n")).await;
    market.apply(&market.strangers()).await;
    let events = async || {
        let (issuer, since) = (IssuerId::main(), Moment::from_unix(0));
        market.server.app.store().list_events(&issuer, since, None, 9_999).await.unwrap().len()
    };
    let before = events().await;
    let unsigned = |claims: Value| {
        let header = base64url(header("RS256").to_string().as_bytes());
        format!("{header}.{}.{}", base64url(claims_with(claims).to_string().as_bytes()), base64url([7; 256]))
    };
    for number in 0..20 {
        let nobody = unsigned(json!({ "iss": format!("https://evil-{number}.example") }));
        let nameless = unsigned(json!({ "iss": null }));
        let odd = unsigned(json!({ "iss": 7 }));
        let ours = unsigned(json!({ "iss": "https://ci.example.com" }));
        for token in [&nobody, &nameless, &odd, &ours] {
            for (door, _) in DOORS {
                assert!(!is_good(&ask(&market, door, token).await));
            }
            assert_eq!(market.assume("rg_oidc_akr_00000000000000000000", token).await.status, 404);
            market.form("/oauth/revoke", Auth::None, &[("token", token)]).await;
        }
    }
    assert_eq!(events().await, before);
    let signed = market.token("elsewhere.example.com").await;
    ask(&market, "nuget", &signed).await;
    assert_eq!(events().await, before + 1, "who can have our tokens is known");
}
