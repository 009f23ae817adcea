//! Client commands against busy, hostile and unreachable servers.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use buildpass::base::{Clock, SystemClock};

use super::Folder;

/// A server that sends these responses, one per connection, and the heads of its requests.
fn server(responses: Vec<String>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for answer in responses {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while reader.read_line(&mut head).unwrap() > 2 {}
            stream.write_all(answer.as_bytes()).unwrap();
            sender.send(head).unwrap();
        }
    });
    (url, receiver)
}

fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}", body.len())
}

fn job(url: &str) -> Folder {
    let mut folder = Folder::new();
    folder.set("BUILDPASS_ID_TOKEN_REQUEST_URL", &format!("{url}/pull?v=1"));
    folder.set("BUILDPASS_ID_TOKEN_REQUEST_TOKEN", "bpr_secret");
    folder
}

const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.e30.AAAA";

#[test]
fn a_request_to_a_busy_server_is_retried() {
    let token = response("200 OK", "", &format!(r#"{{"value":"{TOKEN}"}}"#));
    let busy = response("503 Service Unavailable", "Retry-After: 1\r\n", "{}");
    let many = response("429 Too Many Requests", "Retry-After: 0\r\n", "{}");
    let (url, heads) = server(vec![busy, many, token]);
    let clock = SystemClock::new();
    let token = job(&url).run(&["token", "request", "--audience", "x", "--quiet"]).done();
    assert_eq!(token.trim_end(), TOKEN);
    assert!(clock.monotonic().as_secs() >= 1);
    assert_eq!(heads.try_iter().count(), 3);
}

#[test]
fn a_retry_after_of_an_hour_is_an_error() {
    let (url, _heads) =
        server(vec![response("503 Service Unavailable", "Retry-After: 3600\r\n", r#"{"error":"down"}"#)]);
    let text = job(&url).run(&["token", "request", "--audience", "x"]).failed(3);
    assert!(text.contains("503") && text.contains("down"), "{text}");
}

#[test]
fn a_redirect_is_not_followed_with_the_request_token() {
    let (thief, stolen) = server(vec![response("200 OK", "", "{}")]);
    let (url, heads) = server(vec![response("302 Found", &format!("Location: {thief}/steal\r\n"), "")]);
    let text = job(&url).run(&["token", "request", "--audience", "x"]).failed(1);
    assert!(text.contains("302"), "{text}");
    assert!(heads.recv().unwrap().contains("bpr_secret"));
    assert!(stolen.try_recv().is_err());
}

#[test]
fn loopback_bypasses_the_proxy() {
    let (url, _heads) = server(vec![response("200 OK", "", &format!(r#"{{"token":"{TOKEN}"}}"#))]);
    let mut folder = job(&url);
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"] {
        folder.set(name, "http://127.0.0.1:1");
    }
    folder.run(&["token", "request", "--audience", "x"]).done();
}

#[test]
fn a_response_without_a_token_is_never_printed() {
    for body in ["", "nonsense", "{}", r#"{"value":"x'; id; '"}"#, r#"{"value":"a.b.c\n"}"#, r#"{"value":7}"#] {
        let (url, _heads) = server(vec![response("200 OK", "", body)]);
        job(&url).run(&["token", "request", "--audience", "x", "--format", "env"]).failed(3);
    }
}

#[test]
fn an_error_text_is_escaped_for_the_terminal() {
    let (url, _heads) = server(vec![response("403 Forbidden", "", r#"{"detail":"no\u001b[2J\u202e\nforged"}"#)]);
    let text = job(&url).run(&["token", "request", "--audience", "x"]).failed(1);
    assert!(text.contains(r"no\u{1b}[2J\u{202e}\u{a}forged"), "{text:?}");
}

#[test]
fn an_unreachable_server_exits_with_3_and_names_no_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let text = job(&url).run(&["token", "request", "--audience", "a-secret-audience"]).failed(3);
    assert!(text.contains(&url), "{text}");
    assert!(!text.contains("bpr_secret") && !text.contains("a-secret-audience"), "{text}");
}

#[test]
fn variables_of_a_hostile_server_run_nothing_in_a_shell() {
    for env in [r#"{"A;id":"x"}"#, r#"{"A":"x\nid"}"#, r#"{"A":7}"#] {
        let body = format!(r#"{{"id":"0199e4d2-7c11-7b7e-8a3b-5b1f3a2c9d10","env":{env}}}"#);
        let (url, _heads) = server(vec![response("201 Created", "", &body)]);
        let mut folder = Folder::new();
        folder.set("BUILDPASS_URL", &url);
        folder.set("BUILDPASS_CLIENT_ID", "c");
        folder.set("BUILDPASS_CLIENT_SECRET", "s");
        folder.run_with(&["builds", "register", "--format", "env", "-"], "{}").failed(3);
    }
}
