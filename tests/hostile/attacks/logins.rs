//! Credentials that nobody issued, at every place that reads one.

use std::sync::Arc;
use std::time::Duration;

use super::heads::ask_for_ever;
use crate::target::{Attack, Target, swarm};

/// Floods of failing logins: clients' secrets, request tokens, tokens of nobody at the exchange.
pub(crate) fn failing(target: &Arc<Target>) -> Attack {
    swarm(target, 16, Duration::ZERO, |target, attacker| async move {
        let (line, headers, body, expected) = match attacker % 4 {
            0 => ("POST /api/v1/builds", "Authorization: Basic bm9ib2R5Om5vdGhpbmc=\r\n", "{}", 401),
            1 => ("GET /api/v1/builds/01a22e4b-3350-7d7c-9512-62921493616e/id_token?audience=a", BEARER, "", 401),
            2 => ("POST /oauth/introspect", "Authorization: Basic bm9ib2R5Om5vdGhpbmc=\r\n", "token=a", 401),
            _ => ("POST /oauth/token", "", TOKEN_EXCHANGE, 400),
        };
        let kind = if body == "{}" { "application/json" } else { "application/x-www-form-urlencoded" };
        let length = body.len();
        let request = format!(
            "{line} HTTP/1.1\r\nHost: x\r\n{headers}Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        ask_for_ever(target, attacker, request, &[expected]).await
    })
}

const BEARER: &str = "Authorization: Bearer bpr_nothing\r\n";
const TOKEN_EXCHANGE: &str = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=e30.e30.e30\
                              &subject_token_type=urn:ietf:params:oauth:token-type:jwt";
