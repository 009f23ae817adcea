//! The caller's address: which proxies are trusted, and what of `X-Forwarded-For` reaches the audit row.

use buildpass::base::IssuerId;
use buildpass::store::AuditFilter;
use reqwest::Method;

use crate::harness::{Build, Server};

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_is_an_address_or_a_network_of_either_family() {
    let server = Server::with(
        "[server]\ntrusted_proxies = [\"192.0.2.7\", \"10.0.0.0/8\", \"fd00::/8\", \"2001:db8::7\", \"::ffff:198.51.100.7\"]\n",
    )
    .await;
    for (address, trusted) in [
        ("192.0.2.7", true),
        ("192.0.2.8", false),
        ("10.0.0.0", true),
        ("10.255.255.255", true),
        ("11.0.0.0", false),
        ("9.255.255.255", false),
        ("fd00::1", true),
        ("fdff:ffff::1", true),
        ("fe00::1", false),
        ("2001:db8::7", true),
        ("2001:db8::8", false),
        ("::ffff:10.1.2.3", true),
        ("::ffff:192.0.2.7", true),
        ("::ffff:192.0.2.8", false),
        ("198.51.100.7", true),
        ("::10.1.2.3", false),
        ("127.0.0.1", false),
        ("::1", false),
    ] {
        assert_eq!(server.app.is_trusted_proxy(address.parse().unwrap()), trusted, "{address}");
    }
    let nobody = Server::start().await;
    assert!(!nobody.app.is_trusted_proxy("127.0.0.1".parse().unwrap()), "by default no address is");
    let anybody = Server::with("[server]\ntrusted_proxies = [\"0.0.0.0/0\"]\n").await;
    assert!(anybody.app.is_trusted_proxy("203.0.113.9".parse().unwrap()));
    assert!(!anybody.app.is_trusted_proxy("2001:db8::1".parse().unwrap()), "a network is of one family");
}

/// The `peer` of the audit row of a token that was pulled with these header lines.
async fn recorded(server: &Server, build: &Build, forwarded: &[&str]) -> String {
    let bearer = format!("Bearer {}", build.request_token);
    let mut headers = vec![("authorization", bearer.as_str())];
    headers.extend(forwarded.iter().map(|line| ("x-forwarded-for", *line)));
    let path = build.request_url.strip_prefix(&server.url).unwrap();
    let reply = server.with_headers(Method::GET, &format!("{path}&audience=x"), &headers, "").await;
    let jti = reply.json()["jti"].as_str().unwrap().to_owned();
    let store = server.app.store();
    let rows = store.list_audit(&IssuerId::main(), &AuditFilter::default(), None, 100).await.unwrap();
    rows.into_iter().find(|row| row.jti.to_string() == jti).unwrap().peer.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_row_names_the_last_hop_that_is_no_trusted_proxy() {
    let server = Server::with("[server]\ntrusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\", \"fd00::/8\"]\n").await;
    let (_, build) = server.build().await;
    for (forwarded, peer) in [
        (&[][..], "127.0.0.1"),
        (&["203.0.113.7"], "203.0.113.7"),
        (&["203.0.113.7, 10.0.0.2, 10.0.0.1"], "203.0.113.7"),
        // The caller wrote the left part itself.
        (&["192.0.2.1, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        (&["10.0.0.9, 203.0.113.7"], "203.0.113.7"),
        (&["2001:db8::1, fd00::2"], "2001:db8::1"),
        (&["203.0.113.7:4711"], "203.0.113.7"),
        (&["[2001:db8::1]:443, 10.0.0.2:8080"], "2001:db8::1"),
        (&["::ffff:203.0.113.7"], "203.0.113.7"),
        (&["192.0.2.1", "203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        (&["203.0.113.7", "10.0.0.2", "10.0.0.1"], "203.0.113.7"),
        (&["unknown"], "127.0.0.1"),
        (&["203.0.113.7, unknown, 10.0.0.2"], "10.0.0.2"),
    ] {
        server.clock.advance(1);
        assert_eq!(recorded(&server, &build, forwarded).await, peer, "{forwarded:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_row_names_the_socket_where_it_is_no_trusted_proxy() {
    let server = Server::start().await;
    let (_, build) = server.build().await;
    assert_eq!(recorded(&server, &build, &["203.0.113.7"]).await, "127.0.0.1");
}
