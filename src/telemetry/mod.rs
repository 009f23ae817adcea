//! Logs and metrics of the server. A log line or metric never holds a secret or token, and no label of a metric takes
//! its value from a request.

mod log_queue;
mod logs;
mod metrics;

pub use self::logs::{LogFormat, LogSettings};
pub(crate) use self::logs::{is_unprintable, start_logs};
pub(crate) use self::metrics::METRICS_CONTENT_TYPE;
pub use self::metrics::Metrics;
