//! Requests that make the server log, while nobody reads its standard error.

use std::sync::Arc;
use std::time::Duration;

use super::heads::ask_for_ever;
use crate::target::{Attack, Target, swarm};

/// Requests of anybody. The case sets the filter `debug`, so that each answer is a line.
pub(crate) fn answers(target: &Arc<Target>) -> Attack {
    swarm(target, 16, Duration::ZERO, |target, attacker| async move {
        ask_for_ever(target, attacker, "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), &[200]).await
    })
}
