//! The SHA-256 of a file, as a configuration writes it.

use std::fmt;
use std::str::FromStr;

use crate::text_attribute;

/// 64 hexadecimal digits. The case makes no difference, and stays as it is written.
#[derive(Debug, Clone)]
pub struct Sha256Hex(String);

/// A text that is not the SHA-256 of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 has 64 hexadecimal digits, such as the first word that `sha256sum` prints")]
pub struct NotASha256;

impl Sha256Hex {
    /// Whether a file has this hash, given in lower-case digits.
    pub fn is(&self, digits: &str) -> bool {
        self.0.eq_ignore_ascii_case(digits)
    }
}

impl FromStr for Sha256Hex {
    type Err = NotASha256;

    fn from_str(text: &str) -> Result<Self, NotASha256> {
        let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hash.then(|| Self(text.to_owned())).ok_or(NotASha256)
    }
}

impl fmt::Display for Sha256Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_attribute!(Sha256Hex);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_has_64_digits_of_either_case() {
        let lower = "ab".repeat(32);
        let hash: Sha256Hex = lower.to_uppercase().parse().unwrap();
        assert!(hash.is(&lower));
        assert_eq!(hash.to_string(), lower.to_uppercase());
        for text in ["", "ab", &"g".repeat(64), &format!("sha256:{lower}")] {
            assert_eq!(text.parse::<Sha256Hex>().unwrap_err(), NotASha256, "{text}");
        }
    }
}
