//! Connections on real sockets: their places, their waits, and how they end.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use buildpass::base::{Clock, SystemClock};
use buildpass::http::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::{Server, Start};

pub(super) const LIVE: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
pub(super) const JWKS: &[u8] = b"GET /.well-known/jwks HTTP/1.1\r\nHost: x\r\n\r\n";

/// A short wait of a test's server, and the longest that a test waits for what comes after it.
const SHORT: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(20);

/// Connects from 127.0.0.`last`, one of the addresses that a machine has to itself.
pub(super) async fn connect_from(last: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::new(127, 0, 0, last), 0).into()).unwrap();
    socket.connect(to).await.unwrap()
}

async fn connect(server: &Server) -> TcpStream {
    connect_from(1, server.address).await
}

/// Reads one answer, whose body may be as long as a key set. Empty if the connection ended.
pub(super) async fn answer(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let whole = async {
        loop {
            let text = String::from_utf8_lossy(&read).to_ascii_lowercase();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                    return;
                }
            }
            if !matches!(stream.read_buf(&mut read).await, Ok(1..)) {
                return;
            }
        }
    };
    tokio::time::timeout(LONG, whole).await.expect("an answer or an end in time");
    String::from_utf8_lossy(&read).into_owned()
}

pub(super) async fn asked(stream: &mut TcpStream, request: &[u8]) -> String {
    let _ = stream.write_all(request).await;
    answer(stream).await
}

fn is_last(answer: &str) -> bool {
    answer.to_ascii_lowercase().contains("\r\nconnection: close\r\n")
}

/// How long it takes until the peer ends the connection without another byte.
async fn ended_after(stream: &mut TcpStream) -> Duration {
    let begun = SystemClock::new();
    assert_eq!(answer(stream).await, "");
    begun.monotonic()
}

/// A registration of a client of its own without its body, so that its request stays in flight.
async fn unfinished(server: &Server, headers: &str) -> String {
    let client = server.client().await;
    let basic = STANDARD.encode(format!("{}:{}", client.id, client.secret));
    format!(
        "POST /api/v1/builds HTTP/1.1\r\nHost: x\r\n{headers}Authorization: Basic {basic}\r\n\
         Content-Type: application/json\r\nContent-Length: 9\r\n\r\n"
    )
}

