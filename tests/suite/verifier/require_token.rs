//! The tower layer and the axum extractor for other services.

use std::future::IntoFuture;

use axum::Router;
use axum::routing::get;
use buildpass::verifier::{ProviderSpec, RequireToken, VerifiedToken};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::json;
use tokio::net::TcpListener;

use super::forge::Forge;
use super::remote::spec_at;
use super::stranger::Stranger;
use super::{spec, verifiers};

async fn repository(token: VerifiedToken) -> String {
    token.claims().text("repository").unwrap_or_default().to_owned()
}

async fn served(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    url
}

/// Status, challenge and body of the answer to these `Authorization` headers.
async fn answer(url: &str, authorization: &[&str]) -> (u16, String, String) {
    let headers: HeaderMap =
        authorization.iter().map(|value| (AUTHORIZATION, HeaderValue::from_str(value).unwrap())).collect();
    let mut request = reqwest::Client::new().get(url);
    for value in headers.get_all(AUTHORIZATION) {
        request = request.header(AUTHORIZATION, value);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let of = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let challenge = of("www-authenticate").or(of("retry-after")).unwrap_or_default();
    (status, challenge, response.text().await.unwrap())
}

#[tokio::test]
async fn a_valid_token_passes_with_its_claims_and_a_rejection_says_no_reason() {
    let forge = Forge::new();
    let any = ProviderSpec { required_audience: None, ..spec(&forge) };
    let (verifiers, _) = verifiers(vec![("forge", any)]);
    let url = served(Router::new().route("/", get(repository)).layer(RequireToken::new(verifiers, "service"))).await;
    let good = forge.with_claims(json!({ "aud": "service" }));
    let other = forge.good_token();
    let (bearer, lower) = (format!("Bearer {good}"), format!("bearer {good}"));
    let invalid = || (401, r#"Bearer error="invalid_token""#.to_owned(), String::new());
    let none = || (401, "Bearer".to_owned(), String::new());
    let came = || (200, String::new(), "acme/app".to_owned());
    assert_eq!(answer(&url, &[&bearer]).await, came());
    assert_eq!(answer(&url, &[&lower]).await, came());
    assert_eq!(answer(&url, &[]).await, none());
    assert_eq!(answer(&url, &[&good]).await, none());
    assert_eq!(answer(&url, &["Basic dTpw"]).await, none());
    assert_eq!(answer(&url, &["Bearer "]).await, none());
    assert_eq!(answer(&url, &["Bearer x"]).await, invalid());
    assert_eq!(answer(&url, &[&bearer, &bearer]).await, invalid());
    assert_eq!(answer(&url, &[&format!("Bearer {other}")]).await, invalid(), "for another audience");
}

/// Of two providers with one issuer, neither accepts the other's audience, whatever audience the layer requires.
#[tokio::test]
async fn a_providers_required_audience_binds_beside_the_layers() {
    let forge = Forge::new();
    let entry = |audience: &str| ProviderSpec { required_audience: Some(audience.to_owned()), ..spec(&forge) };
    let (verifiers, _) = verifiers(vec![("a", entry("service")), ("b", entry("other"))]);
    let url = served(Router::new().route("/", get(repository)).layer(RequireToken::new(verifiers, "service"))).await;
    let (verifiers, _) = super::verifiers(vec![("a", entry("one")), ("b", entry("other"))]);
    let neither =
        served(Router::new().route("/", get(repository)).layer(RequireToken::new(verifiers, "service"))).await;
    let bearer = format!("Bearer {}", forge.with_claims(json!({ "aud": "service" })));
    assert_eq!(answer(&url, &[&bearer]).await.0, 200);
    assert_eq!(answer(&neither, &[&bearer]).await.0, 401);
}

#[tokio::test]
async fn an_issuer_that_is_down_is_503_with_retry_after() {
    let forge = Forge::new();
    let down = Stranger::start().await;
    let token = forge.with_claims(json!({ "iss": down.url, "aud": "service" }));
    let (verifiers, _) = verifiers(vec![("down", spec_at(&down))]);
    let url = served(Router::new().route("/", get(repository)).layer(RequireToken::new(verifiers, "service"))).await;
    assert_eq!(answer(&url, &[&format!("Bearer {token}")]).await, (503, "10".to_owned(), String::new()));
}

#[tokio::test]
async fn without_the_layer_every_request_is_rejected() {
    let url = served(Router::new().route("/", get(repository))).await;
    assert_eq!(answer(&url, &["Bearer x"]).await.0, 401);
}
