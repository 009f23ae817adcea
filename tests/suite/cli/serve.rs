//! `serve`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Folder;

#[test]
fn the_ready_line_does_not_depend_on_the_log_format() {
    for format in ["text", "json"] {
        let mut folder = Folder::installed();
        folder.set("BUILDPASS_TELEMETRY__LOG_FORMAT", format);
        let served = folder.serve(&["--admin-listen", "127.0.0.1:0"]);
        let fields: Vec<(&str, &str)> = served.ready.split(' ').map(|field| field.split_once('=').unwrap()).collect();
        let [("listen", listen), ("admin", admin), ("issuer", issuer), ("store", store)] = fields[..] else {
            panic!("{}", served.ready);
        };
        assert_eq!(listen, issuer);
        assert!(admin.starts_with("http://127.0.0.1:") && admin != listen);
        assert!(store.starts_with("sqlite://") && store.ends_with("buildpass.db"), "{store}");
        assert_eq!(served.output.matches("buildpass ready").count(), 1);
        let (code, rest) = served.end();
        assert_eq!(code, 0, "{rest}");
        assert!(!rest.contains("buildpass ready"));
    }
}

#[test]
fn the_permissive_default_is_logged_once() {
    let folder = Folder::installed();
    let (output, (_, rest)) = {
        let served = folder.serve(&[]);
        (served.output.clone(), served.end())
    };
    assert_eq!((output + &rest).matches("every trusted build").count(), 1);
    let strict = Folder::installed();
    std::fs::write(strict.path().join("buildpass.toml"), "[issuance]\ndefault = \"deny\"\n").unwrap();
    let served = strict.serve(&[]);
    assert!(!served.output.contains("every trusted build"), "{}", served.output);
}

#[test]
fn plain_http_beyond_loopback_logs_a_warning() {
    let folder = Folder::installed();
    let served = folder.serve(&["--listen", "0.0.0.0:0", "--issuer", "https://ci.example.com"]);
    assert!(served.output.contains("plain HTTP"), "{}", served.output);
}

#[test]
fn a_used_port_is_reported_with_its_key() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = Folder::new();
    let text = folder.run(&["serve", "--listen", &address, "--admin-listen", ""]).failed(3);
    assert!(text.contains("server.listen") && text.contains(&address), "{text}");
    let text = folder.run(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", &address]).failed(3);
    assert!(text.contains("server.admin_listen") && text.contains(&address), "{text}");
    assert!(folder.files().is_empty());
}

#[tokio::test]
async fn connections_are_fitted_to_the_limit_of_open_files_and_idle_ones_shut_nobody_out() {
    let folder = Folder::installed();
    let command = folder.command(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -Sn 256; ulimit -Hn 300; exec \"$0\" \"$@\""]).arg(command.get_program());
    limited.args(command.get_args());
    for (name, value) in command.get_envs() {
        limited.env(name, value.unwrap_or_default());
    }
    limited.current_dir(folder.path()).stderr(std::process::Stdio::piped());
    let served = super::Served::start(&mut limited);
    let text = "a limit of 300 open files has room for 108 connections";
    assert!(served.output.contains(text), "{}", served.output);
    let address: std::net::SocketAddr = served.url.strip_prefix("http://").unwrap().parse().unwrap();
    let idle: Vec<_> = (0..400).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    let stranger = tokio::net::TcpSocket::new_v4().unwrap();
    stranger.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut stranger = stranger.connect(address).await.unwrap();
    stranger.write_all(b"GET /.well-known/jwks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let read = tokio::time::timeout(std::time::Duration::from_secs(3), stranger.read_to_string(&mut answer)).await;
    assert!(read.is_ok() && answer.contains("\"keys\""), "in spite of 400 idle connections: {answer}");
    drop(idle);
    let (code, rest) = served.end();
    assert!(code == 0 && !rest.contains("could not accept"), "{rest}");
}

#[test]
fn an_interrupted_server_exits_with_0_and_starts_again() {
    let folder = Folder::installed();
    for signal in ["INT", "TERM"] {
        let mut served = folder.serve(&[]);
        super::send(signal, served.child.id());
        assert_eq!(served.child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[test]
fn a_standard_error_that_nobody_reads_stops_nothing() {
    let mut folder = Folder::installed();
    folder.set("BUILDPASS_TELEMETRY__LOG_FILTER", "debug");
    let mut command = folder.command(&["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let mut unread = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let ready = unread.find(|line| line.starts_with("buildpass ready: ")).unwrap();
    let address = |name: &str| ready.split(' ').find_map(|field| field.strip_prefix(name)).unwrap().to_owned();
    let (public, admin) = (address("listen=http://"), address("admin=http://"));

    // More lines than the pipe and the queue hold: each answer is one.
    answered(&public, "GET /health/live", 4_000);
    answered(&public, "GET /.well-known/openid-configuration", 1);
    answered(&admin, "GET /health/ready", 1);
    let metrics = answered(&admin, "GET /metrics", 1);
    let dropped = metrics.lines().find_map(|line| line.strip_prefix("buildpass_log_lines_dropped_total ")).unwrap();
    assert!(dropped.parse::<u64>().unwrap() > 0, "{dropped}");

    let text = unread.find(|line| line.contains(" log lines: standard error did not take them")).unwrap();
    assert!(text.contains("\"level\":\"WARN\""), "{text}");

    answered(&public, "GET /health/live", 4_000);
    super::send("TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(0), "it ends although standard error is stuck");
}

#[test]
fn ten_thousand_refusals_of_one_address_are_a_few_lines_of_the_log() {
    let folder = Folder::installed();
    let served = folder.serve(&[]);
    let public = served.url.strip_prefix("http://").unwrap();
    let answers = answered(public, "GET /nothing", 10_000);
    assert!(answers.contains("HTTP/1.1 404"), "{answers}");
    answered(public, &format!("{} /jwks", "A".repeat(15_000)), 1);
    let (code, log) = served.end();
    assert_eq!(code, 0, "{log}");
    assert!(log.len() < 24 * 1024, "{} bytes", log.len());
    let summaries = log.lines().filter(|line| line.contains("more requests were refused than logged"));
    let refused =
        summaries.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["refused"].as_u64().unwrap());
    assert!(refused.sum::<u64>() > 9_900, "{log}");
    assert!(!log.contains("AAAA") && !log.contains("/nothing"), "{log}");
}

/// Sends the same request again and again on one connection, in batches, and returns the answers to the last batch.
fn answered(address: &str, request: &str, times: usize) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut left = times;
    loop {
        let batch = left.min(50);
        left -= batch;
        for n in 1..=batch {
            let close = if left == 0 && n == batch { "connection: close\r\n" } else { "" };
            write!(stream, "{request} HTTP/1.1\r\nhost: x\r\n{close}\r\n").unwrap();
        }
        let mut read = String::new();
        let mut buffer = [0; 16 * 1024];
        while read.matches("HTTP/1.1 ").count() < batch || left == 0 {
            let count = stream.read(&mut buffer).unwrap();
            if count == 0 {
                assert_eq!((left, read.matches("HTTP/1.1 ").count()), (0, batch), "{read}");
                return read;
            }
            read.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
    }
}
