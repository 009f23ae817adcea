//! A token is refused, or parses into parts that every other parser agrees on.

use buildpass::jose::{LONGEST_TOKEN, peek};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(token) = peek(text) else { return };
    assert!(text.len() <= LONGEST_TOKEN);
    assert!(text.starts_with(token.signing_input()), "what was signed is what was sent");
    let claims: serde_json::Value = serde_json::from_slice(token.unverified_payload()).unwrap();
    assert!(claims.is_object());
}
