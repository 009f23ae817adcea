//! `[limits]`: rates and counts. 0 is no limit.

use super::reader::{Reader, number};

/// Rates and counts; 0 is no limit.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Tokens that one build may have.
    pub tokens_per_build: u64,
    /// Requests a second of one build.
    pub build_per_second: u32,
    /// Requests a second of one client.
    pub client_per_second: u32,
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Limits> {
    let tokens_per_build = reader.read("limits.tokens_per_build", number);
    let build_per_second = reader.read("limits.build_per_second", number);
    let client_per_second = reader.read("limits.client_per_second", number);
    Some(Limits {
        tokens_per_build: tokens_per_build?,
        build_per_second: build_per_second?,
        client_per_second: client_per_second?,
    })
}
