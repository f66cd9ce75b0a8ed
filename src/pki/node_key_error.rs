//! Why a text is not a key that a SuperNode can use, in words that name what it is instead.

use std::fmt;

/// Why a text is not a key a SuperNode can use.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NodeKeyError {
    /// The name of an algorithm that does not exist here.
    #[error("{0:?} is not an algorithm for a SuperNode key")]
    UnknownAlgorithm(String),
    /// A passphrase protects the key.
    #[error("the private key is encrypted with a passphrase, which Flower cannot open")]
    Encrypted,
    /// A real key of a sort Flower refuses.
    #[error("the key is {0}, and Flower accepts only ECDSA keys on P-256, P-384 or P-521")]
    Unsupported(String),
    /// A public key where a private one is needed.
    #[error("this is a public key, and the private key is needed here")]
    PublicGiven,
    /// A private key where a public one is needed.
    #[error("this is a private key, and only the public key belongs here")]
    PrivateGiven,
    /// More than one, of which only one would be used.
    #[error("the text holds more than one key, and one belongs here")]
    SeveralGiven,
    /// Nothing that looks like a key.
    #[error("the text is not a key in any format known here")]
    NotAKey,
    /// It claims to be a key and cannot be decoded.
    #[error("the {format} key is damaged: {reason}")]
    Damaged {
        /// The format the text claims to have.
        format: &'static str,
        /// The decoder's own words; they never quote key bytes.
        reason: String,
    },
    /// The operating system gave no usable randomness.
    #[error("the operating system gave no usable random bytes: {0}")]
    Randomness(String),
}

impl NodeKeyError {
    /// What to do about it, as a full sentence.
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::UnknownAlgorithm(_) => "Use one of ECDSA-P256, ECDSA-P384 and ECDSA-P521.",
            Self::Encrypted => {
                "Remove the passphrase from a copy of the key (`ssh-keygen -p -N '' -f COPY`) and give that copy."
            }
            Self::Unsupported(_) => {
                "Make a new key with `ssh-keygen -t ecdsa -b 384 -N ''`, or leave the private key out and let the provider make one."
            }
            Self::SeveralGiven => "Remove the others, or give each an entry of its own.",
            Self::PublicGiven => "Give the private key that belongs to it.",
            Self::PrivateGiven => {
                "Give the public key (`ssh-keygen -y -f KEY`), and treat the private key as exposed if it was stored where others can read it."
            }
            Self::NotAKey => {
                "Private keys are read in OpenSSH, PKCS#8 PEM and SEC1 PEM format; public keys as an OpenSSH line (`ecdsa-sha2-nistp384 AAAA...`) or as PEM (`BEGIN PUBLIC KEY`)."
            }
            Self::Damaged { .. } => {
                "Check that the key was copied whole, with its first and last line and its line breaks."
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
