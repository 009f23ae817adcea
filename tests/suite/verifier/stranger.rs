//! Untrusted document server on loopback: answers what a test sets, byte for byte, and counts requests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Answer of one path.
#[derive(Clone)]
pub(crate) enum Answer {
    /// Sends these bytes and closes.
    Bytes(Vec<u8>),
    /// Sends these bytes and then endless others.
    Endless(Vec<u8>),
    /// Sends these bytes and then stalls.
    Silence(Vec<u8>),
    /// Sends these bytes after a delay.
    Late(Duration, Vec<u8>),
}

pub(crate) fn ok(body: impl AsRef<[u8]>) -> Answer {
    with("200 OK", "", body)
}

pub(crate) fn with(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Answer {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n", body.len());
    Answer::Bytes([head.as_bytes(), body].concat())
}

pub(crate) struct Stranger {
    pub(crate) url: String,
    pub(crate) port: u16,
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
    heads: Arc<Mutex<Vec<String>>>,
    asked: Arc<AtomicUsize>,
}

impl Stranger {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stranger = Self {
            url: format!("http://127.0.0.1:{port}"),
            port,
            answers: Arc::default(),
            heads: Arc::default(),
            asked: Arc::default(),
        };
        let (answers, heads, asked) =
            (Arc::clone(&stranger.answers), Arc::clone(&stranger.heads), Arc::clone(&stranger.asked));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (answers, heads, asked) = (Arc::clone(&answers), Arc::clone(&heads), Arc::clone(&asked));
                tokio::spawn(async move { serve(stream, &answers, &heads, &asked).await });
            }
        });
        stranger
    }

    /// Starts a server with a discovery document and this key set.
    pub(crate) async fn issuer(jwks: &Value) -> Self {
        let stranger = Self::start().await;
        stranger.discovery(&json!({ "issuer": stranger.url, "jwks_uri": format!("{}/jwks", stranger.url) }));
        stranger.set("/jwks", ok(jwks.to_string()));
        stranger
    }

    pub(crate) fn discovery(&self, document: &Value) {
        self.set("/.well-known/openid-configuration", ok(document.to_string()));
    }

    pub(crate) fn set(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// Answers 404 on every path from now on.
    pub(crate) fn forget(&self) {
        self.answers.lock().unwrap().clear();
    }

    /// Returns the number of requests.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Returns the heads of the requests.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    answers: &Mutex<BTreeMap<String, Answer>>,
    heads: &Mutex<Vec<String>>,
    asked: &AtomicUsize,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    asked.fetch_add(1, Ordering::SeqCst);
    heads.lock().unwrap().push(head);
    let answer = answers.lock().unwrap().get(&path).cloned().unwrap_or_else(|| with("404 Not Found", "", "no"));
    // The client may have disconnected.
    let _gone = match answer {
        Answer::Bytes(bytes) => stream.write_all(&bytes).await,
        Answer::Late(pause, bytes) => {
            tokio::time::sleep(pause).await;
            stream.write_all(&bytes).await
        }
        Answer::Silence(bytes) => {
            let _gone = stream.write_all(&bytes).await;
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok(())
        }
        Answer::Endless(bytes) => {
            let mut written = stream.write_all(&bytes).await;
            while written.is_ok() {
                written = stream.write_all(&[b' '; 16_384]).await;
            }
            Ok(())
        }
    };
}
