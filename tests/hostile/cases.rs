//! Every case: what is done to the server, with which settings, and what it may cost. Bounds are those that follow from
//! the settings and the manual's table of memory, with room for the allocator.

use std::sync::Arc;

use crate::attacks::{bodies, connections, heads, log, logins, readers, tokens};
use crate::target::{Attack, Target};

/// One case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) attack: fn(&Arc<Target>) -> Attack,
    /// Number of addresses that the attackers come from.
    pub(crate) addresses: usize,
    /// Settings beside those of every case.
    pub(crate) settings: &'static [(&'static str, &'static str)],
    /// Limit of open files.
    pub(crate) files: Option<u32>,
    /// Memory that the server may take beyond what it had, in MiB.
    pub(crate) memory: usize,
    /// Whether nobody reads standard error during the attack, and each answer is a line.
    pub(crate) is_log_stuck: bool,
}

impl Case {
    /// Size that the log may have, in bytes: 20 lines of refusals and 20 of failures for each address, and a few lines of
    /// the server itself.
    pub(crate) const fn log(&self) -> usize {
        16 * 1024 + self.addresses * 40 * 320
    }
}

/// Settings of every case: each wait is a second.
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("server.keep_alive", "1s"),
    ("server.head_timeout", "1s"),
    ("server.body_timeout", "1s"),
    ("server.write_timeout", "1s"),
    ("server.request_timeout", "2s"),
    // The good clients ask for a token more often than a build does.
    ("limits.tokens_per_build", "0"),
];

/// Few places, so that attackers can hold all of them.
const FEW_PLACES: &[(&str, &str)] = &[("server.max_connections", "256")];

const USUAL: Case = Case {
    name: "",
    attack: connections::idle,
    addresses: 1,
    settings: &[],
    files: None,
    memory: 16,
    is_log_stuck: false,
};

/// Returns every case.
pub(crate) fn all() -> Vec<Case> {
    let case = |name, attack| Case { name, attack, ..USUAL };
    let few = |name, addresses, attack| Case { addresses, settings: FEW_PLACES, memory: 32, ..case(name, attack) };
    vec![
        Case {
            addresses: 16,
            // Longer than the attack, and shorter than the time to recovery.
            settings: &[("server.keep_alive", "3s")],
            files: Some(1_024),
            memory: 32,
            ..case("1 100 idle connections, 1 024 files", connections::idle)
        },
        few("polite requests, one address", 1, connections::polite),
        few("polite requests on every place", 32, connections::polite),
        Case { addresses: 8, ..case("connections without a byte", connections::nothing_said) },
        // Who is gone is noticed when it is his turn: meanwhile he holds what a connection holds.
        Case { memory: 110, ..case("resets in mid-answer", connections::resets) },
        Case { addresses: 8, ..case("HTTP/1.0", connections::http_1_0) },
        few("slow heads", 32, heads::slow),
        case("heads in one-byte packets", heads::one_byte_packets),
        case("heads that never end", heads::endless),
        case("methods of 31 000 letters", heads::long_methods),
        case("1 000 query parameters", heads::many_parameters),
        case("Content-Length twice", heads::length_twice),
        case("Transfer-Encoding with Content-Length", heads::length_and_chunks),
        few("slow bodies", 32, bodies::slow),
        few("bodies that nobody asked for", 32, bodies::unasked),
        case("bodies in one-byte packets", bodies::one_byte_packets),
        case("bodies in one-byte chunks", bodies::one_byte_chunks),
        case("chunks that never end", bodies::endless_chunks),
        Case { addresses: 50, memory: 110, ..case("half-sent bodies", bodies::half_sent) },
        case("JSON of 10 000 members", bodies::many_members),
        case("JSON of 1 000 levels", bodies::many_levels),
        // Beyond half of all places each answer is the last one: these readers stall the server's writes, the others hold
        // its places.
        Case { addresses: 32, memory: 110, ..case("slow readers", readers::slow) },
        Case { addresses: 32, memory: 110, ..case("pipelining without reading", readers::never) },
        few("pipelining on every place", 32, readers::never),
        case("64 patterns, 8 long audiences", tokens::long_audiences),
        case("tokens of one build beyond its rate", tokens::beyond_the_rate),
        case("step tokens with the largest lists", tokens::step_tokens),
        Case { memory: 32, ..case("registrations with the largest lists", tokens::registrations) },
        case("failing logins", logins::failing),
        Case {
            settings: &[("telemetry.log_filter", "debug")],
            is_log_stuck: true,
            ..case("standard error that nobody reads", log::answers)
        },
    ]
}
