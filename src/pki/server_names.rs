//! The names that a server certificate is valid for.
//!
//! A wrong name would only be noticed when a SuperNode far away refuses the certificate, so names
//! are checked before signing.

use std::net::IpAddr;

/// Why a name cannot be used in a server certificate.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ServerNameError {
    /// A certificate without any name matches nothing.
    #[error("a server certificate needs at least one DNS name or IP address")]
    Empty,
    /// Not a DNS name.
    #[error("{name:?} is not a DNS name: {reason}")]
    Dns {
        /// The name.
        name: String,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// Not an IP address.
    #[error("{0:?} is not an IP address")]
    Ip(String),
}

impl ServerNameError {
    /// The remedy, as a full sentence.
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::Empty => "Add the host name that SuperNodes use to connect to the SuperLink.",
            Self::Dns { .. } => {
                "Use only the host name, without scheme, port or path, such as `superlink.example.org`."
            }
            Self::Ip(_) => {
                "Use one address such as 192.0.2.7 or 2001:db8::7, without port or mask."
            }
        };
        Some(text.to_owned())
    }
}

/// Checked names: DNS names in lower case, no duplicates, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerNames {
    dns: Vec<String>,
    ips: Vec<IpAddr>,
}

impl ServerNames {
    /// Checks the names. An IP address among the DNS names is an error: clients compare the two
    /// differently, and such a certificate would match nothing.
    pub fn new<D, I>(
        dns: impl IntoIterator<Item = D>,
        ips: impl IntoIterator<Item = I>,
    ) -> Result<Self, ServerNameError>
    where
        D: AsRef<str>,
        I: AsRef<str>,
    {
        let mut names = Self {
            dns: Vec::new(),
            ips: Vec::new(),
        };
        for name in dns {
            let name = checked_dns(name.as_ref())?;
            if !names.dns.contains(&name) {
                names.dns.push(name);
            }
        }
        for text in ips {
            let text = text.as_ref();
            let ip: IpAddr = text
                .parse()
                .map_err(|_| ServerNameError::Ip(text.to_owned()))?;
            if !names.ips.contains(&ip) {
                names.ips.push(ip);
            }
        }
        if names.dns.is_empty() && names.ips.is_empty() {
            return Err(ServerNameError::Empty);
        }
        Ok(names)
    }

    /// The DNS names.
    pub fn dns(&self) -> &[String] {
        &self.dns
    }

    /// The IP addresses.
    pub fn ips(&self) -> &[IpAddr] {
        &self.ips
    }
}

fn checked_dns(name: &str) -> Result<String, ServerNameError> {
    let fail = |reason| ServerNameError::Dns {
        name: name.to_owned(),
        reason,
    };
    if name.is_empty() {
        return Err(fail("it is empty"));
    }
    if name.len() > 253 {
        return Err(fail("it is longer than 253 characters"));
    }
    if name.parse::<IpAddr>().is_ok() {
        return Err(fail(
            "it is an IP address; add it to the IP addresses instead",
        ));
    }
    let lower = name.to_ascii_lowercase();
    // Only the first label may be a wildcard.
    let rest = lower.strip_prefix("*.").unwrap_or(&lower);
    for label in rest.split('.') {
        if label.is_empty() {
            return Err(fail(
                "it begins or ends with a dot, or has two dots in a row",
            ));
        }
        if label.len() > 63 {
            return Err(fail("a part between two dots is longer than 63 characters"));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(fail("a part begins or ends with a hyphen"));
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
        if !label.chars().all(allowed) {
            return Err(fail("only letters, digits, hyphens and dots are allowed"));
        }
    }
    Ok(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dns(name: &str) -> Result<ServerNames, ServerNameError> {
        ServerNames::new([name], [] as [&str; 0])
    }

    #[test]
    fn keeps_the_order_and_drops_duplicates() {
        let names = ServerNames::new(
            ["B.example", "a.example", "b.EXAMPLE"],
            ["::1", "127.0.0.1", "::1"],
        )
        .unwrap();
        assert_eq!(names.dns(), ["b.example", "a.example"]);
        assert_eq!(names.ips().len(), 2);
    }

    #[test]
    fn accepts_what_people_use() {
        for name in [
            "localhost",
            "superlink",
            "*.fl.example.org",
            "a-b.svc.cluster.local",
            "x_y",
        ] {
            assert!(dns(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn refuses_what_is_no_host_name() {
        for name in [
            "",
            "https://x",
            "x:9092",
            "a..b",
            "a.",
            ".a",
            "-a",
            "a-",
            "1.2.3.4",
            "::1",
            "a b",
            "é",
            "a.*.b",
            "*",
        ] {
            assert!(
                matches!(dns(name), Err(ServerNameError::Dns { .. })),
                "{name:?}"
            );
        }
        assert!(dns(&"a".repeat(64)).is_err());
        assert!(dns(&format!("{}a", "a.".repeat(127))).is_err());
    }

    #[test]
    fn refuses_bad_addresses_and_nothing_at_all() {
        let none: [&str; 0] = [];
        assert_eq!(
            ServerNames::new(none, ["10.0.0.0/8"]),
            Err(ServerNameError::Ip("10.0.0.0/8".into()))
        );
        assert_eq!(ServerNames::new(none, none), Err(ServerNameError::Empty));
    }
}
