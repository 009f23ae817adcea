//! Keys behind TLS: a private authority, and a server that requires a client certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use buildpass::verifier::{Provider, ProviderSpec, Requirements, Verifiers};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::forge::{Forge, claims_with, header};
use crate::harness::{START, SettableClock};

/// Certificate authority of the test.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn sign(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![purpose];
        (params.signed_by(&key, &self.0).unwrap(), key)
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// Writes its certificate, a client certificate and the client's key to files.
    fn write(&self, folder: &Path) -> (PathBuf, PathBuf, PathBuf) {
        let (certificate, key) = self.sign("buildpass.example", ExtendedKeyUsagePurpose::ClientAuth);
        let write = |name: &str, text: String| {
            let file = folder.join(name);
            std::fs::write(&file, text).unwrap();
            file
        };
        (
            write("ca.pem", self.0.pem()),
            write("client.pem", certificate.pem()),
            write("client.key", key.serialize_pem()),
        )
    }
}

/// Issuer behind TLS that requires a client certificate of this authority.
async fn issuer(authority: &Authority, forge: &Forge) -> String {
    let (certificate, key) = authority.sign("127.0.0.1", ExtendedKeyUsagePurpose::ServerAuth);
    let clients = WebPkiClientVerifier::builder(Arc::new(authority.roots())).build().unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let discovery = json!({ "issuer": url, "jwks_uri": format!("{url}/jwks") }).to_string();
    let jwks = forge.jwks().to_string();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 4_096];
            let Ok(length) = stream.read(&mut head).await else { continue };
            let body = if head[..length].starts_with(b"GET /jwks") { &jwks } else { &discovery };
            let answer =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
            let _gone = stream.write_all(answer.as_bytes()).await;
            let _gone = stream.shutdown().await;
        }
    });
    url
}

#[tokio::test]
async fn both_sides_are_authenticated_by_the_configured_certificates() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let forge = Forge::new();
    let url = issuer(&authority, &forge).await;
    let (known, unknown) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (ca, certificate, key) = authority.write(known.path());
    let (other_ca, other_certificate, other_key) = stranger.write(unknown.path());
    let token = forge.token(&header("RS256"), &claims_with(json!({ "iss": url })));
    let outcome = async |ca: Option<&PathBuf>, identity: Option<(&PathBuf, &PathBuf)>| {
        let spec = ProviderSpec {
            kind: "generic".to_owned(),
            issuer: Some(url.clone()),
            allow_private: vec!["127.0.0.1".to_owned()],
            server_ca_bundle: ca.cloned(),
            client_certificate_bundle: identity.map(|(certificate, _)| certificate.clone()),
            client_private_key_file: identity.map(|(_, key)| key.clone()),
            ..ProviderSpec::default()
        };
        let clock = Arc::new(SettableClock::at(START));
        let verifiers =
            Verifiers::of(vec![Provider::new("tls", spec).unwrap()], clock).map_err(|error| error.to_string())?;
        let verdict = verifiers.verify(&token, &Requirements::default()).await;
        Ok::<_, String>(verdict.map_or_else(|refusal| refusal.reason(), |_| "taken"))
    };
    let ours = Some((&certificate, &key));
    assert_eq!(outcome(Some(&ca), ours).await, Ok("taken"));
    assert_eq!(outcome(Some(&ca), None).await, Ok("keys_unavailable"), "the server asks who we are");
    assert_eq!(outcome(Some(&ca), Some((&other_certificate, &other_key))).await, Ok("keys_unavailable"));
    assert_eq!(outcome(Some(&other_ca), ours).await, Ok("keys_unavailable"), "another authority's");
    assert_eq!(outcome(None, ours).await, Ok("keys_unavailable"), "nobody whom the system knows");
    let missing = known.path().join("missing.pem");
    for broken in [
        outcome(Some(&missing), ours).await,
        outcome(Some(&key), ours).await,
        outcome(Some(&ca), Some((&ca, &ca))).await,
    ] {
        let error = broken.unwrap_err();
        assert!(error.contains("oidc.tls") && !error.contains("PRIVATE"), "{error}");
    }
}
