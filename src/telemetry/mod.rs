//! Logs and metrics. No secret and no token may reach either, and no label's value comes from a request.

mod logs;
mod metrics;

pub use self::logs::{LogFormat, LogSettings, acts, start_logs};
pub use self::metrics::{METRICS_CONTENT_TYPE, Metrics};
