//! The cluster settings of a configuration, parsed at the boundary: a value that can never work is
//! an error of the plan, at its attribute, and not an error of the first created object.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use zeroize::Zeroizing;

use super::super::is_dns_label;

/// Why a setting can never work. The message never contains the value, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    #[error("it is not a URL: {0}")]
    NoUrl(String),
    #[error("it is not a URL with \"https://\" or \"http://\" and a host")]
    NoScheme,
    #[error("it contains no certificate in PEM format (\"-----BEGIN CERTIFICATE-----\")")]
    NoCertificate,
    #[error("it contains no private key in PEM format (\"-----BEGIN PRIVATE KEY-----\")")]
    NoKey,
    #[error("it contains more than one private key, but only one is allowed")]
    SeveralKeys,
    #[error("its PEM format is damaged: {0}")]
    Damaged(String),
    #[error("a namespace has 1 to 63 lower-case letters, digits and hyphens, with none at an end")]
    NoNamespace,
    #[error("it is neither a DNS name nor an IP address")]
    NoName,
    #[error("a token is one word of visible ASCII characters")]
    NoToken,
}

/// The address of an API server.
#[derive(Debug, Clone)]
pub struct ServerUrl(Uri);

/// A proxy for the API server. The URL may contain a password.
#[derive(Clone)]
pub struct ProxyUrl(Uri);

/// One or more certificates in PEM format.
#[derive(Clone)]
pub struct Certificates {
    pem: String,
    der: Vec<Vec<u8>>,
}

/// A private key in PEM format.
#[derive(Clone)]
pub struct PrivateKey(Zeroizing<String>);

/// A bearer token.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

/// The name of a namespace.
#[derive(Debug, Clone)]
pub struct Namespace(String);

/// The expected name in the server's certificate.
#[derive(Debug, Clone)]
pub struct TlsServerName(String);

impl ServerUrl {
    pub const fn get(&self) -> &Uri {
        &self.0
    }

    /// Whether no one on the network can read the traffic.
    pub fn keeps_secrets(&self) -> bool {
        keeps_secrets(&self.0)
    }
}

impl ProxyUrl {
    pub const fn get(&self) -> &Uri {
        &self.0
    }

    /// The password in the URL, in its encoded form.
    pub fn password(&self) -> Option<&str> {
        password(&self.0)
    }
}

/// Whether no one on the network can read the traffic to this URL: it uses TLS, or is this machine.
pub(super) fn keeps_secrets(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    url.scheme_str() == Some("https")
        || host == "localhost"
        || address.is_ok_and(|address| address.is_loopback())
}

/// The password in a URL, in its encoded form.
pub(super) fn password(url: &Uri) -> Option<&str> {
    let (user, _) = url.authority()?.as_str().rsplit_once('@')?;
    user.split_once(':').map(|(_, password)| password)
}

impl Certificates {
    pub fn pem(&self) -> &str {
        &self.pem
    }

    pub fn der(&self) -> &[Vec<u8>] {
        &self.der
    }
}

impl PrivateKey {
    pub fn pem(&self) -> &str {
        &self.0
    }
}

impl Token {
    pub fn get(&self) -> &str {
        &self.0
    }
}

impl Namespace {
    pub fn get(&self) -> &str {
        &self.0
    }
}

impl TlsServerName {
    pub fn get(&self) -> &str {
        &self.0
    }
}

/// `Debug` prints only the type of secrets and of long values.
macro_rules! unseen {
    ($($ty:ident),*) => { $(
        impl fmt::Debug for $ty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($ty))
            }
        }
    )* };
}

unseen!(Certificates, PrivateKey, ProxyUrl, Token);

/// An HTTP URL with a host.
fn url(text: &str) -> Result<Uri, SettingError> {
    let url: Uri = text
        .parse()
        .map_err(|error: http::uri::InvalidUri| SettingError::NoUrl(error.to_string()))?;
    let is_http = matches!(url.scheme_str(), Some("https" | "http"));
    if is_http && url.host().is_some_and(|host| !host.is_empty()) {
        Ok(url)
    } else {
        Err(SettingError::NoScheme)
    }
}

impl FromStr for ServerUrl {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        url(text).map(Self)
    }
}

impl FromStr for ProxyUrl {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        url(text).map(Self)
    }
}

impl FromStr for Certificates {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes())
            .map(|one| one.map(|certificate| certificate.to_vec()))
            .collect();
        match found {
            Ok(der) if !der.is_empty() => Ok(Self {
                pem: text.to_owned(),
                der,
            }),
            Ok(_) => Err(SettingError::NoCertificate),
            Err(error) => Err(SettingError::Damaged(error.to_string())),
        }
    }
}

