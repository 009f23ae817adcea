//! Connections that hold places without need: idle ones, polite ones, those that end in the middle.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::{read_all, read_answer};
use crate::target::{Attack, CALM, Target, swarm};

pub(super) const JWKS: &[u8] = b"GET /.well-known/jwks HTTP/1.1\r\nHost: x\r\n\r\n";

/// 1 100 connections that say nothing.
pub(crate) fn idle(target: &Arc<Target>) -> Attack {
    swarm(target, 1_100, CALM, |target, attacker| async move {
        let mut stream = target.open(attacker).await?;
        read_all(&mut stream).await;
        Ok(())
    })
}

/// 512 connections, each with a small request now and then.
pub(crate) fn polite(target: &Arc<Target>) -> Attack {
    swarm(target, 512, CALM, |target, attacker| async move {
        let mut stream = target.open(attacker).await?;
        loop {
            stream.write_all(b"HEAD /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await?;
            read_answer(&mut stream, true).await?;
            tokio::time::sleep(Duration::from_millis(600)).await;
        }
    })
}

/// Connections that end without a byte.
pub(crate) fn nothing_said(target: &Arc<Target>) -> Attack {
    swarm(target, 16, Duration::ZERO, |target, attacker| async move {
        drop(target.open(attacker).await?);
        Ok(())
    })
}

/// Connections that are reset while many answers are on their way.
pub(crate) fn resets(target: &Arc<Target>) -> Attack {
    swarm(target, 32, Duration::ZERO, |target, attacker| async move {
        let mut stream = target.open(attacker).await?;
        stream.set_zero_linger()?;
        stream.write_all(&JWKS.repeat(50)).await?;
        stream.read_exact(&mut [0; 64]).await?;
        Ok(())
    })
}

/// Requests of HTTP/1.0, each of which ends its connection.
pub(crate) fn http_1_0(target: &Arc<Target>) -> Attack {
    swarm(target, 32, Duration::ZERO, |target, attacker| async move {
        let mut stream = target.open(attacker).await?;
        stream.write_all(b"GET /.well-known/jwks HTTP/1.0\r\n\r\n").await?;
        let answer = read_all(&mut stream).await;
        // A connection without a place ends without an answer.
        target.expect(answer.is_empty() || answer.starts_with("HTTP/1.0 200"), || answer);
        Ok(())
    })
}
