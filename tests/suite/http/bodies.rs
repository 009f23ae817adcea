//! Bodies on real sockets: what is decided before a body arrives, how much memory bodies hold, and how they are framed.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use buildpass::http::Limits;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::harness::exchange_setup::{ExchangeSetup, RULES, TOML};
use crate::harness::{Auth, Credential, Server, Start, registration};

const LARGEST: usize = 64 * 1024;
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const JSON: &str = "Content-Type: application/json\r\n";

/// Connects from an address of this machine's own network 127.0.0.0/8, of which each one is a caller of its own.
async fn connect_from(last: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, last], 0))).unwrap();
    let stream = socket.connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn head(method: &str, path: &str, headers: &str, length: usize) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n")
}

/// Reads one answer with a known length and returns it; panics unless it arrives within `patience`.
async fn answer_within(stream: &mut TcpStream, patience: Duration, what: &str) -> String {
    let mut answer = Vec::new();
    let read = async {
        loop {
            let mut part = [0; 4096];
            let length = stream.read(&mut part).await.unwrap_or(0);
            answer.extend_from_slice(&part[..length]);
            let text = String::from_utf8_lossy(&answer).to_ascii_lowercase();
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                assert!(length > 0, "{what}: closed without an answer: {text}");
                continue;
            };
            let wanted = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
            if body.len() >= wanted {
                return;
            }
        }
    };
    assert!(tokio::time::timeout(patience, read).await.is_ok(), "{what}: no answer in time");
    String::from_utf8_lossy(&answer).into_owned()
}

async fn answer(stream: &mut TcpStream, what: &str) -> String {
    answer_within(stream, Duration::from_secs(5), what).await
}

/// Bytes that the bodies of strangers and of known callers hold, as the metrics say.
async fn held(server: &Server) -> [usize; 2] {
    let text = server.get(&format!("{}/metrics", server.admin), Auth::None).await.text;
    ["stranger", "known"].map(|sender| {
        let line = text.lines().find(|line| line.starts_with(&format!("buildpass_body_bytes{{sender=\"{sender}\"}}")));
        line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
    })
}

