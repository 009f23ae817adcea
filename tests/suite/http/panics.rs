//! The answer to a panic in a handler, through every layer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Server, logged, registration};

/// Reads one answer with a `Content-Length` and leaves the connection open.
async fn one_answer(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end + 4;
        }
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "the connection closed before an answer");
    };
    let head = String::from_utf8(read[..end].to_vec()).unwrap().to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    while read.len() < end + length {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "the connection closed within a body");
    }
    (head, read.split_off(end))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_is_a_500_in_the_form_of_every_error_and_the_connection_goes_on() {
    let server = Server::start().await;
    let client = server.client().await;
    let basic = STANDARD.encode(format!("{}:{}", client.id, client.secret));
    let body = registration().to_string();
    let request = format!(
        "POST /api/v1/builds HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {basic}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // The layer that names the request draws first, the handler second.
    server.entropy.panic_after(1);
    stream.write_all(request.as_bytes()).await.unwrap();
    let (head, answer) = one_answer(&mut stream).await;
    server.entropy.panic_after(u64::MAX);
    assert!(head.starts_with("http/1.1 500"), "{head}");
    assert!(head.contains("content-type: application/problem+json"), "{head}");
    assert!(head.contains("cache-control: no-store"), "{head}");
    let problem: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(problem["code"], "internal");
    assert_eq!(problem["error"], problem["detail"]);
    let id = problem["request_id"].as_str().unwrap();
    assert!(head.contains(&format!("x-request-id: {}", id.to_ascii_lowercase())), "{head}");
    assert!(
        !String::from_utf8(answer.clone()).unwrap().contains("deliberate"),
        "the panic's text is for the log alone"
    );
    assert!(logged().contains(id), "the log names the request");

    stream.write_all(request.as_bytes()).await.unwrap();
    let (head, _) = one_answer(&mut stream).await;
    assert!(head.starts_with("http/1.1 201"), "the same connection, and nothing was half-written: {head}");
}
