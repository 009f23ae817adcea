//! `/oauth/token` (RFC 8693), `/oauth/introspect` (RFC 7662), `/oauth/revoke` (RFC 7009).

use buildpass::policy::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::exchange_setup::ExchangeSetup;
use crate::harness::{Auth, claims, fork};

const ARTEFACTS: &str = "https://artefacts.example.com";
const SIGNED: &str = "https://signed.example.com";

#[tokio::test(flavor = "multi_thread")]
async fn a_build_token_becomes_a_key_that_introspection_knows() {
    let setup = ExchangeSetup::open().await;
    let token = setup.token(ARTEFACTS).await;
    let reply = setup.exchange(&token, &[("audience", ARTEFACTS), ("scope", "read")]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let answer = reply.json();
    let key = answer["access_token"].as_str().unwrap();
    assert!(buildpass::exchange::is_key(key), "{key}");
    assert_eq!(
        answer,
        json!({
            "access_token": key, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer", "expires_in": 1800, "scope": "read",
        })
    );
    let known = setup.introspect(key).await;
    let expected = json!({
        "active": true, "iss": "https://ci.example.com", "aud": ARTEFACTS, "scope": "read", "token_type": "Bearer",
        "flow": "grant", "grant": "artefacts", "packages": ["*"], "build_id": setup.build.id,
        "sub": known["sub"], "exp": known["exp"], "iat": known["iat"], "jti": known["jti"],
    });
    assert_eq!(known, expected);
    assert!(known["sub"].as_str().unwrap().starts_with("exchange:self:repo%3A"), "{known}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_may_issue_a_jwt_with_a_subject_that_no_build_can_have() {
    let setup = ExchangeSetup::open().await;
    let requested = ("requested_token_type", "urn:ietf:params:oauth:token-type:jwt");
    let reply = setup.exchange(&setup.token(SIGNED).await, &[requested]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let answer = reply.json();
    assert_eq!(answer["expires_in"], 600);
    let jwt = answer["access_token"].as_str().unwrap();
    let issued = claims(jwt);
    assert_eq!(issued["aud"], SIGNED);
    assert_eq!(issued["scope"], "read");
    assert_eq!(issued["grant"], "signed");
    assert!(issued["sub"].as_str().unwrap().starts_with("exchange:self:"), "{issued}");
    assert_eq!(issued["subject_claims"]["repo"], "acme/app", "the build's claims are nested");
    assert_eq!(issued.get("repo"), None);
    assert!(setup.is_active(jwt).await);
    // It is no subject token: its `typ` differs.
    let again = setup.exchange(jwt, &[]).await;
    assert_eq!((again.status, again.json()["error"].clone()), (400, json!("invalid_request")));
}

/// Parameters beside a valid token, each with its error.
#[tokio::test(flavor = "multi_thread")]
async fn every_invalid_parameter_has_its_error() {
    let setup = ExchangeSetup::open().await;
    let token_type = |of: &'static str| ("requested_token_type", of);
    let cases: [(&[(&str, &str)], &str); 10] = [
        (&[("audience", "https://other.example.com")], "invalid_target"),
        (&[("resource", "https://other.example.com")], "invalid_target"),
        (&[("audience", ARTEFACTS), ("audience", SIGNED)], "invalid_target"),
        (&[("audience", ARTEFACTS), ("resource", ARTEFACTS)], "invalid_target"),
        (&[("scope", "read admin")], "invalid_scope"),
        (&[("actor_token", "x")], "invalid_request"),
        (&[token_type("urn:ietf:params:oauth:token-type:jwt")], "invalid_request"),
        (&[token_type("urn:ietf:params:oauth:token-type:saml2")], "invalid_request"),
        (&[("scope", "read"), ("scope", "write")], "invalid_request"),
        (&[("subject_token_type", "urn:ietf:params:oauth:token-type:jwt")], "invalid_request"),
    ];
    for (more, error) in cases {
        let reply = setup.exchange(&setup.token(ARTEFACTS).await, more).await;
        assert_eq!(reply.status, 400, "{more:?}: {}", reply.text);
        assert_eq!(reply.json()["error"], error, "{more:?}: {}", reply.text);
    }
    let unlisted = setup.exchange(&setup.token("https://nobody.example.com").await, &[]).await;
    assert_eq!(unlisted.json()["error"], "invalid_target", "an audience that no grant has");
    let ignored = setup.exchange(&setup.token(ARTEFACTS).await, &[("client_id", "x"), ("foo", "bar")]).await;
    assert_eq!(ignored.status, 200, "unknown parameters are ignored: {}", ignored.text);

    // With an invalid token every answer is the same.
    for more in [&[("audience", "https://other.example.com")][..], &[("scope", "admin")], &[]] {
        let reply = setup.exchange("a.b.c", more).await;
        assert_eq!(reply.json()["error"], "invalid_request", "{more:?}");
    }
    let other = [("grant_type", "client_credentials")];
    let reply = setup.form("/oauth/token", Auth::None, &other).await;
    assert_eq!(reply.json()["error"], "unsupported_grant_type");
    let nothing = setup.form("/oauth/token", Auth::None, &[]).await;
    assert_eq!(nothing.json()["error"], "invalid_request");
    let json = setup.server.post("/oauth/token", Auth::None, &json!({ "grant_type": "x" })).await;
    assert_eq!(json.json()["error"], "invalid_request", "must be a form");
    let head = setup.server.send(Method::HEAD, "/oauth/token", Auth::None, None).await;
    assert_eq!(head.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_redeemed_once_and_not_by_a_failed_exchange() {
    let setup = ExchangeSetup::open().await;
    let token = setup.token(ARTEFACTS).await;
    assert_eq!(setup.exchange(&token, &[("scope", "admin")]).await.status, 400);
    assert_eq!(setup.exchange(&token, &[("audience", SIGNED)]).await.status, 400);
    assert_eq!(setup.exchange(&token, &[]).await.status, 200);
    let again = setup.exchange(&token, &[]).await;
    assert_eq!(again.status, 400);
    let description = again.json()["error_description"].as_str().unwrap().to_owned();
    assert!(description.starts_with("the subject token has been used"), "{description}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_may_allow_repeated_exchanges_of_a_token() {
    let setup = ExchangeSetup::open().await;
    setup.apply("[[grants]]\nname=\"often\"\nprovider=\"self\"\naudience=\"often\"\nsingle_use=false\n").await;
    let token = setup.token("often").await;
    let keys = [setup.exchange(&token, &[]).await, setup.exchange(&token, &[]).await];
    let keys = keys.map(|reply| reply.json()["access_token"].as_str().unwrap().to_owned());
    assert_ne!(keys[0], keys[1]);
    // Once revoked, it is rejected, and the credentials issued for it are revoked.
    assert_eq!(setup.form("/oauth/revoke", Auth::None, &[("token", &token)]).await.status, 200);
    assert!(!setup.is_active(&keys[0]).await && !setup.is_active(&keys[1]).await);
    assert_eq!(setup.exchange(&token, &[]).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_grant_with_a_true_condition_decides() {
    let setup = ExchangeSetup::open().await;
    let rules = r#"
[[grants]]
name = "first"
provider = "self"
audience = "shared"
when = 'identity.oidc.claims.branch == "never"'
scopes = ["a"]
[[grants]]
name = "failing"
provider = "self"
audience = "shared"
when = 'identity.oidc.claims.nothing == "x"'
scopes = ["b"]
[[grants]]
name = "second"
provider = "self"
audience = "shared"
when = '"c" in request.scopes'
scopes = ["c"]
"#;
    setup.apply(rules).await;
    let denied = setup.exchange(&setup.token("shared").await, &[]).await;
    assert_eq!(denied.json()["error"], "invalid_request", "request.scopes is absent: no answer, so no grant");
    let reply = setup.exchange(&setup.token("shared").await, &[("scope", "c")]).await;
    assert_eq!((reply.status, reply.json()["scope"].clone()), (200, json!("c")), "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_build_gets_a_credential_only_if_a_grant_allows_it() {
    let setup = ExchangeSetup::open().await;
    setup.apply("[[grants]]\nname=\"open\"\nprovider=\"self\"\naudience=\"open\"\nallow_untrusted=true\n").await;
    let toml = "[[issuance.rules]]\nname=\"forks\"\naudiences=[\"open\",\"https://signed.example.com\"]\nallow_untrusted=true\n";
    let setup = ExchangeSetup {
        server: setup.server.restart(&format!("{}{toml}", crate::harness::exchange_setup::TOML)).await,
        ..setup
    };
    let build = setup.server.register(&setup.client, &fork()).await;
    let token = setup.token_of(&build.id, json!({ "audience": SIGNED })).await;
    let refused = setup.exchange(&token, &[]).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("trusted is false"), "its holder may know: {}", refused.text);
    let token = setup.token_of(&build.id, json!({ "audience": "open" })).await;
    assert_eq!(setup.exchange(&token, &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_external_token_is_redeemed_and_its_refusal_is_not_explained() {
    let setup = ExchangeSetup::open().await;
    let rules = format!(
        "{}[[grants]]\nname=\"partner\"\nprovider=\"partner\"\naudience=\"registry.example\"\n\
         when='identity.oidc.claims.repository == \"acme/app\"'\ntoken=\"jwt\"\n",
        setup.external_providers()
    );
    setup.apply(&rules).await;
    let reply = setup.exchange(&setup.partner(json!({})), &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let issued = claims(reply.json()["access_token"].as_str().unwrap());
    assert_eq!(issued["sub"], "exchange:partner:repo%3Aacme%2Fapp");
    assert_eq!(issued["iss"], "https://ci.example.com");
    let refused = setup.exchange(&setup.partner(json!({ "jti": "other", "repository": "evil/app" })), &[]).await;
    let description = refused.json()["error_description"].as_str().unwrap().to_owned();
    assert!(description.starts_with("the subject token was refused; request "), "{description}");
    // Without a jti, the claims identify the token, whatever its signature.
    let nameless = json!({ "jti": null });
    assert_eq!(setup.exchange(&setup.partner(nameless.clone()), &[]).await.status, 200);
    assert_eq!(setup.exchange(&setup.partner(nameless), &[]).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn introspection_shows_a_downstream_server_its_own_audiences_only() {
    let setup = ExchangeSetup::open().await;
    let key = setup.granted(ARTEFACTS).await;
    let id_token = setup.token(SIGNED).await;
    let ask = async |audiences: Vec<&str>, scopes: Vec<Scope>, token: &str| {
        let audiences: Vec<_> = audiences.iter().map(|audience| audience.parse().unwrap()).collect();
        let client = setup.server.client_with(|client| (client.scopes, client.audiences) = (scopes, audiences)).await;
        setup.form("/oauth/introspect", Auth::Client(&client), &[("token", token)]).await
    };
    let introspects = || vec![Scope::TokensIntrospect];
    assert_eq!(ask(vec![ARTEFACTS], introspects(), &key).await.json()["active"], true);
    assert_eq!(ask(vec!["https://*.example.com"], introspects(), &key).await.json()["active"], true);
    let unknown = json!({ "active": false });
    assert_eq!(ask(vec![SIGNED], introspects(), &key).await.json(), unknown);
    assert_eq!(ask(vec![], introspects(), "bpk_nothing").await.json(), unknown);
    assert_eq!(ask(vec![], introspects(), "a.b.c").await.json(), unknown);
    let known = ask(vec![SIGNED], introspects(), &id_token).await.json();
    assert_eq!((known["active"].clone(), known["token_type"].clone()), (json!(true), json!("N_A")), "{known}");
    assert_eq!(ask(vec![ARTEFACTS], introspects(), &id_token).await.json(), unknown);
    assert_eq!(ask(vec![], vec![Scope::BuildsWrite], &key).await.status, 403);
    assert_eq!(setup.form("/oauth/introspect", Auth::None, &[("token", &key)]).await.status, 401);
    setup.finish().await;
    assert_eq!(ask(vec![], introspects(), &id_token).await.json(), unknown, "the build is finished");
}

/// A store that checks `active` alone accepts nothing that forward auth refuses.
#[tokio::test(flavor = "multi_thread")]
async fn a_used_token_is_not_active() {
    let setup = ExchangeSetup::open().await;
    let token = setup.token(ARTEFACTS).await;
    assert!(setup.is_active(&token).await);
    assert_eq!(setup.exchange(&token, &[]).await.status, 200);
    assert!(!setup.is_active(&token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_holder_of_a_token_may_revoke_it() {
    let setup = ExchangeSetup::open().await;
    let key = setup.granted(ARTEFACTS).await;
    let jwt = setup.granted(SIGNED).await;
    for token in [&key, &jwt] {
        assert!(setup.is_active(token).await);
        assert_eq!(setup.form("/oauth/revoke", Auth::None, &[("token", token)]).await.status, 200);
        assert!(!setup.is_active(token).await);
        assert_eq!(setup.form("/oauth/revoke", Auth::None, &[("token", token)]).await.status, 200, "twice");
    }
    assert_eq!(setup.form("/oauth/revoke", Auth::None, &[("token", "bpk_unknown")]).await.status, 200);
    assert_eq!(setup.form("/oauth/revoke", Auth::None, &[]).await.status, 400);
    // A revoked ID token is rejected, and credentials issued for it are revoked.
    let unused = setup.token(ARTEFACTS).await;
    let other = setup.token(ARTEFACTS).await;
    let issued = setup.exchange(&other, &[]).await.json()["access_token"].as_str().unwrap().to_owned();
    for token in [&unused, &other] {
        assert_eq!(setup.form("/oauth/revoke", Auth::None, &[("token", token)]).await.status, 200);
        assert!(!setup.is_active(token).await);
    }
    assert_eq!(setup.exchange(&unused, &[]).await.status, 400);
    assert!(!setup.is_active(&issued).await);
}

/// A provider may let holders of its tokens read which claim failed, and its value.
#[tokio::test(flavor = "multi_thread")]
async fn a_holder_reads_the_failed_claim_in_every_flow_if_the_provider_allows_it() {
    let setup = ExchangeSetup::open().await;
    let explained = "explain_to_holders=true\nrequired_claims=[\"team\"]\njwks";
    let grant = "[[grants]]\nname=\"partner\"\nprovider=\"partner\"\naudience=\"registry.example\"\n";
    setup.apply(&(setup.external_providers().replacen("jwks", explained, 1) + grant)).await;
    let token = setup.partner(json!({}));
    let reply = setup.exchange(&token, &[]).await;
    let description = reply.json()["error_description"].as_str().unwrap().to_owned();
    assert!(description.starts_with("the subject token's team is missing; request "), "{description}");
    let asked = async |token: &str| {
        let bearer = format!("Bearer {token}");
        let reply = setup.authz("partner", "GET", "/", &[("authorization", &bearer)]).await;
        (reply.status, reply.header("x-buildpass-reason").map(str::to_owned))
    };
    assert_eq!(asked(&token).await, (401, Some("team: missing".to_owned())));
    let good = setup.partner(json!({ "team": "a" }));
    assert_eq!(asked(&good).await, (200, None));
    assert_eq!(setup.exchange(&good, &[]).await.status, 200);
    assert_eq!(asked(&good).await, (401, Some("jti: used or revoked".to_owned())));
    assert_eq!(asked(&setup.partner(json!({ "aud": "elsewhere" }))).await, (401, None), "for another audience");
}

/// A credential may outlive its subject token.
#[tokio::test(flavor = "multi_thread")]
async fn an_expired_external_token_can_be_revoked() {
    let setup = ExchangeSetup::open().await;
    let grant = "[[grants]]\nname=\"partner\"\nprovider=\"partner\"\naudience=\"registry.example\"\nvalid_for=\"1h\"\n";
    setup.apply(&(setup.external_providers() + grant)).await;
    let token = setup.partner(json!({}));
    let key = setup.exchange(&token, &[]).await.json()["access_token"].as_str().unwrap().to_owned();
    setup.server.clock.advance(1_800);
    setup.server.app.issuer().step().await.unwrap();
    let (text, _) = token.rsplit_once('.').unwrap();
    let unsigned = format!("{text}.{}", "A".repeat(342));
    assert_eq!(setup.form("/oauth/revoke", Auth::None, &[("token", &unsigned)]).await.status, 200);
    assert!(setup.is_active(&key).await, "revocation requires the signature");
    assert_eq!(setup.form("/oauth/revoke", Auth::None, &[("token", &token)]).await.status, 200);
    assert!(!setup.is_active(&key).await);
}

/// RFC 6749 §3.2 and §5.2.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_parameter_is_ignored_and_one_that_is_not_utf8_is_invalid() {
    let setup = ExchangeSetup::open().await;
    let empty = [("scope", ""), ("audience", ""), ("resource", ""), ("actor_token", ""), ("requested_token_type", "")];
    let reply = setup.exchange(&setup.token(ARTEFACTS).await, &empty).await;
    assert_eq!((reply.status, reply.json()["scope"].clone()), (200, json!("read write")), "{}", reply.text);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for body in ["grant_type=%ff", "subject_token=%ff&grant_type=x"] {
        let reply = setup.server.with_headers(Method::POST, "/oauth/token", &form, body).await;
        assert_eq!((reply.status, reply.json()["error"].clone()), (400, json!("invalid_request")), "{}", reply.text);
        assert!(reply.json()["error_description"].as_str().unwrap().contains("UTF-8"), "{}", reply.text);
    }
    let reply = setup.server.with_headers(Method::POST, "/oauth/revoke", &form, "token=%ff").await;
    assert_eq!((reply.status, reply.json()["error"].clone()), (400, json!("invalid_request")), "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_name_the_token_endpoint_while_the_exchange_is_enabled() {
    let setup = ExchangeSetup::open().await;
    let document =
        async |setup: &ExchangeSetup| setup.server.get("/.well-known/openid-configuration", Auth::None).await.json();
    let named: Value = document(&setup).await;
    assert_eq!(named["token_endpoint"], "https://ci.example.com/oauth/token");
    assert_eq!(named["token_endpoint_auth_methods_supported"], json!(["none"]));
    let closed = crate::harness::exchange_setup::TOML.replace("[exchange]", "[exchange]\nenabled = false");
    let setup = ExchangeSetup { server: setup.server.restart(&closed).await, ..setup };
    assert_eq!(document(&setup).await.get("token_endpoint"), None);
    for path in ["/oauth/token", "/api/v2/token", "/token", "/authz/artefacts", "/v3/index.json"] {
        assert_eq!(setup.server.get(path, Auth::None).await.status, 404, "{path}");
    }
}