impl FromStr for PrivateKey {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        use rustls::pki_types::pem::Error;
        // With several keys, only the first one would be used.
        if text.matches("PRIVATE KEY-----").count() > 2 {
            return Err(SettingError::SeveralKeys);
        }
        match PrivateKeyDer::from_pem_slice(text.as_bytes()) {
            Ok(_) => Ok(Self(Zeroizing::new(text.to_owned()))),
            Err(Error::NoItemsFound) => Err(SettingError::NoKey),
            // Other errors quote their input.
            Err(_) => Err(SettingError::Damaged(
                "it does not end as it begins, or is not base64 in between".to_owned(),
            )),
        }
    }
}

impl FromStr for Token {
    type Err = SettingError;

    /// The line break at the end of a file is not part of the token.
    fn from_str(text: &str) -> Result<Self, SettingError> {
        let token = text.trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SettingError::NoToken);
        }
        Ok(Self(Zeroizing::new(token.to_owned())))
    }
}

impl FromStr for Namespace {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        if is_dns_label(text, 63) {
            Ok(Self(text.to_owned()))
        } else {
            Err(SettingError::NoNamespace)
        }
    }
}

impl FromStr for TlsServerName {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        ServerName::try_from(text).map_err(|_| SettingError::NoName)?;
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal<T: FromStr<Err = SettingError>>(text: &str) -> String {
        text.parse::<T>()
            .err()
            .map_or_else(|| format!("{text:?} was taken"), |error| error.to_string())
    }

    #[test]
    fn an_address_is_a_url_of_http_with_a_host() {
        for text in [
            "https://10.0.0.1:6443",
            "http://[::1]:1",
            "https://k.example/a",
        ] {
            assert!(text.parse::<ServerUrl>().is_ok(), "{text}");
        }
        for (text, words) in [
            ("10.0.0.1:6443", "a URL with"),
            ("ftp://flower:secret@proxy", "a URL with"),
            ("https://", "not a URL"),
            ("http://flower:secret @proxy", "not a URL"),
            ("", "not a URL"),
        ] {
            let refusal = refusal::<ProxyUrl>(text);
            assert!(refusal.contains(words), "{text}: {refusal}");
            assert!(!refusal.contains("secret"), "{refusal}");
        }
    }

    #[test]
    fn credentials_are_kept_by_tls_and_by_this_machine() {
        for url in [
            "https://k.example",
            "http://127.0.0.1:1",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert!(url.parse::<ServerUrl>().unwrap().keeps_secrets(), "{url}");
        }
        for url in [
            "http://k.example",
            "http://10.0.0.1:1",
            "http://localhost.example",
        ] {
            assert!(!url.parse::<ServerUrl>().unwrap().keeps_secrets(), "{url}");
        }
    }

    #[test]
    fn the_password_of_a_proxy_is_found() {
        for (url, found) in [
            ("http://flower:let:me@proxy:3128", Some("let:me")),
            ("https://flower:p%40ss@proxy/@", Some("p%40ss")),
            ("http://flower@proxy:3128", None),
            ("http://proxy:3128/a:b@c", None),
        ] {
            let proxy: ProxyUrl = url.parse().unwrap();
            assert_eq!(proxy.password(), found, "{url}");
        }
    }

    #[test]
    fn damaged_pem_is_told_without_what_is_in_it() {
        const KEY: &str = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
        assert!(KEY.parse::<PrivateKey>().is_ok());
        assert!(refusal::<PrivateKey>("secret").contains("no private key"));
        assert!(refusal::<PrivateKey>(&KEY.repeat(2)).contains("more than one"));
        for text in [
            KEY.replace("-----END", "!-----END"),
            KEY.replace("c2Vj", "*2Vj"),
        ] {
            let refusal = refusal::<PrivateKey>(&text);
            assert!(refusal.contains("damaged"), "{refusal}");
            assert!(!refusal.contains("2Vjc"), "{refusal}");
        }
        assert!(refusal::<Certificates>(KEY).contains("no certificate"));
    }

    #[test]
    fn names_and_tokens_are_single_words() {
        for text in ["", "-a", "A", "a.b", "a b", &"x".repeat(64)] {
            assert!(text.parse::<Namespace>().is_err(), "{text}");
        }
        assert!("a-1".parse::<Namespace>().is_ok());
        for text in ["", "a b", "-"] {
            assert!(text.parse::<TlsServerName>().is_err(), "{text}");
        }
        assert!("10.0.0.1".parse::<TlsServerName>().is_ok());
        assert_eq!(
            "abc\n"
                .parse::<Token>()
                .map(|one| one.get().to_owned())
                .unwrap(),
            "abc"
        );
        assert!(refusal::<Token>("a b").contains("one word"));
    }
}
