//! `[limits]`: limits of requests per second and of tokens per build. Nothing is counted here.

use super::describe::section;
use super::reader::Reader;

section! {
    /// Limits of requests per second and of tokens per build. 0 is unlimited.
    pub struct Limits in ("limits") {
        /// Maximum number of tokens for one build. 0 is unlimited.
        tokens_per_build: u64 = default "1000";
        /// Maximum requests per second with one request token, and maximum requests per second for direct tokens of one
        /// build. 0 is unlimited.
        build_per_second: u32 = default "50";
        /// Maximum requests per second of one client. 0 is unlimited.
        client_per_second: u32 = default "200";
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Limits> {
    Limits::read_keys(reader)
}
