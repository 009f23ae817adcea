//! `[limits]`: limits of requests per second, of tokens per build and of the memory for cached tokens. Nothing is counted
//! here.

use super::declare::section;
use super::reader::Reader;

section! {
    /// Limits of requests per second, of tokens per build and of the memory for cached tokens.
    pub struct Limits in ("limits") {
        /// Maximum number of tokens for one build. 0 is unlimited.
        tokens_per_build: u64 = default "1000";
        /// Maximum requests per second with one request token. Also the maximum requests per second in which a CI
        /// server itself asks for tokens of one build. 0 is unlimited.
        build_per_second: u32 = default "50";
        /// Maximum requests per second of one client. 0 is unlimited.
        client_per_second: u32 = default "200";
        /// Maximum number of step tokens (request tokens of single steps) of one build that are valid at the same time.
        /// 0 is unlimited.
        step_tokens_per_build: u64 = default "256";
        /// Memory for cached request tokens with their builds, in bytes. A request token that is not cached costs one
        /// query. 0 caches nothing.
        request_token_cache: usize = default "16777216";
    }
}

pub(super) fn read(reader: &mut Reader<'_>) -> Option<Limits> {
    Limits::read_keys(reader)
}
