//! A minimal HTTP/1.1 client for measurements. To need little processor time, the client sends one prepared request
//! over one connection again and again, and reads only the status and the length of each response.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A persistent connection with a prepared request.
pub(super) struct Connection {
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects to `address` (`host:port`); every call sends `request`.
    pub(super) async fn open(address: &str, request: Vec<u8>) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, request, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends the request, reads the whole response, and returns the response's status and body.
    pub(super) async fn call(&mut self) -> io::Result<(u16, &[u8])> {
        self.stream.write_all(&self.request).await?;
        self.buffer.clear();
        loop {
            if let Some(response) = read(&self.buffer)? {
                let body = self.buffer.get(response.body_from..response.end).unwrap_or_default();
                return Ok((response.status, body));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Response {
    status: u16,
    body_from: usize,
    end: usize,
}

/// Parses a response, or returns `None` while the buffer holds only a part of it.
fn read(buffer: &[u8]) -> io::Result<Option<Response>> {
    let Some(head_end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "malformed HTTP response");
    let head = std::str::from_utf8(buffer.get(..head_end).unwrap_or_default()).map_err(|_| malformed())?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).ok_or_else(malformed)?;
    let length: usize = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .ok_or_else(malformed)?;
    let body_from = head_end + 4;
    let end = body_from.checked_add(length).ok_or_else(malformed)?;
    Ok((buffer.len() >= end).then_some(Response { status, body_from, end }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_returned_once_it_is_complete() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx: y\r\n\r\nhello";
        assert_eq!(read(text).unwrap(), Some(Response { status: 200, body_from: 44, end: 49 }));
        for cut in 0..text.len() {
            assert_eq!(read(&text[..cut]).unwrap(), None, "{cut}");
        }
        assert!(read(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
