//! Whose connection ends when every place is taken. The callers come from addresses that a machine has to itself.

use std::time::Duration;

use buildpass::base::{Clock, SystemClock};
use buildpass::http::Limits;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::connections::{JWKS, LIVE, answer, asked, connect_from};
use crate::harness::{Server, Start};

/// A head that anybody may send, whose body never comes.
const FORM: &[u8] = b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                      Content-Length: 9\r\n\r\na";

/// A server with four places and the usual waits.
async fn with_four_places() -> Server {
    Start::new("").limits(Limits { per_address: 64, ..Limits::of(4) }).go().await
}

async fn beginning(last: u8, server: &Server, bytes: &[u8]) -> TcpStream {
    let mut stream = connect_from(last, server.address).await;
    stream.write_all(bytes).await.unwrap();
    stream
}

/// A stranger's document comes before any wait of the server ends.
async fn a_stranger_is_answered(server: &Server) {
    let begun = SystemClock::new();
    let mut stranger = connect_from(9, server.address).await;
    assert!(asked(&mut stranger, JWKS).await.starts_with("HTTP/1.1 200"));
    assert!(begun.monotonic() < Duration::from_secs(5), "{:?}", begun.monotonic());
}

#[tokio::test(flavor = "multi_thread")]
async fn half_sent_heads_and_bodies_of_one_address_end_for_another_one() {
    for bytes in [b"GET /".as_slice(), FORM] {
        let server = with_four_places().await;
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(beginning(2, &server, bytes).await);
        }
        a_stranger_is_answered(&server).await;
        // The one whose head is not whole has no answer, and a body that is cut off is refused.
        let first = answer(&mut held[0]).await;
        assert!(first.is_empty() || first.starts_with("HTTP/1.1 400"), "the longest wait ended: {first}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_its_share_of_full_places_keeps_nobody_waiting() {
    let server = with_four_places().await;
    let held = [
        beginning(2, &server, FORM).await,
        beginning(2, &server, FORM).await,
        beginning(3, &server, FORM).await,
        beginning(3, &server, FORM).await,
    ];
    // Each of the two would have more than the other, and waits behind nobody.
    let begun = SystemClock::new();
    let mut fifth = connect_from(3, server.address).await;
    assert_eq!(asked(&mut fifth, LIVE).await, "");
    assert!(begun.monotonic() < Duration::from_secs(5), "{:?}", begun.monotonic());
    a_stranger_is_answered(&server).await;
    drop(held);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_keeps_its_connections() {
    let limits = Limits { per_address: 1, ..Limits::of(4) };
    let server = Start::new("[server]\ntrusted_proxies = [\"127.0.0.2\"]\n").limits(limits).go().await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(beginning(2, &server, FORM).await);
    }
    let mut stranger = connect_from(9, server.address).await;
    stranger.write_all(LIVE).await.unwrap();
    // The rest of a body comes, and is answered, while the stranger waits.
    held[0].write_all(b"=bcdefgh").await.unwrap();
    assert!(answer(&mut held[0]).await.starts_with("HTTP/1.1 400"), "an answer to the whole form");
    assert!(answer(&mut stranger).await.starts_with("HTTP/1.1 200"), "the place that became free");
}
