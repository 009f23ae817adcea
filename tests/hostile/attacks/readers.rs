//! Clients that ask for more than they take.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::connections::JWKS;
use crate::target::{Attack, CALM, Target, swarm};

/// 600 clients with hundreds of requests each, who take a byte now and then.
pub(crate) fn slow(target: &Arc<Target>) -> Attack {
    swarm(target, 600, CALM, |target, attacker| async move {
        let mut stream = target.open_narrowly(attacker).await?;
        // As much as the server takes: it reads no more while its answers wait.
        let _ = tokio::time::timeout(CALM, stream.write_all(&JWKS.repeat(400))).await;
        while stream.read(&mut [0; 1]).await? > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    })
}

/// 1 000 clients who send requests and read nothing.
pub(crate) fn never(target: &Arc<Target>) -> Attack {
    swarm(target, 1_000, CALM, |target, attacker| async move {
        let mut stream = target.open_narrowly(attacker).await?;
        let many = JWKS.repeat(100);
        loop {
            stream.write_all(&many).await?;
        }
    })
}
