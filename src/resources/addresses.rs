//! Checks addresses that a configuration gives as `host:port`. Flower's programs accept a wrong
//! address and try to connect to it for ever, so the plan checks it.

use std::net::{IpAddr, Ipv6Addr};

use crate::pki::ServerNames;
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::path::Path;

/// Whether an address needs a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PortRule {
    Needed,
    Optional,
}

/// An error unless a client can connect to the address.
pub(super) fn check(text: &str, rule: PortRule, at: Path) -> Result<()> {
    let Err(reason) = dialable(text, rule) else {
        return Ok(());
    };
    let form = match rule {
        PortRule::Needed => "Write a host and a port, such as `superlink.example.org:9092`.",
        PortRule::Optional => {
            "Write a host, such as `superlink.example.org`, or a host and a port, such as \
             `superlink.example.org:9092`."
        }
    };
    let shown: String = text.chars().take(80).collect();
    Err(Diagnostic::error(format!("Invalid address in {at}"))
        .detail(format!("{shown:?} is not a valid address: {reason}."))
        .detail(form)
        .at(at)
        .into())
}

/// Why a client cannot connect to the address.
fn dialable(text: &str, rule: PortRule) -> std::result::Result<(), String> {
    let fail = |reason: &str| Err(reason.to_owned());
    if text.is_empty() {
        return fail("it is empty");
    }
    if text.contains("://") {
        return fail("it has a scheme, but only a host and a port are allowed");
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return fail("it contains a blank or a control character");
    }
    if text.contains(['/', '?', '#', '@', ',']) {
        return fail("it contains more than a host and a port");
    }
    if let Some(rest) = text.strip_prefix('[') {
        let Some((inner, rest)) = rest.split_once(']') else {
            return fail("a bracket is not closed");
        };
        let Ok(ip) = inner.parse::<Ipv6Addr>() else {
            return fail("the text in brackets is not an IPv6 address");
        };
        is_one_of_many(IpAddr::V6(ip))?;
        return match rest.strip_prefix(':') {
            Some(number) => port(number),
            None if rest.is_empty() => needs(rule),
            None => fail("the text after the IPv6 address is not a port"),
        };
    }
    match text.matches(':').count() {
        0 => {
            host(text)?;
            needs(rule)
        }
        1 => {
            let (name, number) = text.split_once(':').unwrap_or((text, ""));
            host(name)?;
            port(number)
        }
        _ => match text.parse::<Ipv6Addr>() {
            Ok(ip) if rule == PortRule::Optional => is_one_of_many(IpAddr::V6(ip)),
            Ok(_) => fail("an IPv6 address with a port needs brackets: `[2001:db8::7]:9092`"),
            Err(_) => fail("it has two ports, or is not a valid IPv6 address"),
        },
    }
}

fn needs(rule: PortRule) -> std::result::Result<(), String> {
    match rule {
        PortRule::Needed => Err("the port is missing".to_owned()),
        PortRule::Optional => Ok(()),
    }
}

fn port(number: &str) -> std::result::Result<(), String> {
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    match number.parse::<u16>() {
        Ok(1..) if digits => Ok(()),
        _ => Err("a port is a number from 1 to 65535".to_owned()),
    }
}

fn host(name: &str) -> std::result::Result<(), String> {
    if let Ok(ip) = name.parse::<IpAddr>() {
        return is_one_of_many(ip);
    }
    let none: [&str; 0] = [];
    ServerNames::new([name], none).map_err(|error| error.to_string())?;
    if name.starts_with('*') {
        return Err("a wildcard stands for many hosts".to_owned());
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    if name.contains('.') && last.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!(
            "{name:?} looks like an IPv4 address but is not one"
        ));
    }
    Ok(())
}

/// A server can listen on `0.0.0.0`, but no client can connect to it.
fn is_one_of_many(ip: IpAddr) -> std::result::Result<(), String> {
    if ip.is_unspecified() || ip.is_multicast() {
        return Err(format!("{ip} stands for many hosts"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tfplugin::schema::ModelPath;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for text in [
            "superlink.example.org:9092",
            "localhost:1",
            "superlink-a.ns.svc:65535",
            "192.0.2.7:9092",
            "[2001:db8::7]:9092",
            "[::1]:9092",
            "x_y:9092",
        ] {
            assert_eq!(dialable(text, PortRule::Needed), Ok(()), "{text}");
            assert_eq!(dialable(text, PortRule::Optional), Ok(()), "{text}");
        }
        for text in [
            "superlink.example.org",
            "192.0.2.7",
            "2001:db8::7",
            "[2001:db8::7]",
        ] {
            assert!(dialable(text, PortRule::Needed).is_err(), "{text}");
            assert_eq!(dialable(text, PortRule::Optional), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_dialled_is_refused() {
        let long = format!("{}:1", vec!["a".repeat(60); 5].join("."));
        for text in [
            "",
            " ",
            ":9092",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:9092:9093",
            "a:b",
            "https://a:9092",
            "a:9092/path",
            "user@a:9092",
            "a b:9092",
            "a\n:9092",
            "a\0:9092",
            "a:9092,b:9092",
            "[::1:9092",
            "[a]:9092",
            "[::1]9092",
            "256.1.1.1:9092",
            "1.2.3:9092",
            "0.0.0.0:9092",
            "[::]:9092",
            "*.example.org:9092",
            "größe.example:9092",
            "-a:9092",
            long.as_str(),
        ] {
            for rule in [PortRule::Needed, PortRule::Optional] {
                assert!(dialable(text, rule).is_err(), "{text:?}");
            }
        }
    }

    #[test]
    fn the_error_is_at_the_address_and_says_what_to_write() {
        let at = ModelPath::<()>::dotted("superlink.address").path();
        let error = check("https://a:1", PortRule::Needed, at.clone()).unwrap_err();
        let error = error.iter().next().unwrap();
        assert_eq!(error.path, Some(at));
        assert_eq!(error.summary, "Invalid address in superlink.address");
        assert!(error.detail.contains("it has a scheme"), "{}", error.detail);
    }
}
