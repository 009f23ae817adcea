//! `serve`: runs the server until a signal stops it. Logs and the ready line go to standard error.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;

use super::failure::Failure;
use super::installation::Installation;
use super::open_files::OpenFiles;
use super::output;
use super::signals::Signals;
use crate::app::App;
use crate::base::{SystemClock, SystemEntropy};
use crate::config::{Config, Flags};
use crate::http::{self, Limits, Listeners};
use crate::policy::DefaultGrant;
use crate::telemetry;

/// Run the server
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  buildpass serve
  buildpass serve --config /etc/buildpass/buildpass.toml
  buildpass serve --listen 0.0.0.0:8080 --issuer https://ci.example.com

Without a configuration the server listens on 127.0.0.1:8080 and keeps everything in the working directory.")]
pub(super) struct Serve {
    /// Address and port of the public listener; port 0 picks a free port
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Address and port of the admin listener (metrics, health, admin API); empty for no admin listener
    #[arg(long, value_name = "ADDRESS")]
    admin_listen: Option<String>,
    /// Issuer URL, the `iss` claim of the tokens that the server signs
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
}

impl Serve {
    pub(super) async fn run(self, installation: &Installation) -> Result<(), Failure> {
        let flags = Flags { listen: self.listen, admin_listen: self.admin_listen, issuer: self.issuer };
        let config = installation.config(flags)?;
        let logs = telemetry::start_logs(&config.telemetry, Arc::new(SystemClock::new())).map_err(Failure::refused)?;
        let mut signals = Signals::listen()?;
        let listeners = bind(&config)?;
        let public = listeners.public.local_addr()?;
        let admin = listeners.admin.as_ref().map(TcpListener::local_addr).transpose()?;
        let app = tokio::select! {
            app = App::start(&config, public, Arc::new(SystemClock::new()), Arc::new(SystemEntropy)) => Arc::new(app?),
            () = signals.stop_requested() => {
                tracing::info!("stopped during the start; the database rolls an unfinished migration back");
                return Ok(());
            }
        };
        let files = OpenFiles::raise();
        log_notable_settings(&config, public, files);
        app.issuer().metrics().watch_log(logs.dropped());
        // Queued like a log line: a reader of standard error that hangs must not keep the server from serving.
        logs.note(&output::visible(&ready_line(&app, public, admin)));
        serve(&app, listeners, limits(&config, files), async { signals.stop_requested().await }).await;
        Ok(())
    }
}

/// Answers requests until `end` completes, then finishes the accepted requests and closes the store.
pub(super) async fn serve(app: &Arc<App>, listeners: Listeners, limits: Limits, end: impl Future<Output = ()>) {
    let fresh = tokio::spawn({
        let app = Arc::clone(app);
        async move {
            let ((), ()) = tokio::join!(app.keep_fresh(), app.keep_adopting());
        }
    });
    let pulse = tokio::spawn({
        let app = Arc::clone(app);
        async move { app.keep_pulse().await }
    });
    http::serve(Arc::clone(app), listeners, limits, end).await;
    fresh.abort();
    pulse.abort();
    app.close().await;
}

fn bind(config: &Config) -> Result<Listeners, Failure> {
    let public = listener("server.listen", config.server.listen)?;
    let admin = match config.server.admin_listen {
        Some(address) => Some(listener("server.admin_listen", address)?),
        None => None,
    };
    Ok(Listeners { public, admin })
}

fn listener(key: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    let off = if key == "server.admin_listen" { ", \"\" for none" } else { "" };
    http::listen(address).map_err(|error| {
        Failure::unreachable(format!(
            "{key}: cannot listen on {address}: {error}; set another address (port 0 picks a free port{off})"
        ))
    })
}

/// Returns the configured limits of connections and requests, with fewer connections if the limit of open files has no
/// room for all.
pub(super) fn limits(config: &Config, files: OpenFiles) -> Limits {
    let server = &config.server;
    let of = Limits::of(files.places(server.max_connections));
    Limits {
        keep_alive: server.keep_alive.duration(),
        head_within: server.head_timeout.duration(),
        body_within: server.body_timeout.duration(),
        write_within: server.write_timeout.duration(),
        whole_within: server.request_timeout.duration(),
        max_age: server.connection_max_age.duration(),
        max_requests: server.connection_max_requests,
        per_address: server.connections_per_address.unwrap_or(of.per_address),
        drain_delay: server.drain_delay.duration(),
        drain_within: server.drain_timeout.duration(),
        ..of
    }
}

/// Logs settings that an operator may not expect.
fn log_notable_settings(config: &Config, public: SocketAddr, files: OpenFiles) {
    if let Some(shortage) = files.shortage(config.server.max_connections) {
        tracing::warn!("{shortage}");
    }
    if matches!(config.issuance.default, DefaultGrant::Trusted) && config.issuance.rules.is_empty() {
        tracing::info!(
            "issuance.default is \"trusted\" and there are no issuance rules: every trusted build gets tokens for every audience"
        );
    }
    if !public.ip().to_canonical().is_loopback() && config.server.trusted_proxies.is_empty() {
        tracing::warn!(
            listen = %public,
            "plain HTTP on an address that is not loopback, without server.trusted_proxies: secrets and tokens cross the \
             network unencrypted unless a proxy in front terminates TLS"
        );
    }
}

fn ready_line(app: &App, public: SocketAddr, admin: Option<SocketAddr>) -> String {
    let admin = admin.map_or_else(|| "off".to_owned(), |address| format!("http://{address}"));
    let (issuer, store) = (app.issuer().url(), app.store().describe());
    format!("buildpass ready: listen=http://{public} admin={admin} issuer={issuer} store={store}")
}
