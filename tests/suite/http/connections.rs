//! The limit of connections, on real sockets.

use std::time::Duration;

use buildpass::http::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::Start;

const LIVE: &[u8] = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";

async fn answered(stream: &mut TcpStream) -> String {
    let mut answer = vec![0; 4096];
    let length = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_over_the_limit_waits_and_is_served_when_another_closes() {
    let server = Start::new("").limits(Limits::of(2)).go().await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(LIVE).await.unwrap();
        assert!(answered(&mut stream).await.starts_with("HTTP/1.1 200"));
        open.push(stream);
    }
    let mut third = TcpStream::connect(server.address).await.unwrap();
    third.write_all(LIVE).await.unwrap();
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(300), third.peek(&mut byte)).await;
    assert!(early.is_err(), "served over the limit");
    open[0].write_all(LIVE).await.unwrap();
    assert!(answered(&mut open[0]).await.starts_with("HTTP/1.1 200"), "connections within the limit go on");
    drop(open.pop());
    assert!(answered(&mut third).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_frees_its_place_after_the_time_for_a_head() {
    let limits = Limits { head_within: Duration::from_millis(300), ..Limits::of(1) };
    let server = Start::new("").limits(limits).go().await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut next = TcpStream::connect(server.address).await.unwrap();
    next.write_all(LIVE).await.unwrap();
    assert!(answered(&mut next).await.starts_with("HTTP/1.1 200"));
    assert_eq!(answered(&mut silent).await, "", "closed without an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_listener_has_a_limit_of_its_own() {
    let server = Start::new("").limits(Limits::of(1)).go().await;
    let mut public = TcpStream::connect(server.address).await.unwrap();
    public.write_all(LIVE).await.unwrap();
    assert!(answered(&mut public).await.starts_with("HTTP/1.1 200"));
    let mut admin = TcpStream::connect(server.admin.trim_start_matches("http://")).await.unwrap();
    admin.write_all(LIVE).await.unwrap();
    assert!(answered(&mut admin).await.starts_with("HTTP/1.1 200"), "operators reach a server that is full");
}
