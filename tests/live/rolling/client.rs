//! A client that keeps its connection, and notices before it sends that the peer has ended the connection, as the clients
//! of Go, curl and nginx do. It never sends a request twice.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Client {
    address: SocketAddr,
    requests: [String; 3],
    turn: usize,
    keeps: bool,
    kept: Option<TcpStream>,
}

impl Client {
    /// A client that in turn fetches the key set, and a token with GET and with POST.
    pub(super) fn new(address: SocketAddr, path: &str, token: &str) -> Self {
        let requests = [
            "GET /.well-known/jwks HTTP/1.1\r\nHost: buildpass\r\n\r\n".to_owned(),
            format!("GET {path}&audience=live HTTP/1.1\r\nHost: buildpass\r\nAuthorization: Bearer {token}\r\n\r\n"),
            format!(
                "POST {path}&audience=live HTTP/1.1\r\nHost: buildpass\r\nAuthorization: Bearer {token}\r\n\
                 Content-Length: 0\r\n\r\n"
            ),
        ];
        Self { address, requests, turn: 0, keeps: true, kept: None }
    }

    /// A client that opens a connection for every request.
    pub(super) fn that_keeps_nothing(mut self) -> Self {
        self.keeps = false;
        self
    }

    pub(super) async fn ask(&mut self) -> Result<(), String> {
        self.turn += 1;
        let request = self.requests[self.turn % 3].clone();
        let kept = self.kept.take().filter(|stream| {
            matches!(stream.try_read(&mut [0; 1]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
        });
        let is_kept = kept.is_some();
        let asked = tokio::time::timeout(PATIENCE, self.exchange(kept, &request)).await;
        let outcome = asked.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        let line = request.split('?').next().unwrap_or_default();
        outcome.map_err(|failure| format!("{line} on a {} connection: {failure}", if is_kept { "kept" } else { "new" }))
    }

    async fn exchange(&mut self, kept: Option<TcpStream>, request: &str) -> Result<(), String> {
        let mut stream = match kept {
            Some(stream) => stream,
            None => TcpStream::connect(self.address).await.map_err(|error| format!("connect: {error}"))?,
        };
        stream.write_all(request.as_bytes()).await.map_err(|error| format!("write: {error}"))?;
        let mut read = Vec::new();
        let (head, rest) = loop {
            let text = String::from_utf8_lossy(&read).to_ascii_lowercase();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.ok_or("an answer without a length")?.parse().unwrap();
                if body.len() >= length {
                    break (head.to_owned(), body.len() - length);
                }
            }
            match stream.read_buf(&mut read).await {
                Ok(0) => return Err(format!("ended after {} bytes", read.len())),
                Ok(_) => {}
                Err(error) => return Err(format!("read: {error} after {} bytes", read.len())),
            }
        };
        assert_eq!(rest, 0, "nothing follows an answer");
        if self.keeps && !head.lines().any(|line| line == "connection: close") {
            self.kept = Some(stream);
        }
        if head.starts_with("http/1.1 200 ") { Ok(()) } else { Err(String::from_utf8_lossy(&read).into_owned()) }
    }
}
