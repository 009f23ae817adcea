//! Parses the URL of an issuer. Never normalises the URL, because verifiers compare `iss` byte for byte.

use std::fmt;

use url::{Host, Url};

/// An issuer identifier (OpenID Connect Discovery 1.0 §2): `https`, no query, no fragment, no trailing slash.
/// Plain `http` is for loopback hosts alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerUrl {
    text: String,
    origin_length: usize,
}

impl IssuerUrl {
    /// Parses the URL of an issuer. Keeps the text of the URL unchanged.
    ///
    /// # Errors
    /// A text that says what is wrong with the URL, and what would be right.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Url::parse(text).map_err(|_| "not a URL; write https://host or https://host/path")?;
        let host = url.host().ok_or("has no host; write https://host or https://host/path")?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&host) => {}
            "http" => return Err("must be https; plain http is for loopback hosts (127.0.0.1, ::1, localhost)"),
            _ => return Err("must be an https URL"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not contain a user name or password");
        }
        if url.query().is_some() {
            return Err("must not have a query");
        }
        if url.fragment().is_some() {
            return Err("must not have a fragment");
        }
        if text.ends_with('/') {
            return Err("must not end in a slash");
        }
        let path = if url.path() == "/" { "" } else { url.path() };
        let origin = url.origin().ascii_serialization();
        if text != format!("{origin}{path}") {
            return Err(
                "must be in canonical form: host in lower case, no default port, no . or .. in the path, no character \
                 that URLs percent-encode",
            );
        }
        Ok(Self { origin_length: origin.len(), text: text.to_owned() })
    }

    /// Returns the text of the URL, which is also the value of `iss`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the scheme, host and port of the URL: `https://ci.example.com`.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.text.get(..self.origin_length).unwrap_or(&self.text)
    }

    /// Returns the host of the URL without the port: `ci.example.com`, `[::1]`.
    #[must_use]
    pub fn host(&self) -> String {
        let authority = self.origin().split_once("://").map_or("", |(_, authority)| authority);
        let end = match authority.find(']') {
            Some(bracket) => bracket + 1,
            None => authority.find(':').unwrap_or(authority.len()),
        };
        authority.get(..end).unwrap_or(authority).to_owned()
    }

    /// Returns the path of the URL without a trailing slash: `""` or `/_services/token`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text.get(self.origin_length..).unwrap_or("")
    }
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_kept_as_it_was_written() {
        for text in [
            "https://ci.example.com",
            "https://ci.example.com/_services/token",
            "http://127.0.0.1:8080",
            "http://[::1]:1",
            "http://localhost:9",
        ] {
            assert_eq!(IssuerUrl::parse(text).unwrap().as_str(), text);
        }
        let url = IssuerUrl::parse("https://ci.example.com:8443/a/b").unwrap();
        assert_eq!((url.origin(), url.path()), ("https://ci.example.com:8443", "/a/b"));
    }

    #[test]
    fn an_issuer_that_verifiers_would_misread_is_refused() {
        for text in [
            "",
            "ci.example.com",
            "ftp://ci.example.com",
            "http://ci.example.com",
            "https://ci.example.com/",
            "https://ci.example.com/a/",
            "https://u:p@ci.example.com",
            "https://ci.example.com?x",
            "https://ci.example.com#x",
            "https://CI.example.com",
            "https://ci.example.com:443",
            "https://ci.example.com/a/../b",
            "https://ci.example.com/a b",
            "http://localhost.evil.com",
        ] {
            assert!(IssuerUrl::parse(text).is_err(), "{text}");
        }
    }
}