/// Waits until the bodies of strangers and of known callers hold what `good` accepts.
async fn until_held(server: &Server, what: &str, good: impl Fn([usize; 2]) -> bool) -> [usize; 2] {
    let mut now = [0; 2];
    for _ in 0..250 {
        now = held(server).await;
        if good(now) {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}: {now:?} is held")
}

fn basic(client: &Credential) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(format!("{}:{}", client.id, client.secret)))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_path_method_and_head_decide_is_answered_before_a_body_arrives() {
    let setup = ExchangeSetup::open().await;
    let server = &setup.server;
    let build = format!("/api/v1/builds/{}", setup.build.id);
    let wrong = format!("Authorization: Basic {}\r\n{JSON}", STANDARD.encode(format!("{}:wrong", setup.client.id)));
    let bearer = format!("Authorization: Bearer bpw_wrong\r\n{JSON}");
    let known = format!("{}{JSON}", basic(&setup.client));
    let wrong_form = format!("Authorization: Basic {}\r\n{FORM}", STANDARD.encode("nobody:wrong"));
    let role = setup.role("push-app").await;
    let assume = |role: &str| format!("/api/v1/oidc/api_key_roles/{role}/assume_role");
    let cases: Vec<(&str, String, &str, usize, &str)> = vec![
        ("POST", "/nothing".to_owned(), JSON, 60_000, "404"),
        ("PUT", "/api/v1/builds".to_owned(), &known, 60_000, "405"),
        ("POST", "/api/v1/builds".to_owned(), JSON, 60_000, "401"),
        ("POST", "/api/v1/builds".to_owned(), &wrong, 60_000, "401"),
        ("POST", "/api/v1/builds".to_owned(), &wrong_form, 60_000, "415"),
        ("POST", "/api/v1/builds".to_owned(), &known, LARGEST + 1, "413"),
        ("POST", format!("{build}/finish"), &wrong, 60_000, "401"),
        ("POST", "/api/v1/builds/none/finish".to_owned(), &known, 60_000, "404"),
        ("POST", format!("{build}/id_tokens"), &wrong, 60_000, "401"),
        ("POST", format!("{build}/request_tokens"), &wrong, 60_000, "401"),
        ("POST", format!("{build}/request_tokens"), &bearer, 60_000, "401"),
        ("POST", format!("{build}/id_token?audience=x"), &bearer, 60_000, "401"),
        ("POST", "/api/v1/publications".to_owned(), &wrong, 60_000, "401"),
        ("POST", "/oauth/introspect".to_owned(), FORM, 60_000, "401"),
        ("POST", "/oauth/introspect".to_owned(), &wrong_form, 60_000, "401"),
        ("POST", "/oauth/token".to_owned(), JSON, 60_000, "400"),
        ("POST", "/oauth/token".to_owned(), FORM, LARGEST + 1, "413"),
        ("POST", assume("rg_oidc_akr_nobody"), JSON, 60_000, "404"),
        ("POST", assume(&role), JSON, LARGEST + 1, "413"),
        ("POST", "/api/v2/token".to_owned(), JSON, 60_000, "401"),
        ("POST", "/api/v2/token".to_owned(), "Authorization: Bearer x\r\n", 60_000, "415"),
    ];
    for (method, path, headers, length, status) in cases {
        let what = format!("{method} {path} with {headers:?}");
        let mut stream = connect_from(1, server.address).await;
        stream.write_all(head(method, &path, headers, length).as_bytes()).await.unwrap();
        let answer = answer_within(&mut stream, Duration::from_secs(2), &what).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {answer}");
    }
    assert_eq!(held(server).await, [0, 0]);
    let admin: SocketAddr = server.admin.trim_start_matches("http://").parse().unwrap();
    for (method, path) in [("POST", "/admin/v1/users"), ("PUT", "/admin/v1/users/octo")] {
        let mut stream = connect_from(1, admin).await;
        stream.write_all(head(method, path, &known, 60_000).as_bytes()).await.unwrap();
        let answer = answer_within(&mut stream, Duration::from_secs(2), path).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_its_body_in_spite_of_a_refusal_gets_the_answer_and_keeps_its_connection() {
    let server = Server::start().await;
    let mut stream = connect_from(1, server.address).await;
    for _ in 0..3 {
        stream.write_all(head("POST", "/api/v1/builds", JSON, 60_000).as_bytes()).await.unwrap();
        stream.write_all(&vec![b' '; 60_000]).await.unwrap();
        assert!(answer(&mut stream, "a refusal").await.starts_with("HTTP/1.1 401 "));
    }
    let mut large = connect_from(1, server.address).await;
    large.write_all(head("POST", "/api/v1/builds", JSON, 900_000).as_bytes()).await.unwrap();
    large.write_all(&vec![b' '; 900_000]).await.unwrap();
    assert!(answer(&mut large, "a large body").await.starts_with("HTTP/1.1 401 "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_to_be_asked_for_its_body_is_not_asked_after_a_refusal() {
    let server = Server::start().await;
    let mut stream = connect_from(1, server.address).await;
    let headers = format!("{JSON}Expect: 100-continue\r\n");
    stream.write_all(head("POST", "/api/v1/builds", &headers, 60_000).as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 401 ") && !answer.contains("100 Continue"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_arrives_byte_by_byte_holds_its_own_size() {
    let setup = ExchangeSetup::open().await;
    let server = &setup.server;
    // By its declared length, and in chunks of one byte.
    for chunked in [false, true] {
        let mut stream = connect_from(1, server.address).await;
        let frame = if chunked { "Transfer-Encoding: chunked\r\n\r\n" } else { "Content-Length: 65536\r\n\r\n" };
        let head = format!("POST /oauth/token HTTP/1.1\r\nHost: x\r\n{FORM}{frame}");
        stream.write_all(head.as_bytes()).await.unwrap();
        let bytes = 5_000;
        for sent in 1..=bytes {
            stream.write_all(if chunked { b"1\r\na\r\n" } else { b"a" }).await.unwrap();
            if sent == 100 {
                let [strangers, _] = until_held(server, "the first bytes", |[strangers, _]| strangers > 0).await;
                assert_eq!(strangers, 1_024, "what has arrived counts, not what is declared");
            }
        }
        let twice = bytes..=2 * bytes;
        until_held(server, "at most twice what has arrived", |[strangers, _]| twice.contains(&strangers)).await;
        drop(stream);
        until_held(server, "given back", |now| now == [0, 0]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_sent_bodies_fill_their_part_of_the_budget_and_nothing_else() {
    let toml = format!("{TOML}[server]\nbody_memory = 4194304\n");
    let limits = Limits { body_within: Duration::from_secs(60), ..Limits::of(4_096) };
    let setup = ExchangeSetup::on(Start::new(&toml).limits(limits), RULES).await;
    let server = &setup.server;
    let (part, mut open, mut refused) = (1024 * 1024, Vec::new(), 0);
    for number in 0..400 {
        // One address sends first, then nine others.
        let mut stream = connect_from(if number < 200 { 1 } else { 10 + (number % 9) as u8 }, server.address).await;
        stream.write_all(head("POST", "/oauth/token", FORM, LARGEST).as_bytes()).await.unwrap();
        stream.write_all(&vec![b'a'; 60 * 1024]).await.unwrap();
        open.push(stream);
        if number == 199 {
            let [alone, _] = until_held(server, "one address", |[strangers, _]| strangers > part / 3).await;
            assert!(alone <= part / 2 + LARGEST, "one address holds {alone}");
            // Another caller finds room.
            let mut other = connect_from(200, server.address).await;
            let body = "grant_type=none";
            other
                .write_all(format!("{}{body}", head("POST", "/oauth/token", FORM, body.len())).as_bytes())
                .await
                .unwrap();
            let found = answer_within(&mut other, Duration::from_secs(1), "another address").await;
            assert!(found.contains("unsupported_grant_type"), "{found}");
        }
    }
    until_held(server, "the part of strangers is used", |[strangers, _]| strangers > part * 3 / 4).await;
    assert!(held(server).await[0] <= part);
    for stream in &mut open {
        let mut byte = [0; 12];
        if let Ok(Ok(12)) = tokio::time::timeout(Duration::from_millis(5), stream.peek(&mut byte)).await {
            assert_eq!(&byte, b"HTTP/1.1 503");
            refused += 1;
        }
    }
    assert!(refused > 300, "{refused} are answered at once");
    // Whoever is known, or sends no body, does not notice.
    let patience = Duration::from_secs(1);
    let good = async {
        assert_eq!(server.get("/.well-known/jwks", Auth::None).await.status, 200);
        let path = setup.build.request_url.replace("https://ci.example.com", "");
        server.get(&format!("{path}&audience=x"), Auth::Token(&setup.build.request_token)).await.token();
    };
    tokio::time::timeout(patience, good).await.expect("documents and tokens within a second");
    let mut body = registration();
    body["number"] = json!(77);
    let register = server.post("/api/v1/builds", Auth::Client(&setup.client), &body);
    assert_eq!(tokio::time::timeout(patience, register).await.expect("a build within a second").status, 201);
    drop(open);
    until_held(server, "the budget is free again", |now| now == [0, 0]).await;
    let again = setup.exchange(&setup.token("https://artefacts.example.com").await, &[]).await;
    assert_eq!(again.status, 200, "{}", again.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_room_is_answered_503_with_a_time_to_wait() {
    let toml = format!("{TOML}[server]\nbody_memory = 1048576\n");
    let setup = ExchangeSetup::on(Start::new(&toml), RULES).await;
    let mut open = stall_in_four_networks(&setup.server, "/oauth/revoke").await;
    let reply = setup.exchange("x", &[]).await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")), "{}", reply.text);
    assert!(reply.text.contains("server.body_memory"), "{}", reply.text);
    assert_eq!(setup.server.get("/v3/index.json", Auth::None).await.status, 200);
    drop(open.pop());
    until_held(&setup.server, "three bodies", |now| now == [3 * LARGEST, 0]).await;
    assert_eq!(setup.exchange("x", &[]).await.status, 400, "there is room again");
}

/// Sends all but the last byte of the largest body from each of four networks, which fill the strangers' part of 1 MiB.
async fn stall_in_four_networks(server: &Server, path: &str) -> Vec<TcpStream> {
    let mut stalled = Vec::new();
    for last in 10..14 {
        let mut stream = connect_from(last, server.address).await;
        stream.write_all(head("POST", path, FORM, LARGEST).as_bytes()).await.unwrap();
        stream.write_all(&vec![b'a'; LARGEST - 1]).await.unwrap();
        stalled.push(stream);
        let bytes = stalled.len() * LARGEST;
        until_held(server, "one body more", |[strangers, _]| strangers == bytes).await;
    }
    stalled
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_stall_in_many_networks_keep_no_caller_out() {
    let toml = format!("{TOML}[server]\nbody_memory = 1048576\n");
    let limits = Limits { body_within: Duration::from_secs(60), ..Limits::of(4_096) };
    let setup = ExchangeSetup::on(Start::new(&toml).limits(limits), RULES).await;
    let mut stalled = stall_in_four_networks(&setup.server, "/oauth/token").await;
    let token = setup.token("https://artefacts.example.com").await;
    let exchanged = async {
        loop {
            let reply = setup.exchange(&token, &[]).await;
            if reply.status != 503 {
                return reply;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let reply =
        tokio::time::timeout(Duration::from_secs(5), exchanged).await.expect("room, long before the bodies end");
    assert_eq!(reply.status, 200, "{}", reply.text);
    let ended = answer(&mut stalled[0], "the oldest body").await;
    assert!(ended.starts_with("HTTP/1.1 503 ") && ended.contains("server.body_memory"), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_with_an_ambiguous_or_endless_frame_end_their_connection() {
    let setup = ExchangeSetup::open().await;
    let start = "POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let second = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let cases = [
        ("two lengths", format!("{start}Content-Length: 3\r\nContent-Length: 40\r\n\r\na=b{second}")),
        ("a list of lengths", format!("{start}Content-Length: 3, 40\r\n\r\na=b{second}")),
        ("a length with a sign", format!("{start}Content-Length: +3\r\n\r\na=b{second}")),
        ("chunks that are not last", format!("{start}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n{second}")),
    ];
    for (what, request) in cases {
        let answers = setup.server.raw(request.as_bytes()).await;
        assert!(answers.starts_with("HTTP/1.1 400"), "{what}: {answers}");
        assert_eq!(answers.matches("HTTP/1.1").count(), 1, "{what}: {answers}");
    }
    // Chunks count, the length does not (RFC 9112, section 6.3), and nothing is read twice.
    let both =
        format!("{start}Content-Length: 3\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n{second}");
    let answers = setup.server.raw(both.as_bytes()).await;
    assert_eq!(answers.matches("HTTP/1.1").count(), 1, "{answers}");
    let mut stream = connect_from(1, setup.server.address).await;
    stream.write_all(format!("{start}Transfer-Encoding: chunked\r\n\r\n").as_bytes()).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    let endless = tokio::spawn(async move { while writing.write_all(b"4\r\naaaa\r\n").await.is_ok() {} });
    let mut status = [0; 12];
    tokio::time::timeout(Duration::from_secs(10), reading.read_exact(&mut status)).await.unwrap().unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
    tokio::time::timeout(Duration::from_secs(10), endless).await.expect("the connection is closed").unwrap();
    until_held(&setup.server, "nothing is held", |now| now == [0, 0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_or_query_with_too_many_parameters_is_refused() {
    let setup = ExchangeSetup::open().await;
    let many = "a=b&".repeat(1_025);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let reply = setup.server.with_headers(reqwest::Method::POST, "/oauth/token", &headers, &many).await;
    assert_eq!((reply.status, reply.json()["error"].clone()), (400, json!("invalid_request")));
    assert!(reply.text.contains("at most 1024"), "{}", reply.text);
    let most = "a=b&".repeat(1_023) + "grant_type=none";
    let reply = setup.server.with_headers(reqwest::Method::POST, "/oauth/token", &headers, &most).await;
    assert_eq!(reply.json()["error"], "unsupported_grant_type");
}
