//! Why a text is not a key that a SuperNode can use, in words that name what it is instead.

use std::fmt;

/// Why a text is not a usable SuperNode key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NodeKeyError {
    /// The algorithm is unknown.
    #[error("{0:?} is not an algorithm for a SuperNode key")]
    UnknownAlgorithm(String),
    /// A passphrase protects the key.
    #[error("the private key is encrypted with a passphrase, which Flower cannot open")]
    Encrypted,
    /// A key of a kind that Flower does not accept.
    #[error("the key is {0}, and Flower accepts only ECDSA keys on P-256, P-384 or P-521")]
    Unsupported(String),
    /// A public key instead of a private one.
    #[error("this is a public key, but a private key is needed")]
    PublicGiven,
    /// A private key instead of a public one.
    #[error("this is a private key, but a public key is needed")]
    PrivateGiven,
    /// More than one key; Flower would use only one.
    #[error("the text contains more than one key, but only one is allowed")]
    SeveralGiven,
    /// Not a key in a supported format.
    #[error("the text is not a key in a supported format")]
    NotAKey,
    /// The label says that it is a key, but it cannot be decoded.
    #[error("the {format} key is damaged: {reason}")]
    Damaged {
        /// The format that the label names.
        format: &'static str,
        /// The message of the decoder, which never contains bytes of the key.
        reason: String,
    },
    /// The operating system gave no usable randomness.
    #[error("the operating system returned no usable random bytes: {0}")]
    Randomness(String),
}

impl NodeKeyError {
    /// The remedy, as a full sentence.
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::UnknownAlgorithm(_) => "Use ECDSA-P256, ECDSA-P384 or ECDSA-P521.",
            Self::Encrypted => {
                "Remove the passphrase from a copy of the key (`ssh-keygen -p -N '' -f COPY`) and use that copy."
            }
            Self::Unsupported(_) => {
                "Generate a key with `ssh-keygen -t ecdsa -b 384 -N ''`, or remove the private key and let the provider generate one."
            }
            Self::SeveralGiven => "Remove the other keys, or add an entry for each.",
            Self::PublicGiven => "Use the private key that belongs to it.",
            Self::PrivateGiven => {
                "Use the public key (`ssh-keygen -y -f KEY` prints it). If other people could read the private key, replace it."
            }
            Self::NotAKey => {
                "Use OpenSSH, PKCS#8 PEM or SEC1 PEM format for a private key, and for a public key an OpenSSH line (`ecdsa-sha2-nistp384 AAAA...`) or PEM (`BEGIN PUBLIC KEY`)."
            }
            Self::Damaged { .. } => {
                "Copy the whole key, with its first and last line and its line breaks."
            }
            Self::Randomness(_) => return None,
        };
        Some(text.to_owned())
    }
}

pub(super) fn damaged(format: &'static str, error: &impl fmt::Display) -> NodeKeyError {
    NodeKeyError::Damaged {
        format,
        reason: error.to_string(),
    }
}
