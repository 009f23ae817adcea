//! The shutdown: requests in flight are answered, nothing new is accepted, and it ends in time.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use buildpass::base::{Clock, SystemClock};
use buildpass::http::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Server, Start, registration};

/// Opens a connection and sends a registration but for the last byte of its body.
async fn half_sent(server: &Server) -> (TcpStream, Vec<u8>) {
    let client = server.client().await;
    let basic = STANDARD.encode(format!("{}:{}", client.id, client.secret));
    let body = registration().to_string();
    let request = format!(
        "POST /api/v1/builds HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {basic}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (first, last) = request.as_bytes().split_at(request.len() - 1);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(first).await.unwrap();
    // Long enough to be accepted and read.
    tokio::time::sleep(Duration::from_millis(200)).await;
    (stream, last.to_vec())
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let _ = tokio::time::timeout(Duration::from_secs(10), read).await.expect("the connection ends");
    String::from_utf8_lossy(&answer).into_owned()
}

async fn until_refused(server: &Server) {
    for _ in 0..100 {
        if TcpStream::connect(server.address).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("new connections are still accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_answered_and_new_connections_are_refused() {
    let mut server = Server::start().await;
    let (mut stream, last) = half_sent(&server).await;
    server.ask_to_end();
    until_refused(&server).await;
    stream.write_all(&last).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_end_at_once() {
    let mut server = Server::start().await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut some = [0; 4096];
    assert_ne!(idle.read(&mut some).await.unwrap(), 0);
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let begun = SystemClock::new();
    server.end().await;
    assert!(begun.monotonic() < Duration::from_secs(5), "{:?}", begun.monotonic());
    assert_eq!(rest(&mut idle).await, "");
    assert_eq!(rest(&mut silent).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_does_not_finish_is_closed_when_the_time_is_up() {
    let limits = Limits { drain_within: Duration::from_millis(500), ..Limits::of(256) };
    let mut server = Start::new("").limits(limits).go().await;
    let (mut stream, last) = half_sent(&server).await;
    let begun = SystemClock::new();
    server.end().await;
    let took = begun.monotonic();
    assert!(took >= Duration::from_millis(500) && took < Duration::from_secs(5), "{took:?}");
    let _ = stream.write_all(&last).await;
    assert_eq!(rest(&mut stream).await, "", "the connection is closed, and not merely forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_fails_first_and_a_client_loses_no_request_during_the_delay() {
    let limits = Limits { drain_delay: Duration::from_millis(1500), ..Limits::of(256) };
    let mut server = Start::new("").limits(limits).go().await;
    let url = format!("{}/.well-known/jwks", server.url);
    // Clients of a pool, busy and with gaps, that go elsewhere once readiness fails.
    let clients: Vec<_> = [0, 5, 70, 300]
        .map(|gap| {
            let (url, ready) = (url.clone(), format!("{}/health/ready", server.url));
            tokio::spawn(async move {
                let http = reqwest::Client::builder().no_proxy().retry(reqwest::retry::never()).build().unwrap();
                let mut served = 0;
                loop {
                    let answer = http.get(&url).send().await.unwrap_or_else(|error| panic!("gap {gap}: {error:?}"));
                    assert_eq!(answer.status(), 200);
                    answer.bytes().await.unwrap();
                    served += 1;
                    tokio::time::sleep(Duration::from_millis(gap)).await;
                    let answer = http.get(&ready).send().await.unwrap();
                    let status = answer.status();
                    let text = answer.text().await.unwrap();
                    if status == 503 {
                        assert!(text.contains("\"shutdown\""), "{text}");
                        return served;
                    }
                }
            })
        })
        .into();
    tokio::time::sleep(Duration::from_millis(400)).await;
    server.ask_to_end();
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
    let still = reqwest::get(&url).await.unwrap();
    assert_eq!(still.status(), 200, "the listener goes on for the delay");
    assert_eq!(still.headers()["connection"], "close");
    until_refused(&server).await;
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_has_arrived_when_the_delay_ends_is_answered() {
    for _ in 0..20 {
        let mut server = Server::start().await;
        let mut idle = TcpStream::connect(server.address).await.unwrap();
        idle.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut some = [0; 4096];
        assert_ne!(idle.read(&mut some).await.unwrap(), 0);
        idle.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        server.ask_to_end();
        let answer = rest(&mut idle).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        server.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_connected_when_the_listener_ends_is_answered() {
    for _ in 0..20 {
        let mut server = Server::start().await;
        let mut waiting = Vec::new();
        for _ in 0..8 {
            waiting.push(TcpStream::connect(server.address).await.unwrap());
        }
        server.ask_to_end();
        // The request is sent when the listener has ended: its client could not know.
        until_refused(&server).await;
        for mut stream in waiting {
            stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
            let answer = rest(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        server.end().await;
    }
}
