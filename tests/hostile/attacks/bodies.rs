//! Bodies that come slowly, in many pieces, without end, or that cost much to read.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::heads::ask_for_ever;
use crate::client::read_all;
use crate::target::{Attack, CALM, Target, swarm};

const FORM: &str = "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n";

/// Opens a connection and sends the head of a form, which anybody may send.
async fn begin(target: &Target, attacker: usize, length: &str) -> io::Result<TcpStream> {
    let mut stream = target.open(attacker).await?;
    stream.write_all(format!("{FORM}{length}\r\n").as_bytes()).await?;
    Ok(stream)
}

/// 600 bodies that grow by a byte now and then.
pub(crate) fn slow(target: &Arc<Target>) -> Attack {
    swarm(target, 600, CALM, |target, attacker| async move {
        let mut stream = begin(&target, attacker, "Content-Length: 65536\r\n").await?;
        loop {
            stream.write_all(b"a").await?;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
}

/// Requests for a document, or for what no method may have, with bodies that never come; half of them wait to be asked.
pub(crate) fn unasked(target: &Arc<Target>) -> Attack {
    swarm(target, 600, CALM, |target, attacker| async move {
        let mut stream = target.open(attacker).await?;
        let line = if attacker % 2 == 0 { "GET /.well-known/jwks" } else { "PUT /.well-known/jwks" };
        let expects = if attacker % 4 < 2 { "Expect: 100-continue\r\n" } else { "" };
        let head = format!("{line} HTTP/1.1\r\nHost: x\r\n{expects}Content-Length: 65536\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        read_all(&mut stream).await;
        Ok(())
    })
}

/// Bodies one byte a packet, as fast as they go.
pub(crate) fn one_byte_packets(target: &Arc<Target>) -> Attack {
    swarm(target, 4, Duration::ZERO, |target, attacker| async move {
        let mut stream = begin(&target, attacker, "Content-Length: 65536\r\n").await?;
        pieces(&mut stream, b"a").await
    })
}

/// Bodies of 65 000 chunks of one byte.
pub(crate) fn one_byte_chunks(target: &Arc<Target>) -> Attack {
    swarm(target, 100, Duration::ZERO, |target, attacker| async move {
        let mut stream = begin(&target, attacker, "Transfer-Encoding: chunked\r\n").await?;
        pieces(&mut stream, &b"1\r\na\r\n".repeat(100)).await
    })
}

/// Chunks without an end: beyond the largest body, extensions beyond every chunk, trailers after the last one.
pub(crate) fn endless_chunks(target: &Arc<Target>) -> Attack {
    swarm(target, 32, Duration::ZERO, |target, attacker| async move {
        let mut stream = begin(&target, attacker, "Transfer-Encoding: chunked\r\n").await?;
        match attacker % 3 {
            0 => pieces(&mut stream, format!("1000\r\n{}\r\n", "a".repeat(0x1000)).as_bytes()).await,
            1 => {
                stream.write_all(b"1;").await?;
                pieces(&mut stream, &[b'x'; 0x1000]).await
            }
            _ => {
                stream.write_all(b"0\r\n").await?;
                pieces(&mut stream, &b"x: y\r\n".repeat(100)).await
            }
        }
    })
}

/// Sends the same piece until the peer refuses more.
async fn pieces(stream: &mut TcpStream, piece: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(piece).await?;
        tokio::task::yield_now().await;
    }
}

/// 1 000 bodies of which 60 of 64 KiB are sent.
pub(crate) fn half_sent(target: &Arc<Target>) -> Attack {
    swarm(target, 1_000, CALM, |target, attacker| async move {
        let mut stream = begin(&target, attacker, "Content-Length: 65536\r\n").await?;
        stream.write_all(&vec![b'a'; 60 * 1024]).await?;
        read_all(&mut stream).await;
        Ok(())
    })
}

/// Objects of 10 000 members, larger than a body may be, and of as many as fit.
pub(crate) fn many_members(target: &Arc<Target>) -> Attack {
    swarm(target, 8, Duration::ZERO, |target, attacker| async move {
        let (members, expected) = if attacker % 2 == 0 { (10_000, 413) } else { (7_000, 400) };
        let members: Vec<_> = (0..members).map(|number| format!("\"{number:x}\":0")).collect();
        let body = format!("{{{}}}", members.join(","));
        ask_for_ever(Arc::clone(&target), attacker, register(&target, &body), &[expected]).await
    })
}

/// Arrays of 1 000 levels.
pub(crate) fn many_levels(target: &Arc<Target>) -> Attack {
    swarm(target, 8, Duration::ZERO, |target, attacker| async move {
        let body = format!("{{\"org\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000));
        ask_for_ever(Arc::clone(&target), attacker, register(&target, &body), &[400]).await
    })
}

/// Returns a registration with a client's credential.
pub(super) fn register(target: &Target, body: &str) -> String {
    format!(
        "POST /api/v1/builds HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        target.basic,
        body.len()
    )
}
