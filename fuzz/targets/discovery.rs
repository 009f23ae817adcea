//! A discovery document names the expected issuer, or is refused.

use buildpass::verifier::Discovery;
use url::Url;

pub(crate) fn run(data: &[u8]) {
    let issuer = "https://issuer.example";
    let url = Url::parse("https://issuer.example/.well-known/openid-configuration").unwrap();
    if let Ok(discovery) = Discovery::read(&url, issuer, data) {
        assert_eq!(discovery.members.get("issuer").and_then(|value| value.as_str()), Some(issuer));
    }
}
