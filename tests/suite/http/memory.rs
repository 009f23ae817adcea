//! Memory: the sum that the chart's limit is for, and what a process of its own really takes.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpSocket;

use crate::cli::{Folder, Served};
use crate::harness::Start;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// What one connection may take: the state of its request, hyper's buffer for reading, hyper's buffer for writing.
const CONNECTION: usize = (20 + 32 + 32) * KIB;
const PROGRAM: usize = 48 * MIB;
const CACHES: usize = 32 * MIB;

fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_charts_memory_limit_is_enough_for_the_defaults_and_the_manual_says_how() {
    let server = Start::new("").config().server;
    let (bodies, connections) = (server.body_memory, server.max_connections * CONNECTION);
    let most = PROGRAM + CACHES + bodies + connections;
    let values = text("charts/buildpass/values.yaml");
    let limit = values.split("limits: { memory: ").nth(1).unwrap().split("Mi }").next().unwrap();
    let limit = limit.parse::<usize>().unwrap() * MIB;
    assert!(most <= limit, "{} MiB are needed, and the chart allows {} MiB", most / MIB, limit / MIB);
    let manual = text("src/manual/operating.md");
    for sentence in [
        format!("limit of {} MiB", limit / MIB),
        format!("`server.max_connections` ({}) × {} KiB", server.max_connections, CONNECTION / KIB),
        format!("| {} MiB |\n| together", connections / MIB),
        format!("`server.body_memory` | {} MiB |", bodies / MIB),
        format!("| together | {} MiB |", most / MIB),
    ] {
        assert!(manual.contains(&sentence), "the chapter Operating lacks {sentence:?}");
    }
}

/// Resident memory of the process, in bytes: the field `VmRSS`, or the peak `VmHWM`.
fn resident(served: &Served, field: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", served.process())).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * KIB
}

fn forget_peak(served: &Served) {
    let file = format!("/proc/{}/clear_refs", served.process());
    std::fs::OpenOptions::new().write(true).open(file).unwrap().write_all(b"5").unwrap();
}

async fn half_sent(last: usize, to: SocketAddr, body: usize) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 1, u8::try_from(last % 250 + 1).unwrap()], 0))).unwrap();
    let mut stream = socket.connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let head = "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                Content-Length: 65536\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // A body that finds no room is answered, and its connection may be closed.
    let _ = stream.write_all(&vec![b'a'; body]).await;
    stream
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn strangers_take_no_more_memory_than_the_manual_says_and_the_image_gives_it_back() {
    let mut folder = Folder::installed();
    let image = text("Containerfile");
    let settings = image.split("_RJEM_MALLOC_CONF=").nth(1).unwrap().lines().next().unwrap();
    folder.set("_RJEM_MALLOC_CONF", settings);
    let served = folder.serve(&[]);
    let address: SocketAddr = served.url.trim_start_matches("http://").parse().unwrap();
    drop(half_sent(0, address, 1).await);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = resident(&served, "VmRSS");
    forget_peak(&served);
    // One byte a packet.
    let mut slow = half_sent(0, address, 0).await;
    for _ in 0..20_000 {
        slow.write_all(b"a").await.unwrap();
    }
    let one = resident(&served, "VmHWM").saturating_sub(before);
    assert!(one < 4 * MIB, "one connection takes {} KiB", one / KIB);
    drop(slow);
    forget_peak(&served);
    let mut open = Vec::new();
    for number in 0..400 {
        open.push(half_sent(number, address, 60 * KIB).await);
    }
    // The server reads what has been sent: its peak grows until it has.
    let (mut many, mut earlier) = (0, 0);
    for _ in 0..50 {
        many = resident(&served, "VmHWM").saturating_sub(before);
        if many > 4 * MIB && many == earlier {
            break;
        }
        earlier = many;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let most = 400 * CONNECTION + 4 * MIB + 8 * MIB;
    assert!(many < most, "400 connections take {} KiB, over {} KiB", many / KIB, most / KIB);
    assert!(many > 4 * MIB, "the bodies were held at all");
    drop(open);
    if cfg!(feature = "jemalloc") {
        let mut after = many;
        for _ in 0..50 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            after = resident(&served, "VmRSS").saturating_sub(before);
            if after < many / 4 {
                break;
            }
        }
        assert!(after < many / 4, "{} of {} KiB are not given back after 5 s", after / KIB, many / KIB);
    }
    served.end();
}
