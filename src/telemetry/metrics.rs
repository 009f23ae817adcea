//! Metrics, as a value: no global registry. Every name stands here, once; labels come from closed sets.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

/// The media type of [`Metrics::render`].
pub const METRICS_CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One label, its name and value known when the program was built.
type Label = [(&'static str, &'static str); 1];

/// Upper bounds of signing times, in seconds.
const SIGNING: [f64; 10] = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1.0];

/// What the server counts.
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
    exchange_refusals: Family<DoorAndReason, Counter>,
    admitted: Counter,
    unrecorded: Counter,
}

/// The labels of a refusal of the exchange.
type DoorAndReason = [(&'static str, &'static str); 2];

impl Metrics {
    /// Everything at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let tokens = Family::<Label, Counter>::default();
        let refusals = Family::<Label, Counter>::default();
        let requests = Family::<Label, Counter>::default();
        let signing = Histogram::new(SIGNING);
        let queue = Gauge::<i64>::default();
        let rotation_overdue = Gauge::<i64>::default();
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        // The encoder appends `_total` and `_info`, and a full stop to each text.
        registry.register("buildpass_build", "The version that runs", build);
        registry.register("buildpass_tokens_issued", "ID tokens issued, by algorithm", tokens.clone());
        registry.register("buildpass_refusals", "Requests refused, by error code", refusals.clone());
        registry.register("buildpass_http_requests", "Requests answered, by class of status", requests.clone());
        registry.register("buildpass_signing_seconds", "How long a signature took, in seconds", signing.clone());
        registry.register("buildpass_signing_queue", "Tokens that wait for a signature", queue.clone());
        registry.register(
            "buildpass_rotation_overdue",
            "1 while a key signs for longer than it should, or has no reserve",
            rotation_overdue.clone(),
        );
        let exchanges = Family::<Label, Counter>::default();
        let exchange_refusals = Family::<DoorAndReason, Counter>::default();
        let (admitted, unrecorded) = (Counter::default(), Counter::default());
        registry.register("buildpass_exchanges", "Credentials given for tokens, by door", exchanges.clone());
        registry.register(
            "buildpass_exchange_refusals",
            "Tokens that nothing was given for, by door and reason",
            exchange_refusals.clone(),
        );
        registry.register("buildpass_forward_admitted", "Requests let through by forward auth", admitted.clone());
        registry.register(
            "buildpass_unrecorded_tokens",
            "Tokens with a good signature of ours that were never recorded: our key is in other hands",
            unrecorded.clone(),
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
        }
    }

    /// A credential was given at this door.
    pub fn exchanged(&self, door: &'static str) {
        self.exchanges.get_or_create(&[("flow", door)]).inc();
    }

    /// Nothing was given at this door, for this reason.
    pub fn exchange_refused(&self, door: &'static str, reason: &'static str) {
        self.exchange_refusals.get_or_create(&[("flow", door), ("reason", reason)]).inc();
    }

    /// A request was let through by forward authentication.
    pub fn admitted(&self) {
        self.admitted.inc();
    }

    /// A token with a good signature of ours was never recorded.
    pub fn unrecorded_token(&self) {
        self.unrecorded.inc();
    }

    /// An ID token was issued.
    pub fn token_issued(&self, alg: &'static str) {
        self.tokens.get_or_create(&[("alg", alg)]).inc();
    }

    /// A signature took so long.
    pub fn signed_in(&self, time: Duration) {
        self.signing.observe(time.as_secs_f64());
    }

    /// A request was answered with this status.
    pub fn answered(&self, status: u16) {
        let class = match status {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        self.requests.get_or_create(&[("status", class)]).inc();
    }

    /// A request was refused with this error code.
    pub fn refused(&self, code: &'static str) {
        self.refusals.get_or_create(&[("code", code)]).inc();
    }

    /// So many tokens wait for a signature.
    pub fn queue(&self, count: usize) {
        self.queue.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A key signs for longer than it should, or has no reserve.
    pub fn rotation_overdue(&self, overdue: bool) {
        self.rotation_overdue.set(i64::from(overdue));
    }

    /// Everything as OpenMetrics text.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a `String` can't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
