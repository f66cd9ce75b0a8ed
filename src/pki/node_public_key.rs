//! The public half of a SuperNode's key, in OpenSSH format and as Flower stores it.
//!
//! A SuperLink registers a node by its public key and later finds it by the exact bytes of the PEM
//! text that Python's `cryptography` writes. Users have an OpenSSH line. This module reads and
//! writes both, always in the form that Flower expects.

use std::fmt;
use std::str::FromStr;

use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::pkcs8::{DecodePublicKey, EncodePublicKey, LineEnding, SubjectPublicKeyInfoRef};
use ssh_key::HashAlg;
use ssh_key::public::{EcdsaPublicKey, KeyData};

use super::key_text::{Block, foreign_curve, looks_like_openssh_public, name_of};
use super::node_key_error::{NodeKeyError, damaged};

/// The curves Flower accepts for a SuperNode's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NodeKeyAlgorithm {
    /// ECDSA over NIST P-256.
    EcdsaP256,
    /// ECDSA over NIST P-384, the curve Flower itself generates.
    EcdsaP384,
    /// ECDSA over NIST P-521.
    EcdsaP521,
}

impl NodeKeyAlgorithm {
    /// All algorithms, in the order in which they are listed to a person.
    pub const ALL: [Self; 3] = [Self::EcdsaP256, Self::EcdsaP384, Self::EcdsaP521];

    /// The name used in configuration, such as `ECDSA-P384`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ECDSA-P256",
            Self::EcdsaP384 => "ECDSA-P384",
            Self::EcdsaP521 => "ECDSA-P521",
        }
    }
}

impl fmt::Display for NodeKeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for NodeKeyAlgorithm {
    type Err = NodeKeyError;

    fn from_str(text: &str) -> Result<Self, NodeKeyError> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
            .ok_or_else(|| NodeKeyError::UnknownAlgorithm(text.to_owned()))
    }
}

/// A SuperNode's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodePublicKey {
    /// On NIST P-256.
    P256(p256::PublicKey),
    /// On NIST P-384.
    P384(p384::PublicKey),
    /// On NIST P-521.
    P521(p521::PublicKey),
}

impl NodePublicKey {
    /// Reads an OpenSSH line (with or without a comment) or an SPKI PEM.
    pub fn parse(text: &str) -> Result<Self, NodeKeyError> {
        let text = text.trim();
        if text.contains("PRIVATE KEY-----") {
            return Err(NodeKeyError::PrivateGiven);
        }
        Block::is_alone(text)?;
        if text.starts_with("-----BEGIN PUBLIC KEY-----") {
            return from_spki(text);
        }
        if text.starts_with("-----BEGIN RSA PUBLIC KEY-----") {
            return Err(NodeKeyError::Unsupported("an RSA key".into()));
        }
        if looks_like_openssh_public(text) {
            if text.lines().count() > 1 {
                return Err(NodeKeyError::SeveralGiven);
            }
            return from_openssh(text);
        }
        Err(NodeKeyError::NotAKey)
    }

    /// The curve of this key.
    pub fn algorithm(&self) -> NodeKeyAlgorithm {
        match self {
            Self::P256(_) => NodeKeyAlgorithm::EcdsaP256,
            Self::P384(_) => NodeKeyAlgorithm::EcdsaP384,
            Self::P521(_) => NodeKeyAlgorithm::EcdsaP521,
        }
    }

    /// SPKI PEM, byte for byte as Python's `cryptography` writes it.
    pub fn pem(&self) -> Result<String, NodeKeyError> {
        match self {
            Self::P256(key) => key.to_public_key_pem(LineEnding::LF),
            Self::P384(key) => key.to_public_key_pem(LineEnding::LF),
            Self::P521(key) => key.to_public_key_pem(LineEnding::LF),
        }
        .map_err(|error| damaged("public", &error))
    }

    /// The OpenSSH line, without a comment.
    pub fn openssh(&self) -> Result<String, NodeKeyError> {
        self.ssh()
            .to_openssh()
            .map_err(|error| damaged("public", &error))
    }

    /// The OpenSSH fingerprint, `SHA256:...`.
    pub fn fingerprint(&self) -> Result<String, NodeKeyError> {
        Ok(self.ssh().fingerprint(HashAlg::Sha256).to_string())
    }

    /// The point, uncompressed.
    pub(super) fn point(&self) -> Vec<u8> {
        match self {
            Self::P256(key) => key.to_encoded_point(false).as_bytes().to_vec(),
            Self::P384(key) => key.to_encoded_point(false).as_bytes().to_vec(),
            Self::P521(key) => key.to_encoded_point(false).as_bytes().to_vec(),
        }
    }

    fn ssh(&self) -> ssh_key::PublicKey {
        let key = match self {
            Self::P256(key) => EcdsaPublicKey::NistP256(key.into()),
            Self::P384(key) => EcdsaPublicKey::NistP384(key.into()),
            Self::P521(key) => EcdsaPublicKey::NistP521(key.into()),
        };
        ssh_key::PublicKey::new(KeyData::Ecdsa(key), "")
    }
}

fn from_openssh(text: &str) -> Result<NodePublicKey, NodeKeyError> {
    let key = ssh_key::PublicKey::from_openssh(text)
        .map_err(|error| damaged("OpenSSH public", &error))?;
    let KeyData::Ecdsa(point) = key.key_data() else {
        return Err(NodeKeyError::Unsupported(name_of(key.algorithm().as_str())));
    };
    let bytes = point.as_sec1_bytes();
    match point {
        EcdsaPublicKey::NistP256(_) => {
            p256::PublicKey::from_sec1_bytes(bytes).map(NodePublicKey::P256)
        }
        EcdsaPublicKey::NistP384(_) => {
            p384::PublicKey::from_sec1_bytes(bytes).map(NodePublicKey::P384)
        }
        EcdsaPublicKey::NistP521(_) => {
            p521::PublicKey::from_sec1_bytes(bytes).map(NodePublicKey::P521)
        }
    }
    .map_err(|_| damaged("OpenSSH public", &"the point is not on the curve"))
}

fn from_spki(text: &str) -> Result<NodePublicKey, NodeKeyError> {
    let document = Block::find(text)?.decode("public PEM")?;
    let der = document.as_slice();
    let info =
        SubjectPublicKeyInfoRef::try_from(der).map_err(|error| damaged("public PEM", &error))?;
    let kind = info.algorithm.oid.to_string();
    match kind.as_str() {
        "1.2.840.10045.2.1" => {}
        "1.2.840.113549.1.1.1" => return Err(NodeKeyError::Unsupported("an RSA key".into())),
        "1.3.101.112" => return Err(NodeKeyError::Unsupported("an Ed25519 key".into())),
        _ => return Err(NodeKeyError::Unsupported(format!("of the kind {kind}"))),
    }
    let curve = info
        .algorithm
        .parameters_oid()
        .map_err(|error| damaged("public PEM", &error))?;
    match curve.to_string().as_str() {
        "1.2.840.10045.3.1.7" => p256::PublicKey::from_public_key_der(der).map(NodePublicKey::P256),
        "1.3.132.0.34" => p384::PublicKey::from_public_key_der(der).map(NodePublicKey::P384),
        "1.3.132.0.35" => p521::PublicKey::from_public_key_der(der).map(NodePublicKey::P521),
        _ => return Err(foreign_curve(curve)),
    }
    .map_err(|error| damaged("public PEM", &error))
}
