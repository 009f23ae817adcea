//! The load: 64 connections, each with a build of its own, that request tokens as fast as the server answers. Only
//! tokens received with status 200 count.

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinSet;
use url::Url;

use super::http::Connection;
use super::server::{Credentials, Server};
use crate::base::{Clock as _, SystemClock};
use crate::cli::api::Api;
use crate::cli::failure::Failure;

/// Number of concurrent connections.
pub(super) const CONNECTIONS: usize = 64;

#[derive(Deserialize)]
struct Registered {
    request_url: String,
    request_token: String,
}

/// The open connections of the client that sends requests, reused in every round of the measurement.
pub(super) struct Load {
    connections: Vec<Connection>,
}

impl Load {
    /// Registers a build for each connection, and opens the connections.
    pub(super) async fn prepare(server: &Server, credentials: &Credentials) -> Result<Self, Failure> {
        let url = Url::parse(&server.url).map_err(Failure::unreachable)?;
        let api = Api::of(&url)?;
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for number in 1..=CONNECTIONS {
            let build = registration(number).to_string();
            let url = format!("{}/api/v1/builds", server.url);
            let response = api
                .call(|client| {
                    let request =
                        client.post(&url).basic_auth(&credentials.client_id, Some(&credentials.client_secret));
                    request.header("content-type", "application/json").body(build.clone())
                })
                .await?
                .success()?;
            connections.push(connect(&response.document()?).await?);
        }
        Ok(Self { connections })
    }

    /// Requests tokens for this length of time, and returns the tokens received per second.
    pub(super) async fn measure(&mut self, length: Duration) -> Result<f64, Failure> {
        let clock = std::sync::Arc::new(SystemClock::new());
        let mut tasks = JoinSet::new();
        for mut connection in self.connections.drain(..) {
            let clock = std::sync::Arc::clone(&clock);
            tasks.spawn(async move {
                let mut tokens: u32 = 0;
                while clock.monotonic() < length {
                    let (status, body) = connection.call().await?;
                    if status != 200 || !body.starts_with(b"{\"value\":\"eyJ") {
                        let problem = format!("{status} {}", String::from_utf8_lossy(body));
                        return Err(Failure::refused(format!("the response holds no token: {problem}")));
                    }
                    tokens += 1;
                }
                Ok((connection, tokens))
            });
        }
        let mut total = 0;
        while let Some(done) = tasks.join_next().await {
            let (connection, tokens) = done.map_err(Failure::unreachable)??;
            self.connections.push(connection);
            total += tokens;
        }
        Ok(f64::from(total) / clock.monotonic().as_secs_f64())
    }
}

fn registration(number: usize) -> serde_json::Value {
    json!({
        "org": "acme", "org_id": "42", "repo": "app", "repo_id": "1001", "number": number, "event": "push",
        "author": "octocat", "author_id": "7", "actor": "octocat", "actor_id": "7", "ref": "refs/heads/main",
        "sha": "4b825dc642cb6eb9a060e54bf8d69288fbee4904", "ref_protected": true, "visibility": "private",
        "workflow": "ci.yml", "runner": {"id": "w-3", "environment": "self-hosted"},
        "properties": {"team": "payments"}, "timeout": "1h",
    })
}

async fn connect(build: &Registered) -> Result<Connection, Failure> {
    let url = Url::parse(&build.request_url).map_err(Failure::unreachable)?;
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err(Failure::unreachable("the request URL has no host"));
    };
    let address = format!("{host}:{port}");
    let path = format!("{}?{}&audience=sts.amazonaws.com&algorithm=RS256", url.path(), url.query().unwrap_or_default());
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\r\n", build.request_token);
    Ok(Connection::open(&address, request.into_bytes()).await?)
}
