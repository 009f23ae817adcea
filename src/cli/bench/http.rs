//! HTTP/1.1 as cheap as it can be, so that the load takes little of what it measures: one request text, sent again and
//! again over one connection, and of each answer the status and the length.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection that is kept.
pub(super) struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects to `address` (`host:port`) and keeps `request` for every call.
    pub(super) async fn open(address: &str, request: Vec<u8>) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends the request and reads the whole answer: its status, and its body.
    pub(super) async fn call(&mut self) -> io::Result<(u16, &[u8])> {
        self.stream.write_all(&self.request).await?;
        self.buffer.clear();
        loop {
            if let Some(answer) = read(&self.buffer)? {
                let body = self.buffer.get(answer.body_from..answer.end).unwrap_or_default();
                return Ok((answer.status, body));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Whole {
    status: u16,
    body_from: usize,
    end: usize,
}

/// An answer, once the buffer holds all of it.
fn read(buffer: &[u8]) -> io::Result<Option<Whole>> {
    let Some(head_end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "not an answer of ours");
    let head = std::str::from_utf8(buffer.get(..head_end).unwrap_or_default()).map_err(|_| odd())?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(odd)?;
    let length: usize = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .ok_or_else(odd)?;
    let body_from = head_end + 4;
    let end = body_from.checked_add(length).ok_or_else(odd)?;
    Ok((buffer.len() >= end).then_some(Whole { status, body_from, end }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_once_it_is_whole() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx: y\r\n\r\nhello";
        assert_eq!(read(text).unwrap(), Some(Whole { status: 200, body_from: 44, end: 49 }));
        for cut in 0..text.len() {
            assert_eq!(read(&text[..cut]).unwrap(), None, "{cut}");
        }
        assert!(read(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
