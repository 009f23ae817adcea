//! `/oauth/token` (RFC 8693), `/oauth/introspect` (RFC 7662), `/oauth/revoke` (RFC 7009).

use buildpass::policy::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::market::Market;
use crate::harness::{Auth, claims, fork};

const ARTEFACTS: &str = "https://artefacts.example.com";
const SIGNED: &str = "https://signed.example.com";

#[tokio::test(flavor = "multi_thread")]
async fn a_build_token_becomes_a_key_that_introspection_knows() {
    let market = Market::open().await;
    let token = market.token(ARTEFACTS).await;
    let reply = market.trade(&token, &[("audience", ARTEFACTS), ("scope", "read")]).await;
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
    let known = market.introspect(key).await;
    let expected = json!({
        "active": true, "iss": "https://ci.example.com", "aud": ARTEFACTS, "scope": "read", "token_type": "Bearer",
        "flow": "grant", "grant": "artefacts", "packages": ["*"], "build_id": market.build.id,
        "sub": known["sub"], "exp": known["exp"], "iat": known["iat"], "jti": known["jti"],
    });
    assert_eq!(known, expected);
    assert!(known["sub"].as_str().unwrap().starts_with("exchange:self:repo%3A"), "{known}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_may_give_a_jwt_whose_subject_no_build_can_have() {
    let market = Market::open().await;
    let requested = ("requested_token_type", "urn:ietf:params:oauth:token-type:jwt");
    let reply = market.trade(&market.token(SIGNED).await, &[requested]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let answer = reply.json();
    assert_eq!(answer["expires_in"], 600);
    let jwt = answer["access_token"].as_str().unwrap();
    let said = claims(jwt);
    assert_eq!(said["aud"], SIGNED);
    assert_eq!(said["scope"], "read");
    assert_eq!(said["grant"], "signed");
    assert!(said["sub"].as_str().unwrap().starts_with("exchange:self:"), "{said}");
    assert_eq!(said["subject_claims"]["repo"], "acme/app", "the build's claims stand under a name of their own");
    assert_eq!(said.get("repo"), None);
    assert!(market.lives(jwt).await);
    // Traded again it is no subject token: its `typ` says so.
    let again = market.trade(jwt, &[]).await;
    assert_eq!((again.status, again.json()["error"].clone()), (400, json!("invalid_request")));
}

/// What is sent beside a good token, and what is answered.
#[tokio::test(flavor = "multi_thread")]
async fn every_parameter_that_is_wrong_has_its_error() {
    let market = Market::open().await;
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
        let reply = market.trade(&market.token(ARTEFACTS).await, more).await;
        assert_eq!(reply.status, 400, "{more:?}: {}", reply.text);
        assert_eq!(reply.json()["error"], error, "{more:?}: {}", reply.text);
    }
    let unlisted = market.trade(&market.token("https://nobody.example.com").await, &[]).await;
    assert_eq!(unlisted.json()["error"], "invalid_target", "an audience that no grant has");
    let ignored = market.trade(&market.token(ARTEFACTS).await, &[("client_id", "x"), ("foo", "bar")]).await;
    assert_eq!(ignored.status, 200, "unknown parameters are ignored: {}", ignored.text);

    // Without a token that verifies every answer is the same.
    for more in [&[("audience", "https://other.example.com")][..], &[("scope", "admin")], &[]] {
        let reply = market.trade("a.b.c", more).await;
        assert_eq!(reply.json()["error"], "invalid_request", "{more:?}");
    }
    let other = [("grant_type", "client_credentials")];
    let reply = market.form("/oauth/token", Auth::None, &other).await;
    assert_eq!(reply.json()["error"], "unsupported_grant_type");
    let nothing = market.form("/oauth/token", Auth::None, &[]).await;
    assert_eq!(nothing.json()["error"], "invalid_request");
    let json = market.server.post("/oauth/token", Auth::None, &json!({ "grant_type": "x" })).await;
    assert_eq!(json.json()["error"], "invalid_request", "a form is due");
    let head = market.server.send(Method::HEAD, "/oauth/token", Auth::None, None).await;
    assert_eq!(head.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_spent_once_and_a_failed_exchange_spends_nothing() {
    let market = Market::open().await;
    let token = market.token(ARTEFACTS).await;
    assert_eq!(market.trade(&token, &[("scope", "admin")]).await.status, 400);
    assert_eq!(market.trade(&token, &[("audience", SIGNED)]).await.status, 400);
    assert_eq!(market.trade(&token, &[]).await.status, 200);
    let again = market.trade(&token, &[]).await;
    assert_eq!(again.status, 400);
    let description = again.json()["error_description"].as_str().unwrap().to_owned();
    assert!(description.starts_with("the subject token has been used"), "{description}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_may_let_a_token_be_traded_more_than_once() {
    let market = Market::open().await;
    market.apply("[[grants]]\nname=\"often\"\nprovider=\"self\"\naudience=\"often\"\nsingle_use=false\n").await;
    let token = market.token("often").await;
    let keys = [market.trade(&token, &[]).await, market.trade(&token, &[]).await];
    let keys = keys.map(|reply| reply.json()["access_token"].as_str().unwrap().to_owned());
    assert_ne!(keys[0], keys[1]);
    // Given up, it is traded no more, and what was given for it is dead.
    assert_eq!(market.form("/oauth/revoke", Auth::None, &[("token", &token)]).await.status, 200);
    assert!(!market.lives(&keys[0]).await && !market.lives(&keys[1]).await);
    assert_eq!(market.trade(&token, &[]).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_condition_decides_and_the_first_grant_that_holds() {
    let market = Market::open().await;
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
    market.apply(rules).await;
    let denied = market.trade(&market.token("shared").await, &[]).await;
    assert_eq!(denied.json()["error"], "invalid_request", "request.scopes is absent: no answer, so no grant");
    let reply = market.trade(&market.token("shared").await, &[("scope", "c")]).await;
    assert_eq!((reply.status, reply.json()["scope"].clone()), (200, json!("c")), "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_build_gets_something_only_where_a_grant_says_so() {
    let market = Market::open().await;
    market.apply("[[grants]]\nname=\"open\"\nprovider=\"self\"\naudience=\"open\"\nallow_untrusted=true\n").await;
    let toml = "[[issuance.rules]]\nname=\"forks\"\naudiences=[\"open\",\"https://signed.example.com\"]\nallow_untrusted=true\n";
    let market =
        Market { server: market.server.restart(&format!("{}{toml}", crate::harness::market::TOML)).await, ..market };
    let build = market.server.register(&market.client, &fork()).await;
    let token = market.token_of(&build.id, json!({ "audience": SIGNED })).await;
    let refused = market.trade(&token, &[]).await;
    assert_eq!(refused.status, 400);
    assert!(refused.text.contains("trusted is false"), "its holder may know: {}", refused.text);
    let token = market.token_of(&build.id, json!({ "audience": "open" })).await;
    assert_eq!(market.trade(&token, &[]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_token_is_traded_by_its_provider_and_its_holder_reads_nothing() {
    let market = Market::open().await;
    let rules = format!(
        "{}[[grants]]\nname=\"partner\"\nprovider=\"partner\"\naudience=\"registry.example\"\n\
         when='identity.oidc.claims.repository == \"acme/app\"'\ntoken=\"jwt\"\n",
        market.strangers()
    );
    market.apply(&rules).await;
    let reply = market.trade(&market.partner(json!({})), &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let said = claims(reply.json()["access_token"].as_str().unwrap());
    assert_eq!(said["sub"], "exchange:partner:repo%3Aacme%2Fapp");
    assert_eq!(said["iss"], "https://ci.example.com");
    let refused = market.trade(&market.partner(json!({ "jti": "other", "repository": "evil/app" })), &[]).await;
    let description = refused.json()["error_description"].as_str().unwrap().to_owned();
    assert!(description.starts_with("the subject token was refused; request "), "{description}");
    // Two signatures over one token are one token, and so is one without a jti under another signature.
    let nameless = json!({ "jti": null });
    assert_eq!(market.trade(&market.partner(nameless.clone()), &[]).await.status, 200);
    assert_eq!(market.trade(&market.partner(nameless), &[]).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn introspection_tells_each_downstream_of_its_own_alone() {
    let market = Market::open().await;
    let key = market.granted(ARTEFACTS).await;
    let id_token = market.token(SIGNED).await;
    let ask = async |audiences: Vec<&str>, scopes: Vec<Scope>, token: &str| {
        let audiences: Vec<_> = audiences.iter().map(|audience| audience.parse().unwrap()).collect();
        let client = market.server.client_with(|client| (client.scopes, client.audiences) = (scopes, audiences)).await;
        market.form("/oauth/introspect", Auth::Client(&client), &[("token", token)]).await
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
    assert_eq!(market.form("/oauth/introspect", Auth::None, &[("token", &key)]).await.status, 401);
    market.finish().await;
    assert_eq!(ask(vec![], introspects(), &id_token).await.json(), unknown, "its build ended");
}

/// A store that looks at `active` alone takes nothing that forward auth refuses.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_spent_is_not_active_any_more() {
    let market = Market::open().await;
    let token = market.token(ARTEFACTS).await;
    assert!(market.lives(&token).await);
    assert_eq!(market.trade(&token, &[]).await.status, 200);
    assert!(!market.lives(&token).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_it_may_give_it_up() {
    let market = Market::open().await;
    let key = market.granted(ARTEFACTS).await;
    let jwt = market.granted(SIGNED).await;
    for token in [&key, &jwt] {
        assert!(market.lives(token).await);
        assert_eq!(market.form("/oauth/revoke", Auth::None, &[("token", token)]).await.status, 200);
        assert!(!market.lives(token).await);
        assert_eq!(market.form("/oauth/revoke", Auth::None, &[("token", token)]).await.status, 200, "twice");
    }
    assert_eq!(market.form("/oauth/revoke", Auth::None, &[("token", "bpk_unknown")]).await.status, 200);
    assert_eq!(market.form("/oauth/revoke", Auth::None, &[]).await.status, 400);
    // An ID token that is given up buys nothing, and what it bought is dead.
    let unspent = market.token(ARTEFACTS).await;
    let other = market.token(ARTEFACTS).await;
    let bought = market.trade(&other, &[]).await.json()["access_token"].as_str().unwrap().to_owned();
    for token in [&unspent, &other] {
        assert_eq!(market.form("/oauth/revoke", Auth::None, &[("token", token)]).await.status, 200);
        assert!(!market.lives(token).await);
    }
    assert_eq!(market.trade(&unspent, &[]).await.status, 400);
    assert!(!market.lives(&bought).await);
}

/// Of what an entry demands, its own people may read which claim it was and what stood there.
#[tokio::test(flavor = "multi_thread")]
async fn a_holder_who_may_know_reads_the_claim_at_every_door() {
    let market = Market::open().await;
    let told = "explain_to_holders=true\nrequired_claims=[\"team\"]\njwks";
    let grant = "[[grants]]\nname=\"partner\"\nprovider=\"partner\"\naudience=\"registry.example\"\n";
    market.apply(&(market.strangers().replacen("jwks", told, 1) + grant)).await;
    let token = market.partner(json!({}));
    let reply = market.trade(&token, &[]).await;
    let description = reply.json()["error_description"].as_str().unwrap().to_owned();
    assert!(description.starts_with("the subject token's team is missing; request "), "{description}");
    let asked = async |token: &str| {
        let bearer = format!("Bearer {token}");
        let reply = market.authz("partner", "GET", "/", &[("authorization", &bearer)]).await;
        (reply.status, reply.header("x-buildpass-reason").map(str::to_owned))
    };
    assert_eq!(asked(&token).await, (401, Some("team: missing".to_owned())));
    let good = market.partner(json!({ "team": "a" }));
    assert_eq!(asked(&good).await, (200, None));
    assert_eq!(market.trade(&good, &[]).await.status, 200);
    assert_eq!(asked(&good).await, (401, Some("jti: used or revoked".to_owned())));
    assert_eq!(asked(&market.partner(json!({ "aud": "elsewhere" }))).await, (401, None), "for another audience");
}

/// What was given for a token may outlive it.
#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_token_can_be_given_up_when_its_time_is_over() {
    let market = Market::open().await;
    let grant = "[[grants]]\nname=\"partner\"\nprovider=\"partner\"\naudience=\"registry.example\"\nvalid_for=\"1h\"\n";
    market.apply(&(market.strangers() + grant)).await;
    let token = market.partner(json!({}));
    let key = market.trade(&token, &[]).await.json()["access_token"].as_str().unwrap().to_owned();
    market.server.clock.advance(1_800);
    market.server.app.issuer().step().await.unwrap();
    let (text, _) = token.rsplit_once('.').unwrap();
    let unsigned = format!("{text}.{}", "A".repeat(342));
    assert_eq!(market.form("/oauth/revoke", Auth::None, &[("token", &unsigned)]).await.status, 200);
    assert!(market.lives(&key).await, "who has not its signature has not the token");
    assert_eq!(market.form("/oauth/revoke", Auth::None, &[("token", &token)]).await.status, 200);
    assert!(!market.lives(&key).await);
}

/// RFC 6749 §3.2 and §5.2.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_without_a_value_was_not_sent_and_what_is_no_text_is_an_invalid_request() {
    let market = Market::open().await;
    let empty = [("scope", ""), ("audience", ""), ("resource", ""), ("actor_token", ""), ("requested_token_type", "")];
    let reply = market.trade(&market.token(ARTEFACTS).await, &empty).await;
    assert_eq!((reply.status, reply.json()["scope"].clone()), (200, json!("read write")), "{}", reply.text);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for body in ["grant_type=%ff", "subject_token=%ff&grant_type=x"] {
        let reply = market.server.with_headers(Method::POST, "/oauth/token", &form, body).await;
        assert_eq!((reply.status, reply.json()["error"].clone()), (400, json!("invalid_request")), "{}", reply.text);
        assert!(reply.json()["error_description"].as_str().unwrap().contains("UTF-8"), "{}", reply.text);
    }
    let reply = market.server.with_headers(Method::POST, "/oauth/revoke", &form, "token=%ff").await;
    assert_eq!((reply.status, reply.json()["error"].clone()), (400, json!("invalid_request")), "{}", reply.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_name_the_doors_while_they_are_open() {
    let market = Market::open().await;
    let document =
        async |market: &Market| market.server.get("/.well-known/openid-configuration", Auth::None).await.json();
    let named: Value = document(&market).await;
    assert_eq!(named["token_endpoint"], "https://ci.example.com/oauth/token");
    assert_eq!(named["token_endpoint_auth_methods_supported"], json!(["none"]));
    let closed = crate::harness::market::TOML.replace("[exchange]", "[exchange]\nenabled = false");
    let market = Market { server: market.server.restart(&closed).await, ..market };
    assert_eq!(document(&market).await.get("token_endpoint"), None);
    for path in ["/oauth/token", "/api/v2/token", "/token", "/authz/artefacts", "/v3/index.json"] {
        assert_eq!(market.server.get(path, Auth::None).await.status, 404, "{path}");
    }
}
