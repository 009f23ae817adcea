//! A small HTTP/1.1 client from an address of its own, as patient as a good client is: it sends again what met a
//! connection that had ended. Never pools more than one connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// Connects from `from`, one of the addresses that a machine has to itself.
pub(crate) async fn connect(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Connects with room for few bytes, so that what is not read waits at the server.
pub(crate) async fn connect_narrowly(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4096)?;
    socket.bind((from, 0).into())?;
    socket.connect(to).await
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    is_last: bool,
}

/// A client with at most one connection.
#[derive(Debug)]
pub(crate) struct Client {
    from: Ipv4Addr,
    to: SocketAddr,
    stream: Option<TcpStream>,
}

impl Client {
    pub(crate) const fn new(from: Ipv4Addr, to: SocketAddr) -> Self {
        Self { from, to, stream: None }
    }

    /// Sends a request and reads its answer. What an ended connection swallowed is sent on a new one, once.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        if let Some(stream) = self.stream.take()
            && let Ok(answer) = self.ask_on(stream, request).await
        {
            return Ok(answer);
        }
        let stream = connect(self.from, self.to).await?;
        self.ask_on(stream, request).await
    }

    /// The next request gets a connection of its own.
    pub(crate) fn hang_up(&mut self) {
        self.stream = None;
    }

    async fn ask_on(&mut self, mut stream: TcpStream, request: &[u8]) -> io::Result<Answer> {
        stream.write_all(request).await?;
        let answer = read_answer(&mut stream, request.starts_with(b"HEAD ")).await?;
        if !answer.is_last {
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

/// Reads one answer, whose body has the length that its head says.
pub(crate) async fn read_answer(stream: &mut TcpStream, is_to_head: bool) -> io::Result<Answer> {
    let mut read = Vec::with_capacity(4096);
    loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
            let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let length = header("content-length:").map_or(0, |length| length.parse().unwrap());
            let length = if is_to_head { 0 } else { length };
            if read.len() >= end + 4 + length {
                let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
                let body = String::from_utf8_lossy(&read[end + 4..end + 4 + length]).into_owned();
                return Ok(Answer { status, body, is_last: header("connection:") == Some("close") });
            }
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Reads until the peer ends the connection, and returns the first 64 KiB.
pub(crate) async fn read_all(stream: &mut TcpStream) -> String {
    let (mut kept, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    while let Ok(bytes @ 1..) = stream.read(&mut buffer).await {
        if kept.len() < 64 * 1024 {
            kept.extend_from_slice(&buffer[..bytes]);
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}
