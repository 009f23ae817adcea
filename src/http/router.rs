//! The routes of the public listener and of the admin listener.

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{any, delete, get, post};

use super::dialects::{forward_auth, nuget, registry, rubygems, token_exchange};
use super::error::{Code, NO_SUCH_PATH, Problem};
use super::layers;
use super::routes::{admin, builds, documents, health, id_tokens, metrics, publications, request_tokens};
use super::state::AppState;

/// Returns the routes of the public listener, for verifiers, CI jobs and CI servers.
pub(super) fn public(state: &AppState) -> Router {
    let paths = state.app.issuer().paths();
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
        .route("/api/v1/builds/{id}/request_tokens/{token}", delete(request_tokens::revoke))
        .route("/api/v1/builds/{id}/id_tokens", post(id_tokens::create))
        .route(
            "/api/v1/builds/{id}/id_token",
            get(id_tokens::pull).post(id_tokens::pull).head(|| refused_method("GET, POST")),
        )
        .route(
            "/api/v1/repos/{org}/{repo}/builds/{number}/id_token",
            get(id_tokens::pull_as_vela).head(|| refused_method("GET")),
        );
    let api = if state.app.exchange().is_some() { api.merge(exchange_routes()) } else { api };
    router = match paths.api_prefix() {
        "" => router.merge(api),
        prefix => router.nest(prefix, api),
    };
    with_layers(router.merge(health_routes()), state)
}

/// Returns the routes of the exchange, which exist only if the exchange is enabled.
fn exchange_routes() -> Router<AppState> {
    Router::new()
        .route("/oauth/token", post(token_exchange::token))
        .route("/oauth/introspect", post(token_exchange::introspect))
        .route("/oauth/revoke", post(token_exchange::revoke))
        .route("/api/v1/publications", post(publications::record))
        .route("/api/v1/oidc/api_key_roles/{token}/assume_role", post(rubygems::assume_role))
        .route("/api/v1/oidc/trusted_publisher/exchange_token", post(rubygems::exchange_token))
        .route("/api/v1/oidc/providers", get(rubygems::providers))
        .route("/api/v1/oidc/providers/{id}", get(rubygems::provider))
        .route("/api/v1/oidc/api_key_roles", get(rubygems::roles))
        .route("/api/v1/oidc/api_key_roles/{token}", get(rubygems::role))
        .route("/api/v1/oidc/id_tokens", get(rubygems::id_tokens))
        .route("/api/v1/oidc/id_tokens/{id}", get(rubygems::id_token))
        .route("/api/v2/token", post(nuget::token))
        .route("/v3/index.json", get(nuget::service_index))
        // Container clients try POST first, and fall back to GET on the status 405.
        .route("/token", get(registry::token).head(|| refused_method("GET")).post(|| refused_method("GET")))
        .route("/authz/{grant}", any(forward_auth::authorize))
        .route("/authz/{grant}/", any(forward_auth::authorize))
        .route("/authz/{grant}/{*path}", any(forward_auth::authorize_path))
}

/// Returns the routes of the admin listener, for operators.
pub(super) fn operators(state: &AppState) -> Router {
    let router = health_routes()
        .route("/metrics", get(metrics::render))
        .route("/admin/v1/keys", get(admin::list_keys))
        .route("/admin/v1/keys/{id}", get(admin::show_key).delete(admin::delete_key))
        .route("/admin/v1/events", get(admin::events))
        .route("/admin/v1/{section}", get(admin::list).post(admin::create))
        .route("/admin/v1/{section}/{id}", get(admin::show).put(admin::update).delete(admin::delete));
    with_layers(router, state)
}

fn health_routes() -> Router<AppState> {
    Router::new().route("/health/live", get(health::live)).route("/health/ready", get(health::ready))
}

fn with_layers(router: Router<AppState>, state: &AppState) -> Router {
    let router = router
        .fallback(|| async { Problem::new(Code::NotFound, NO_SUCH_PATH) })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() });
    layers::wrap(router, state).with_state(state.clone())
}

/// Refuses a method of a path that issues tokens. By default, HEAD would run the handler of GET and issue a token that
/// nobody receives.
async fn refused_method(allow: &'static str) -> impl IntoResponse {
    ([(header::ALLOW, allow)], Problem::method_not_allowed())
}
