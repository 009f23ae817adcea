//! A small artefact store without passwords. A trusted build of an artefact's repository may put the artefact, and
//! every build of the repository's organisation may get the artefact.
//!
//! ```text
//! registry ISSUER AUDIENCE [ADDRESS]
//! ```

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own")]

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::error::Error;
use std::sync::{Arc, RwLock};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode};
use axum::routing::get;
use buildpass::base::SystemClock;
use buildpass::policy::{AccessPolicy, AccessPolicySpec, AccessRequest, RepositoryPolicies};
use buildpass::verifier::{Provider, ProviderSpec, RequireToken, VerifiedToken, Verifiers};
use tokio::net::TcpListener;

/// Access rules: the first allows builds to put an artefact, the second allows builds to get an artefact.
/// `request.repository` is the artefact's repository, such as `acme/app`.
const RULES: [&str; 2] = [
    "request.action == 'put' && identity.oidc.claims.repo == request.repository && identity.oidc.claims.trusted == 'true'",
    "request.action == 'get' && request.repository.startsWith(identity.oidc.claims.org + '/')",
];

struct Store {
    policies: RepositoryPolicies,
    artefacts: RwLock<HashMap<String, Bytes>>,
}

impl Store {
    /// Decides by the access policies whether the token allows the action. The reason of a denial is logged, and not
    /// disclosed to the client.
    fn decide(&self, token: &VerifiedToken, action: &str, repository: &str) -> Result<(), StatusCode> {
        let request = AccessRequest {
            provider: token.provider_name(),
            claims: token.claims().all(),
            untrusted: token.is_untrusted_build(),
            action,
            repository,
        };
        self.policies.decide(&request).map_err(|denied| {
            eprintln!("denied: {action} {repository}: {denied}");
            StatusCode::FORBIDDEN
        })
    }
}

async fn artefact(
    State(store): State<Arc<Store>>,
    token: VerifiedToken,
    method: Method,
    Path((org, repo, name)): Path<(String, String, String)>,
    body: Bytes,
) -> Result<(StatusCode, Bytes), StatusCode> {
    let repository = format!("{org}/{repo}");
    let action = if method == Method::PUT { "put" } else { "get" };
    let place = format!("{repository}/{name}");
    // Rules may loop over lists in the token's claims. A long loop would block the threads that serve other requests.
    let policies = Arc::clone(&store);
    let decided = tokio::task::spawn_blocking(move || policies.decide(&token, action, &repository)).await;
    decided.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)??;
    if method == Method::PUT {
        let mut artefacts = store.artefacts.write().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        artefacts.insert(place, body);
        return Ok((StatusCode::CREATED, Bytes::new()));
    }
    let artefacts = store.artefacts.read().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok((StatusCode::OK, artefacts.get(&place).cloned().ok_or(StatusCode::NOT_FOUND)?))
}

/// Returns a verifier for tokens of this issuer, the address of which may be on loopback.
fn verifiers(issuer: String) -> Result<Verifiers, Box<dyn Error>> {
    let spec = ProviderSpec {
        kind: "vela".to_owned(),
        issuer: Some(issuer),
        allow_private: vec!["127.0.0.1".to_owned(), "localhost".to_owned()],
        ..ProviderSpec::default()
    };
    Ok(Verifiers::of(vec![Provider::new("ci", spec)?], Arc::new(SystemClock::new()))?)
}

/// Returns the access policies of the store: one policy with the same rules for each of these organisations.
fn policies(organizations: &[&str]) -> Result<RepositoryPolicies, Box<dyn Error>> {
    let mut policies = BTreeMap::new();
    for organization in organizations {
        let spec = AccessPolicySpec {
            rules: RULES.iter().map(|rule| (*rule).to_owned()).collect(),
            providers: vec!["ci".to_owned()],
            ..AccessPolicySpec::default()
        };
        policies.insert((*organization).to_owned(), AccessPolicy::new(spec)?);
    }
    Ok(RepositoryPolicies::new(policies))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(issuer), Some(audience)) = (arguments.next(), arguments.next()) else {
        return Err("usage: registry ISSUER AUDIENCE [ADDRESS]".into());
    };
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let store = Store { policies: policies(&["acme"])?, artefacts: RwLock::default() };
    let router = Router::new()
        .route("/{org}/{repo}/{name}", get(artefact).put(artefact))
        .layer(RequireToken::new(verifiers(issuer)?, audience))
        .with_state(Arc::new(store));
    let listener = TcpListener::bind(&address).await?;
    println!("artefacts at http://{}", listener.local_addr()?);
    axum::serve(listener, router).await?;
    Ok(())
}
