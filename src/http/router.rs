//! Every route on one screen.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};

use super::error::{Code, Problem};
use super::layers;
use super::routes::{builds, documents, health, id_tokens, metrics, request_tokens};
use super::serve::Door;

/// What strangers, jobs and CI servers reach.
pub(super) fn public(door: &Door) -> Router {
    let paths = door.app.issuer().paths();
    let mut router = Router::new().without_v07_checks();
    for prefix in paths.document_prefixes() {
        router = router
            .route(&format!("{prefix}/.well-known/openid-configuration"), get(documents::discovery))
            .route(&format!("{prefix}/.well-known/jwks"), get(documents::jwks))
            .route(&format!("{prefix}/.well-known/jwks.json"), get(documents::jwks))
            .route(&format!("{prefix}/authorize"), get(documents::authorize));
    }
    router = router.route(&paths.authorization_server_metadata(), get(documents::discovery));

    let api = Router::new()
        .route("/api/v1/builds", post(builds::register))
        .route("/api/v1/builds/{id}", get(builds::show))
        .route("/api/v1/builds/{id}/finish", post(builds::finish))
        .route("/api/v1/builds/{id}/request_tokens", post(request_tokens::create))
        .route("/api/v1/builds/{id}/request_tokens/{token}", delete(request_tokens::end))
        .route("/api/v1/builds/{id}/id_tokens", post(id_tokens::create))
        .route(
            "/api/v1/builds/{id}/id_token",
            get(id_tokens::pull).post(id_tokens::pull).head(|| mints_nothing("GET, POST")),
        )
        .route(
            "/api/v1/repos/{org}/{repo}/builds/{number}/id_token",
            get(id_tokens::pull_as_vela).head(|| mints_nothing("GET")),
        );
    router = match paths.api_prefix() {
        "" => router.merge(api),
        prefix => router.nest(prefix, api),
    };
    finish(router.merge(health_routes()), door)
}

/// What operators reach.
pub(super) fn admin(door: &Door) -> Router {
    finish(health_routes().route("/metrics", get(metrics::render)), door)
}

fn health_routes() -> Router<Door> {
    Router::new().route("/health/live", get(health::live)).route("/health/ready", get(health::ready))
}

fn finish(router: Router<Door>, door: &Door) -> Router {
    let router = router
        .fallback(|| async { Problem::new(Code::NotFound, "there is nothing at this path") })
        .method_not_allowed_fallback(|| async {
            Problem::new(Code::MethodNotAllowed, "not by this method; see Allow")
        });
    layers::wrap(router, door).with_state(door.clone())
}

/// HEAD would run GET's handler and mint a token that nobody receives.
async fn mints_nothing(allow: &'static str) -> impl IntoResponse {
    ([(header::ALLOW, allow)], Problem::new(Code::MethodNotAllowed, "not by this method; see Allow"))
}
