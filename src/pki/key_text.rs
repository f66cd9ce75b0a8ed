//! How keys are written as text, private and public ones: PEM blocks, OpenSSH lines, and what is said of
//! keys of other kinds.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::pkcs8::der::asn1::ObjectIdentifier;
use zeroize::Zeroizing;

use super::node_key_error::{NodeKeyError, damaged};

/// A PEM block. Line lengths differ by program (ssh-keygen 70, Go 64, Python 76) and editors indent
/// lines, so the base64 text is joined before decoding.
pub(super) struct Block<'a> {
    pub(super) label: &'a str,
    body: Zeroizing<String>,
}

impl<'a> Block<'a> {
    /// Fails if the text contains more than one block that can be a key.
    pub(super) fn is_alone(text: &str) -> Result<(), NodeKeyError> {
        let begins = text.lines().map(str::trim);
        let begins = begins.filter_map(|line| line.strip_prefix("-----BEGIN "));
        let keys = begins.filter(|label| label.trim_end_matches('-') != "EC PARAMETERS");
        if keys.count() > 1 {
            return Err(NodeKeyError::SeveralGiven);
        }
        Ok(())
    }

    /// Finds the first block that can be a key, and skips the `EC PARAMETERS` that openssl writes
    /// in front of a SEC1 key. Without any block the label is empty.
    pub(super) fn find(text: &'a str) -> Result<Self, NodeKeyError> {
        let mut block = Self {
            label: "",
            body: Zeroizing::new(String::with_capacity(text.len())),
        };
        for line in text.lines().map(str::trim) {
            if let Some(begin) = line.strip_prefix("-----BEGIN ") {
                block.label = begin.trim_end_matches('-');
            } else if !block.label.is_empty() && block.label != "EC PARAMETERS" {
                if line.starts_with("-----END ") {
                    return Ok(block);
                }
                if line.starts_with("Proc-Type:") && line.contains("ENCRYPTED") {
                    return Err(NodeKeyError::Encrypted);
                }
                block.body.push_str(line);
            }
        }
        Ok(block)
    }

    pub(super) fn decode(&self, format: &'static str) -> Result<Zeroizing<Vec<u8>>, NodeKeyError> {
        // The decoder's message would quote a byte of the key.
        STANDARD
            .decode(self.body.as_bytes())
            .map(Zeroizing::new)
            .map_err(|_| damaged(format, &"its base64 text cannot be decoded"))
    }
}

pub(super) fn looks_like_openssh_public(text: &str) -> bool {
    let first = text.split_whitespace().next().unwrap_or_default();
    ["ssh-", "ecdsa-", "sk-"]
        .iter()
        .any(|prefix| first.starts_with(prefix))
}

pub(super) fn name_of(ssh_kind: &str) -> String {
    match ssh_kind {
        "ssh-rsa" => "an RSA key".into(),
        "ssh-ed25519" => "an Ed25519 key".into(),
        "ssh-dss" => "a DSA key".into(),
        kind if kind.starts_with("sk-") => "a key on a hardware security token".into(),
        kind => format!("of the kind {kind}"),
    }
}

pub(super) fn foreign_curve(curve: ObjectIdentifier) -> NodeKeyError {
    NodeKeyError::Unsupported(match curve.to_string().as_str() {
        "1.3.132.0.10" => "an EC key on secp256k1".into(),
        "1.3.132.0.33" => "an EC key on P-224".into(),
        "1.2.840.10045.3.1.1" => "an EC key on P-192".into(),
        other => format!("an EC key on the curve {other}"),
    })
}