async fn metric(server: &Server, line: &str) -> bool {
    server
        .get(&format!("{}/metrics", server.admin), crate::harness::Auth::None)
        .await
        .text
        .lines()
        .any(|one| one == line)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_stays_for_the_time_of_keep_alive_and_a_request_starts_it_anew() {
    let limits =
        Limits { keep_alive: Duration::from_secs(1), head_within: Duration::from_millis(200), ..Limits::of(256) };
    let server = Start::new("").limits(limits).go().await;
    let mut stream = connect(&server).await;
    for _ in 0..3 {
        // Longer than the time for a head, which starts with a head's first byte.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let answer = asked(&mut stream, LIVE).await;
        assert!(answer.starts_with("HTTP/1.1 200") && !is_last(&answer), "{answer}");
    }
    let took = ended_after(&mut stream).await;
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(5), "{took:?}");
    assert!(metric(&server, "buildpass_connections_ended_total{reason=\"keep_alive\"} 1").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_has_a_time_of_its_own_that_no_byte_prolongs() {
    let server = Start::new("").limits(Limits { head_within: SHORT, ..Limits::of(256) }).go().await;
    let mut stream = connect(&server).await;
    assert!(asked(&mut stream, LIVE).await.starts_with("HTTP/1.1 200"));
    let begun = SystemClock::new();
    for byte in LIVE.iter().cycle().take(1_000) {
        if stream
            .write_all(&[*byte].map(|byte| if byte == b'\r' || byte == b'\n' { b'x' } else { byte }))
            .await
            .is_err()
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let took = begun.monotonic();
    assert!(took >= SHORT && took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_loses_its_connection() {
    let server = Start::new("").limits(Limits { write_within: SHORT, ..Limits::of(256) }).go().await;
    let mut stream = connect(&server).await;
    let many = JWKS.repeat(1_000);
    let begun = SystemClock::new();
    let wrote = tokio::time::timeout(LONG, async { while stream.write_all(&many).await.is_ok() {} }).await;
    assert!(wrote.is_ok(), "the connection is still open after {:?}", begun.monotonic());
    assert!(metric(&server, "buildpass_connections_ended_total{reason=\"write\"} 1").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn polite_requests_on_every_place_do_not_shut_a_stranger_out() {
    let server = Start::new("").limits(Limits { per_address: 64, ..Limits::of(8) }).go().await;
    let mut held = Vec::new();
    for _ in 0..16 {
        let mut stream = connect_from(2, server.address).await;
        assert!(asked(&mut stream, LIVE).await.starts_with("HTTP/1.1 200"));
        held.push(stream);
    }
    // As many connections as there are places ask again and again.
    let holding = tokio::spawn(async move {
        loop {
            for stream in &mut held {
                if !asked(stream, LIVE).await.starts_with("HTTP/1.1 200") {
                    *stream = connect_from(2, stream.peer_addr().unwrap_or_else(|_| ([127, 0, 0, 1], 1).into())).await;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    for _ in 0..5 {
        let begun = SystemClock::new();
        let mut stranger = connect_from(3, server.address).await;
        assert!(asked(&mut stranger, JWKS).await.starts_with("HTTP/1.1 200"));
        assert!(begun.monotonic() < Duration::from_secs(3), "{:?}", begun.monotonic());
    }
    holding.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_on_every_place_end_for_a_new_one_the_longest_idle_first() {
    let server = Start::new("").limits(Limits { per_address: 64, ..Limits::of(4) }).go().await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(connect(&server).await);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    // A head that has begun counts as idle here.
    held[0].write_all(b"GET /").await.unwrap();
    held.push(connect(&server).await);
    let mut fifth = connect(&server).await;
    assert!(asked(&mut fifth, LIVE).await.starts_with("HTTP/1.1 200"));
    assert_eq!(answer(&mut held[0]).await, "", "the longest idle one ended");
    assert!(asked(&mut held[3], LIVE).await.starts_with("HTTP/1.1 200"), "the others go on");
    assert!(metric(&server, "buildpass_connections_ended_total{reason=\"asked\"} 1").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_has_its_share_while_more_than_half_of_all_places_are_taken() {
    let server = Start::new("").limits(Limits { per_address: 2, ..Limits::of(8) }).go().await;
    let unfinished = unfinished(&server, "").await;
    let mut of_one = Vec::new();
    for _ in 0..5 {
        let mut stream = connect_from(2, server.address).await;
        // In the middle of a body, so that none of them may end for another.
        stream.write_all(unfinished.as_bytes()).await.unwrap();
        of_one.push(stream);
    }
    let mut sixth = connect_from(2, server.address).await;
    assert_eq!(asked(&mut sixth, LIVE).await, "", "five of eight are taken, and two are its share");
    for last in [3, 4] {
        let mut other = connect_from(last, server.address).await;
        assert!(asked(&mut other, LIVE).await.starts_with("HTTP/1.1 200"), "127.0.0.{last} has its own share");
    }
    assert!(metric(&server, "buildpass_connections_ended_total{reason=\"share\"} 1").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_has_no_share() {
    let limits = Limits { per_address: 1, ..Limits::of(8) };
    let server = Start::new("[server]\ntrusted_proxies = [\"127.0.0.2\"]\n").limits(limits).go().await;
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut stream = connect_from(2, server.address).await;
        assert!(asked(&mut stream, LIVE).await.starts_with("HTTP/1.1 200"));
        held.push(stream);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_behind_a_trusted_proxy_has_a_share_of_the_requests_in_flight() {
    let limits = Limits { per_address: 2, ..Limits::of(8) };
    let server = Start::new("[server]\ntrusted_proxies = [\"127.0.0.2\"]\n").limits(limits).go().await;
    let unfinished = unfinished(&server, "X-Forwarded-For: 203.0.113.7\r\n").await;
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut stream = connect_from(2, server.address).await;
        stream.write_all(unfinished.as_bytes()).await.unwrap();
        held.push(stream);
    }
    let of = |caller: &str| format!("GET /health/live HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {caller}\r\n\r\n");
    // The five requests are in flight as soon as a sixth one is refused.
    let mut refused = String::new();
    for _ in 0..100 {
        refused = asked(&mut connect_from(2, server.address).await, of("203.0.113.7").as_bytes()).await;
        if refused.starts_with("HTTP/1.1 503") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    assert!(refused.to_ascii_lowercase().contains("retry-after: "), "{refused}");
    let other = asked(&mut connect_from(2, server.address).await, of("203.0.113.8").as_bytes()).await;
    assert!(other.starts_with("HTTP/1.1 200"), "another caller behind the same proxy: {other}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_answer_of_a_connection_says_so() {
    let by_number = Start::new("").limits(Limits { max_requests: 2, ..Limits::of(256) }).go().await;
    let mut stream = connect(&by_number).await;
    assert!(!is_last(&asked(&mut stream, LIVE).await));
    assert!(is_last(&asked(&mut stream, LIVE).await));
    assert_eq!(answer(&mut stream).await, "");

    let by_age = Start::new("").limits(Limits { max_age: SHORT, ..Limits::of(256) }).go().await;
    let mut stream = connect(&by_age).await;
    assert!(!is_last(&asked(&mut stream, LIVE).await));
    tokio::time::sleep(SHORT).await;
    assert!(is_last(&asked(&mut stream, LIVE).await), "never closed in silence");

    let half_full = Start::new("").limits(Limits { per_address: 4, ..Limits::of(4) }).go().await;
    let mut streams = [connect(&half_full).await, connect(&half_full).await];
    assert!(!is_last(&asked(&mut streams[0], LIVE).await));
    let mut third = connect(&half_full).await;
    assert!(is_last(&asked(&mut third, LIVE).await), "three of four places are taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_answers_while_the_public_one_is_full() {
    let server = Start::new("").limits(Limits { per_address: 64, ..Limits::of(2) }).go().await;
    let unfinished = unfinished(&server, "").await;
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut stream = connect(&server).await;
        stream.write_all(unfinished.as_bytes()).await.unwrap();
        held.push(stream);
    }
    let mut admin = TcpStream::connect(server.admin.trim_start_matches("http://")).await.unwrap();
    assert!(asked(&mut admin, LIVE).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_is_answered_and_closed_unless_it_asks_otherwise() {
    let server = Server::start().await;
    let answer_10 = server.raw(b"GET /health/live HTTP/1.0\r\n\r\n").await;
    assert!(answer_10.starts_with("HTTP/1.0 200"), "{answer_10}");
    let mut kept = connect(&server).await;
    for _ in 0..2 {
        let answer = asked(&mut kept, b"GET /health/live HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_connections_waits_in_the_backlog_and_not_for_a_retry() {
    let listener = buildpass::http::listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap();
    let begun = SystemClock::new();
    let mut open = Vec::new();
    for _ in 0..900 {
        open.push(TcpStream::connect(address).await.unwrap());
    }
    assert!(begun.monotonic() < Duration::from_millis(900), "a connect that the backlog drops is retried after 1 s");
}
