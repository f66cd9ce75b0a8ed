//! The identity of a SuperLink: a random id that it gets when it is created. A change of its
//! address, certificate, authority or release does not change the id.

use std::fmt;
use std::str::FromStr;

use p256::elliptic_curve::rand_core::{OsRng, RngCore as _};

/// The id of a SuperLink.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SuperlinkId(String);

/// The maximum length of a hand-written id.
const LONGEST: usize = 64;

impl SuperlinkId {
    /// A new id: 128 random bits.
    pub fn random() -> Self {
        let mut bits = [0; 16];
        OsRng.fill_bytes(&mut bits);
        Self(hex::encode(bits))
    }

    /// Whether both ids belong to one SuperLink; `None` if one of them is missing.
    pub fn same(one: Option<&Self>, other: Option<&Self>) -> Option<bool> {
        Some(one? == other?)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SuperlinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the ID of a SuperLink has 1 to 64 letters, digits, `-` and `_`")]
pub struct NotASuperlinkId;

impl FromStr for SuperlinkId {
    type Err = NotASuperlinkId;

    fn from_str(text: &str) -> Result<Self, NotASuperlinkId> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if (1..=LONGEST).contains(&text.len()) && text.chars().all(is_plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotASuperlinkId)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_another_one_and_reads_as_it_is_written() {
        let (one, other) = (SuperlinkId::random(), SuperlinkId::random());
        assert_ne!(one, other);
        assert_eq!(one.to_string().parse(), Ok(one));
        for wrong in ["", "a b", "a/b", "é", &"a".repeat(65)] {
            assert_eq!(
                wrong.parse::<SuperlinkId>(),
                Err(NotASuperlinkId),
                "{wrong}"
            );
        }
    }
}
