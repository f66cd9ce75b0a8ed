//! Free ports on the loopback. They are below the range that systems use for outgoing connections,
//! so that the port of a stopped server stays free.

use std::collections::BTreeSet;
use std::net::TcpListener;

use super::super::RuntimeError;

const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;

pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// A port on which no process listens and that is not in `taken`.
pub(super) fn choose(taken: &BTreeSet<u16>) -> Result<u16, RuntimeError> {
    // Each process starts its search at another port, so that two rarely try the same ones.
    let span = u32::from(LAST - FIRST) + 1;
    let start = std::process::id().wrapping_mul(7919) % span;
    (0..span)
        .filter_map(|step| u16::try_from(u32::from(FIRST) + (start + step) % span).ok())
        .find(|port| !taken.contains(port) && is_free(*port))
        .ok_or(RuntimeError::NoPort(FIRST, LAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taken_ports_are_passed_over() {
        let first = choose(&BTreeSet::new()).unwrap();
        let second = choose(&[first].into()).unwrap();
        assert_ne!(first, second);
        let held = TcpListener::bind(("127.0.0.1", second)).unwrap();
        assert!(!is_free(second));
        assert_ne!(choose(&[first].into()).unwrap(), second);
        drop(held);
    }
}
