//! Figures of a server: its memory as the kernel counts it, and its places and bodies as its metrics do. Asks the admin
//! listener alone.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};

use crate::client::Client;
use crate::server::of_process;

/// Memory of a process, in KiB.
pub(crate) fn memory(process: u32, field: &str) -> usize {
    let status = of_process(process, "status");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_matches(|character: char| !character.is_ascii_digit()).parse().unwrap()
}

/// Starts the peak of a process's memory anew.
pub(crate) fn forget_peak(process: u32) {
    let file = format!("/proc/{process}/clear_refs");
    std::fs::OpenOptions::new().write(true).open(file).unwrap().write_all(b"5").unwrap();
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) connections: usize,
    pub(crate) body_bytes: usize,
    /// Number of requests that were answered.
    pub(crate) answered: usize,
    pub(crate) dropped_lines: usize,
    pub(crate) is_ready: bool,
}

/// Asks for the state of the server.
pub(crate) async fn state(admin: SocketAddr) -> State {
    let mut client = Client::new(Ipv4Addr::LOCALHOST, admin);
    let metrics = client.ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap().body;
    let ready = client.ask(b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let sum = |name: &str| {
        let of = metrics.lines().filter(|line| line.starts_with(name));
        of.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
    };
    State {
        connections: sum("buildpass_connections{listener=\"public\"}"),
        answered: sum("buildpass_http_requests_total"),
        body_bytes: sum("buildpass_body_bytes"),
        dropped_lines: sum("buildpass_log_lines_dropped_total"),
        is_ready: ready.status == 200 && ready.body.contains("\"ready\""),
    }
}
