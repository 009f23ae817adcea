//! Statements are refused at save, or evaluate for any claims. The input is the statements, a NUL and the claims.

use buildpass::policy::{Statements, StatementsSpec};
use serde_json::Map;

pub(crate) fn run(data: &[u8]) {
    let (statements, claims) = match data.iter().position(|byte| *byte == 0) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &b"{}"[..]),
    };
    let Ok(spec) = serde_json::from_slice::<StatementsSpec>(statements) else { return };
    let Ok(statements) = Statements::new(&spec, "https://issuer.example") else { return };
    let claims: Map<_, _> = serde_json::from_slice(claims).unwrap_or_default();
    let found = statements.explain(&claims);
    if let Ok(statement) = statements.evaluate(&claims) {
        assert_eq!(spec.statements[statement - 1].effect, "allow");
        assert!(found.iter().filter(|found| found.statement == statement).all(|found| found.holds));
    }
    let _warnings = statements.warnings(None);
}
