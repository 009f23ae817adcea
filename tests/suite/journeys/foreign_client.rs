//! The `openidconnect` crate, the strictest client known, discovers the issuer by its URL and verifies its tokens.

use std::str::FromStr;

use openidconnect::core::{CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreProviderMetadata};
use openidconnect::{ClientId, HttpRequest, HttpResponse, IssuerUrl, Nonce};

use crate::harness::{START, Server};

async fn fetch(request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
    let response = client.execute(request.try_into()?).await?;
    let mut builder = openidconnect::http::Response::builder().status(response.status());
    for (name, value) in response.headers() {
        builder = builder.header(name, value);
    }
    Ok(builder.body(response.bytes().await?.to_vec()).unwrap())
}

fn at(seconds: i64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp(seconds, 0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_strictest_client_accepts_our_tokens_and_no_spoiled_one() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    let issuer = IssuerUrl::new(server.url.clone()).unwrap();
    let metadata = CoreProviderMetadata::discover_async(issuer.clone(), &fetch).await.unwrap();
    let keys: CoreJsonWebKeySet = metadata.jwks().clone();
    assert_eq!(keys.keys().len(), 4);
    let verify = |token: &str, audience: &str, now: i64| {
        let verifier =
            CoreIdTokenVerifier::new_public_client(ClientId::new(audience.to_owned()), issuer.clone(), keys.clone())
                .set_allowed_algs(metadata.id_token_signing_alg_values_supported().clone())
                .set_time_fn(move || at(now));
        let token = CoreIdToken::from_str(token).map_err(|error| error.to_string())?;
        let nonce = |_: Option<&Nonce>| Ok(());
        token.claims(&verifier, nonce).map(|claims| claims.subject().to_string()).map_err(|error| error.to_string())
    };
    let now = START.unix();
    for algorithm in ["RS256", "ES256"] {
        let token = server.pull(&build, &format!("audience=deploy&algorithm={algorithm}")).await.token();
        assert_eq!(
            verify(&token, "deploy", now).as_deref(),
            Ok("repo:acme@42/app@1001:ref:refs/heads/main"),
            "{algorithm}"
        );
        verify(&token, "deploy", now + 299).unwrap();
        for (what, token, audience, now) in [
            ("expired", token.clone(), "deploy", now + 300),
            ("another audience", token.clone(), "other", now),
            ("a changed payload", spoiled(&token, 1), "deploy", now),
            ("a changed signature", spoiled(&token, 2), "deploy", now),
        ] {
            assert!(verify(&token, audience, now).is_err(), "{algorithm} {what}");
        }
    }
}

/// Returns the token with one character of one part changed.
fn spoiled(token: &str, part: usize) -> String {
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let changed = if parts[part].as_bytes()[10] == b'A' { "B" } else { "A" };
    parts[part].replace_range(10..11, changed);
    parts.join(".")
}
