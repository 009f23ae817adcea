//! Jobs and workers that make the server work: with long patterns, with long lists, with requests whose answer nobody
//! waits for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::bodies::register;
use crate::client::read_answer;
use crate::target::{Attack, Target, swarm};

/// Audience that every build may have.
pub(crate) const AUDIENCE: &str = "sts.example.com";

/// Patterns that a matcher without bounds tries again at each letter: as many and as long as a list may be.
pub(crate) fn patterns() -> Vec<String> {
    (0..64).map(|number| format!("*{}b{number:02}", "a".repeat(120))).collect()
}

/// Requests for eight long audiences against 64 patterns; every second one is sent by a client who is gone.
pub(crate) fn long_audiences(target: &Arc<Target>) -> Attack {
    swarm(target, 16, Duration::ZERO, |target, attacker| async move {
        let audience = format!("{}&audience=", "a".repeat(1_000)).repeat(7) + &"a".repeat(1_000);
        let request = target.build.pull_request(&audience);
        let mut stream = target.open(attacker).await?;
        stream.write_all(&request).await?;
        if attacker % 2 == 0 {
            return Ok(());
        }
        let answer = read_answer(&mut stream, false).await?;
        target.expect([400, 403, 429].contains(&answer.status), || format!("{}: {}", answer.status, answer.body));
        Ok(())
    })
}

/// Tokens of one build, many at once; half of the clients hang up.
pub(crate) fn beyond_the_rate(target: &Arc<Target>) -> Attack {
    swarm(target, 32, Duration::ZERO, |target, attacker| async move {
        let mut stream = target.open(attacker).await?;
        stream.write_all(&target.build.pull_request(AUDIENCE)).await?;
        if attacker % 2 == 0 {
            read_answer(&mut stream, false).await?;
        }
        Ok(())
    })
}

/// Builds with the largest lists and the most properties, without an end.
pub(crate) fn registrations(target: &Arc<Target>) -> Attack {
    let number = Arc::new(AtomicU32::new(1_000));
    swarm(target, 8, Duration::ZERO, move |target, attacker| {
        let number = Arc::clone(&number);
        async move {
            let mut stream = target.open(attacker).await?;
            loop {
                let mut build = build(number.fetch_add(1, Ordering::Relaxed), &patterns());
                let properties = (0..40).map(|number| (format!("property-{number}"), json!("v".repeat(1_000))));
                build["properties"] = serde_json::Value::Object(properties.collect());
                stream.write_all(register(&target, &build.to_string()).as_bytes()).await?;
                let answer = read_answer(&mut stream, false).await?;
                let is_right = [201, 429, 503].contains(&answer.status);
                target.expect(is_right, || format!("{}: {}", answer.status, answer.body));
            }
        }
    })
}

/// Returns the registration of a build.
pub(crate) fn build(number: u32, audiences: &[String]) -> serde_json::Value {
    json!({
        "org": "acme", "org_id": "42", "repo": "app", "repo_id": "1001", "number": number, "event": "push",
        "author": "octocat", "ref": "refs/heads/main", "sha": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        "audiences": audiences,
    })
}

/// Step tokens with the largest lists, without an end. No build may have more than 256 that live.
pub(crate) fn step_tokens(target: &Arc<Target>) -> Attack {
    let created = Arc::new(AtomicU32::new(0));
    swarm(target, 8, Duration::ZERO, move |target, attacker| {
        let created = Arc::clone(&created);
        async move {
            let body = json!({ "step": "s", "audiences": patterns() }).to_string();
            let request = format!(
                "POST /api/v1/builds/{}/request_tokens HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                target.build.id,
                target.build.worker_token,
                body.len()
            );
            let mut stream = target.open(attacker).await?;
            loop {
                stream.write_all(request.as_bytes()).await?;
                let answer = read_answer(&mut stream, false).await?;
                let created = created.fetch_add(u32::from(answer.status == 201), Ordering::Relaxed);
                let is_right = [201, 403, 429, 503].contains(&answer.status) && created <= 256;
                target.expect(is_right, || format!("{}, {created} created: {}", answer.status, answer.body));
            }
        }
    })
}
