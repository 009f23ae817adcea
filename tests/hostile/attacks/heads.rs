//! Heads that come slowly, that are large, or that say where they end in two ways.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use crate::client::{read_all, read_answer};
use crate::target::{Attack, CALM, Target, swarm};

/// 600 heads that grow by a byte now and then.
pub(crate) fn slow(target: &Arc<Target>) -> Attack {
    swarm(target, 600, CALM, |target, attacker| async move {
        let mut stream = target.open(attacker).await?;
        stream.write_all(b"GET /.well-known/jwks HTTP/1.1\r\nX: ").await?;
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            stream.write_all(b"a").await?;
        }
    })
}

/// Heads of 30 KB, one byte a packet.
pub(crate) fn one_byte_packets(target: &Arc<Target>) -> Attack {
    swarm(target, 4, Duration::ZERO, |target, attacker| async move {
        let mut stream = target.open(attacker).await?;
        stream.write_all(b"GET /.well-known/jwks HTTP/1.1\r\nHost: x\r\nX: ").await?;
        for _ in 0..30_000 {
            stream.write_all(b"a").await?;
            // Gives the other attackers their turn.
            tokio::task::yield_now().await;
        }
        stream.write_all(b"\r\n\r\n").await?;
        read_answer(&mut stream, false).await?;
        Ok(())
    })
}

/// Heads without an end, as fast as they go, and bytes that are no head.
pub(crate) fn endless(target: &Arc<Target>) -> Attack {
    swarm(target, 16, Duration::ZERO, |target, attacker| async move {
        let mut stream = target.open(attacker).await?;
        let piece = match attacker % 3 {
            0 => b"GET /.well-known/jwks HTTP/1.1\r\n".repeat(100),
            1 => b"GET / HTTP/1.1\r\nX: y\r\n".iter().copied().chain(b"Y: z\r\n".repeat(1_000)).collect(),
            _ => vec![0x16; 4096],
        };
        loop {
            stream.write_all(&piece).await?;
            tokio::task::yield_now().await;
        }
    })
}

/// Methods of 31 000 letters.
pub(crate) fn long_methods(target: &Arc<Target>) -> Attack {
    swarm(target, 8, Duration::ZERO, |target, attacker| async move {
        let request = format!("{} / HTTP/1.1\r\nHost: x\r\n\r\n", "A".repeat(31_000));
        ask_for_ever(target, attacker, request, &[404]).await
    })
}

/// Requests for a token with 1 000 parameters.
pub(crate) fn many_parameters(target: &Arc<Target>) -> Attack {
    swarm(target, 8, Duration::ZERO, |target, attacker| async move {
        let parameters: String = (0..1_000).map(|number| format!("&p{number}=v")).collect();
        let audience = format!("a{parameters}");
        let request = String::from_utf8(target.build.pull_request(&audience)).unwrap();
        ask_for_ever(target, attacker, request, &[403]).await
    })
}

/// `Content-Length` twice, with different values, around a second request.
pub(crate) fn length_twice(target: &Arc<Target>) -> Attack {
    two_ends(target, "Content-Length: 0\r\nContent-Length: 47\r\n")
}

/// `Transfer-Encoding` beside `Content-Length`, around a second request.
pub(crate) fn length_and_chunks(target: &Arc<Target>) -> Attack {
    two_ends(target, "Content-Length: 52\r\nTransfer-Encoding: chunked\r\n")
}

/// A body whose end is told in two ways, so that the rest may count as a request. At most one answer is right, and the
/// connection must end.
fn two_ends(target: &Arc<Target>, lengths: &'static str) -> Attack {
    swarm(target, 16, Duration::ZERO, move |target, attacker| async move {
        let mut stream = target.open(attacker).await?;
        let head = format!("POST /oauth/token HTTP/1.1\r\nHost: x\r\n{lengths}\r\n");
        stream
            .write_all(format!("{head}0\r\n\r\nGET /.well-known/jwks HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
            .await?;
        let answers = read_all(&mut stream).await;
        let is_right = answers.matches("HTTP/1.1 ").count() <= 1 && !answers.contains("HTTP/1.1 2");
        target.expect(is_right, || answers);
        Ok(())
    })
}

/// Sends the same request on one connection for as long as it lasts.
pub(super) async fn ask_for_ever(
    target: Arc<Target>,
    attacker: usize,
    request: String,
    expected: &[u16],
) -> std::io::Result<()> {
    let mut stream = target.open(attacker).await?;
    loop {
        stream.write_all(request.as_bytes()).await?;
        let answer = read_answer(&mut stream, false).await?;
        // What the limits and the budgets refuse is refused rightly.
        let is_right = expected.contains(&answer.status) || [429, 503].contains(&answer.status);
        target.expect(is_right, || format!("{} instead of {expected:?}: {}", answer.status, answer.body));
    }
}
