//! Metrics of a server, as a value and not in a global registry. A label never takes its value from a request, so that
//! the number of metrics stays bounded.

use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::log_queue::DroppedLines;

/// Media type of the text that [`Metrics::render`] returns.
pub(crate) const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The one label of a metric: name and value.
type Label = [(&'static str, &'static str); 1];

/// Upper bounds of the histogram of signing times, in seconds.
const SIGNING_BUCKETS: [f64; 10] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0];

/// Counters, gauges and histograms of one server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    tokens: Family<Label, Counter>,
    refusals: Family<Label, Counter>,
    requests: Family<Label, Counter>,
    signing: Histogram,
    queue: Gauge,
    rotation_overdue: Gauge,
    exchanges: Family<Label, Counter>,
    exchange_refusals: Family<FlowAndReason, Counter>,
    admitted: Counter,
    unrecorded: Counter,
    bodies: Family<Label, Gauge>,
    connections: Family<Label, Gauge>,
    connections_ended: Family<Label, Counter>,
    log_lines_dropped: Counter,
    log: OnceLock<DroppedLines>,
}

/// The two labels of a refusal by the exchange: flow and reason, each as name and value.
type FlowAndReason = [(&'static str, &'static str); 2];

impl Metrics {
    /// Creates metrics that are all zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let tokens = Family::<Label, Counter>::default();
        let refusals = Family::<Label, Counter>::default();
        let requests = Family::<Label, Counter>::default();
        let signing = Histogram::new(SIGNING_BUCKETS);
        let queue = Gauge::<i64>::default();
        let rotation_overdue = Gauge::<i64>::default();
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        // The encoder appends `_total` or `_info` to the names, and a full stop to each help text.
        registry.register("buildpass_build", "Version of the server", build);
        registry.register("buildpass_tokens_issued", "ID tokens issued, by algorithm", tokens.clone());
        registry.register("buildpass_refusals", "Requests refused, by error code", refusals.clone());
        registry.register("buildpass_http_requests", "Requests answered, by status class", requests.clone());
        registry.register("buildpass_signing_seconds", "Time to sign a token, in seconds", signing.clone());
        registry.register("buildpass_signing_queue", "Tokens that wait to be signed", queue.clone());
        registry.register(
            "buildpass_rotation_overdue",
            "1 while a signing key is active for longer than configured or has no announced successor",
            rotation_overdue.clone(),
        );
        let exchanges = Family::<Label, Counter>::default();
        let exchange_refusals = Family::<FlowAndReason, Counter>::default();
        let (admitted, unrecorded) = (Counter::default(), Counter::default());
        registry.register("buildpass_exchanges", "Credentials issued by the exchange, by flow", exchanges.clone());
        registry.register(
            "buildpass_exchange_refusals",
            "Requests refused by the exchange, by flow and reason",
            exchange_refusals.clone(),
        );
        registry.register("buildpass_forward_admitted", "Requests allowed by forward auth", admitted.clone());
        registry.register(
            "buildpass_unrecorded_tokens",
            "Tokens with a valid signature of ours but no audit row: a signing key may be compromised",
            unrecorded.clone(),
        );
        let bodies = Family::<Label, Gauge>::default();
        registry.register("buildpass_body_bytes", "Memory that request bodies hold, by sender", bodies.clone());
        let connections = Family::<Label, Gauge>::default();
        let connections_ended = Family::<Label, Counter>::default();
        registry.register("buildpass_connections", "Open connections, by listener", connections.clone());
        registry.register(
            "buildpass_connections_ended",
            "Connections that the server refused or ended before their peer did, by reason",
            connections_ended.clone(),
        );
        let log_lines_dropped = Counter::default();
        registry.register(
            "buildpass_log_lines_dropped",
            "Log lines that standard error did not take in time",
            log_lines_dropped.clone(),
        );
        Self {
            registry,
            tokens,
            refusals,
            requests,
            signing,
            queue,
            rotation_overdue,
            exchanges,
            exchange_refusals,
            admitted,
            unrecorded,
            bodies,
            connections,
            connections_ended,
            log_lines_dropped,
            log: OnceLock::new(),
        }
    }

    /// Counts a credential that this flow of the exchange has issued.
    pub(crate) fn exchanged(&self, flow: &'static str) {
        self.exchanges.get_or_create(&[("flow", flow)]).inc();
    }

    /// Counts a request that this flow of the exchange has refused.
    pub(crate) fn exchange_refused(&self, flow: &'static str, reason: &'static str) {
        self.exchange_refusals.get_or_create(&[("flow", flow), ("reason", reason)]).inc();
    }

    /// Counts a request that forward auth has allowed.
    pub(crate) fn admitted(&self) {
        self.admitted.inc();
    }

    /// Counts a token that one of our keys has signed but that has no audit row.
    pub(crate) fn unrecorded_token(&self) {
        self.unrecorded.inc();
    }

    pub(crate) fn token_issued(&self, alg: &'static str) {
        self.tokens.get_or_create(&[("alg", alg)]).inc();
    }

    /// Records how long signing a token took.
    pub(crate) fn signed_in(&self, time: Duration) {
        self.signing.observe(time.as_secs_f64());
    }

    /// Counts an HTTP answer by status class.
    pub(crate) fn answered(&self, status: u16) {
        let class = match status {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        self.requests.get_or_create(&[("status", class)]).inc();
    }

    /// Counts a request that was refused with this error code.
    pub(crate) fn refused(&self, code: &'static str) {
        self.refusals.get_or_create(&[("code", code)]).inc();
    }

    /// Sets the number of open connections of a listener.
    pub(crate) fn connections(&self, listener: &'static str, count: usize) {
        self.connections.get_or_create(&[("listener", listener)]).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Counts a connection that was refused, or ended by the server.
    pub(crate) fn connection_ended(&self, reason: &'static str) {
        self.connections_ended.get_or_create(&[("reason", reason)]).inc();
    }

    /// Sets the number of tokens that wait to be signed.
    pub(crate) fn queue(&self, count: usize) {
        self.queue.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Sets the memory that request bodies hold, in bytes: `known` for callers with a verified credential, `stranger`
    /// for all others.
    pub(crate) fn bodies(&self, known: usize, stranger: usize) {
        for (sender, bytes) in [("known", known), ("stranger", stranger)] {
            self.bodies.get_or_create(&[("sender", sender)]).set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }

    /// Sets whether a signing key has signed for too long or has no announced successor.
    pub(crate) fn rotation_overdue(&self, overdue: bool) {
        self.rotation_overdue.set(i64::from(overdue));
    }

    /// Makes the metric of dropped log lines show this counter.
    pub(crate) fn watch_log(&self, dropped: DroppedLines) {
        let _kept_first = self.log.set(dropped);
    }

    /// Renders all metrics as OpenMetrics text.
    #[must_use]
    pub(crate) fn render(&self) -> String {
        if let Some(dropped) = self.log.get() {
            self.log_lines_dropped.inner().store(dropped.count(), Ordering::Relaxed);
        }
        let mut text = String::new();
        // Writing to a `String` cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
