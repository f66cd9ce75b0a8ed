//! The private key with which a SuperNode authenticates to a SuperLink.
//!
//! Flower accepts only unencrypted EC keys in OpenSSH format and exits with code 302 for any other.
//! Users also have other formats, so this module reads OpenSSH, PKCS#8 and SEC1, and always writes
//! OpenSSH. An error names the kind of an unsupported key: "an RSA key", not "invalid".

use std::fmt;
use std::sync::OnceLock;

use p256::elliptic_curve::rand_core::{OsRng, RngCore};
use p256::pkcs8::der::asn1::{ContextSpecific, ObjectIdentifier, OctetStringRef};
use p256::pkcs8::der::{Decode, Reader, SliceReader, TagNumber};
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding, PrivateKeyInfo};
use zeroize::Zeroizing;

use super::key_text::{Block, foreign_curve, looks_like_openssh_public, name_of};
use super::node_key_error::{NodeKeyError, damaged};
use super::node_public_key::{NodeKeyAlgorithm, NodePublicKey};
use super::openssh::{self, Contents};

const OID_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const OID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const OID_EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const OID_P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const OID_P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const OID_P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// How many random scalars may be out of range before the random source counts as broken.
const GENERATE_ATTEMPTS: usize = 64;

/// A SuperNode's private key.
#[derive(Clone)]
pub struct NodeKey {
    scalar: Scalar,
    /// Kept, because creating it takes far longer than writing the key.
    public: OnceLock<NodePublicKey>,
}

#[derive(Clone)]
enum Scalar {
    P256(p256::SecretKey),
    P384(p384::SecretKey),
    P521(p521::SecretKey),
}

impl fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeKey")
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

impl NodeKey {
    const fn new(scalar: Scalar) -> Self {
        Self {
            scalar,
            public: OnceLock::new(),
        }
    }

    /// Generates a key from the randomness of the operating system.
    pub fn generate(algorithm: NodeKeyAlgorithm) -> Result<Self, NodeKeyError> {
        let scalar = match algorithm {
            NodeKeyAlgorithm::EcdsaP256 => Scalar::P256(sample::<32, _>(0xff, |b| {
                p256::SecretKey::from_slice(b).ok()
            })?),
            NodeKeyAlgorithm::EcdsaP384 => Scalar::P384(sample::<48, _>(0xff, |b| {
                p384::SecretKey::from_slice(b).ok()
            })?),
            // 521 bits: only one bit of the first of the 66 bytes is used.
            NodeKeyAlgorithm::EcdsaP521 => Scalar::P521(sample::<66, _>(0x01, |b| {
                p521::SecretKey::from_slice(b).ok()
            })?),
        };
        Ok(Self::new(scalar))
    }

    /// Reads an unencrypted key in OpenSSH, PKCS#8 PEM or SEC1 PEM format.
    pub fn parse(text: &str) -> Result<Self, NodeKeyError> {
        Block::is_alone(text)?;
        let block = Block::find(text)?;
        match block.label {
            "OPENSSH PRIVATE KEY" => from_openssh(&block.decode("OpenSSH")?),
            "PRIVATE KEY" => from_pkcs8(&block.decode("PKCS#8")?),
            "EC PRIVATE KEY" => from_sec1(&block.decode("SEC1")?),
            "ENCRYPTED PRIVATE KEY" => Err(NodeKeyError::Encrypted),
            "RSA PRIVATE KEY" => Err(NodeKeyError::Unsupported("an RSA key".into())),
            "DSA PRIVATE KEY" => Err(NodeKeyError::Unsupported("a DSA key".into())),
            "PUBLIC KEY" | "RSA PUBLIC KEY" => Err(NodeKeyError::PublicGiven),
            _ if looks_like_openssh_public(text.trim()) => Err(NodeKeyError::PublicGiven),
            _ => Err(NodeKeyError::NotAKey),
        }
    }

    /// The curve of this key.
    pub fn algorithm(&self) -> NodeKeyAlgorithm {
        match self.scalar {
            Scalar::P256(_) => NodeKeyAlgorithm::EcdsaP256,
            Scalar::P384(_) => NodeKeyAlgorithm::EcdsaP384,
            Scalar::P521(_) => NodeKeyAlgorithm::EcdsaP521,
        }
    }

    /// The public half.
    pub fn public(&self) -> &NodePublicKey {
        self.public.get_or_init(|| match &self.scalar {
            Scalar::P256(key) => NodePublicKey::P256(key.public_key()),
            Scalar::P384(key) => NodePublicKey::P384(key.public_key()),
            Scalar::P521(key) => NodePublicKey::P521(key.public_key()),
        })
    }

    /// The private key as unencrypted OpenSSH, as Flower reads it. The same key gives the same
    /// bytes.
    pub fn private_openssh(&self) -> Result<Zeroizing<String>, NodeKeyError> {
        let point = self.public().point();
        let written = match &self.scalar {
            Scalar::P256(key) => openssh::write("nistp256", &point, &secret(key)),
            Scalar::P384(key) => openssh::write("nistp384", &point, &secret(key)),
            Scalar::P521(key) => openssh::write("nistp521", &point, &secret(key)),
        };
        written.map_err(|reason| damaged("OpenSSH", &reason))
    }

    /// PKCS#8 PEM, which ring reads.
    pub(super) fn pkcs8_pem(&self) -> Result<Zeroizing<String>, NodeKeyError> {
        match &self.scalar {
            Scalar::P256(key) => key.to_pkcs8_pem(LineEnding::LF),
            Scalar::P384(key) => key.to_pkcs8_pem(LineEnding::LF),
            Scalar::P521(key) => key.to_pkcs8_pem(LineEnding::LF),
        }
        .map_err(|error| damaged("PKCS#8", &error))
    }

    /// The public key as an OpenSSH line without a comment.
    pub fn public_openssh(&self) -> Result<String, NodeKeyError> {
        self.public().openssh()
    }

    /// The public key as SPKI PEM, byte for byte as Flower stores and looks it up.
    pub fn public_pem(&self) -> Result<String, NodeKeyError> {
        self.public().pem()
    }

    /// The OpenSSH fingerprint, `SHA256:...`.
    pub fn fingerprint(&self) -> Result<String, NodeKeyError> {
        self.public().fingerprint()
    }
}

fn from_openssh(bytes: &[u8]) -> Result<NodeKey, NodeKeyError> {
    let fail = |reason: &str| damaged("OpenSSH", &reason);
    let (curve, point, number) = match openssh::read(bytes).map_err(fail)? {
        Contents::Ec {
            curve,
            point,
            number,
        } => (curve, point, number),
        Contents::Other(kind) => return Err(NodeKeyError::Unsupported(name_of(&kind))),
        Contents::Encrypted => return Err(NodeKeyError::Encrypted),
    };
    let scalar = match curve.as_str() {
        "nistp256" => p256::SecretKey::from_slice(&padded(&number, 32)).map(Scalar::P256),
        "nistp384" => p384::SecretKey::from_slice(&padded(&number, 48)).map(Scalar::P384),
        "nistp521" => p521::SecretKey::from_slice(&padded(&number, 66)).map(Scalar::P521),
        other => return Err(NodeKeyError::Unsupported(format!("an EC key on {other}"))),
    };
    let key = scalar
        .map(NodeKey::new)
        .map_err(|_| fail("the private number is out of range"))?;
    if key.public().point() != point {
        return Err(fail(
            "the public and the private half do not belong together",
        ));
    }
    Ok(key)
}

/// The number in the full width of the curve. A longer one is returned unchanged, and every curve
/// refuses it.
fn padded(number: &[u8], width: usize) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(vec![0_u8; width.saturating_sub(number.len())]);
    bytes.reserve_exact(number.len());
    bytes.extend_from_slice(number);
    bytes
}

fn secret<C: p256::elliptic_curve::Curve>(
    key: &p256::elliptic_curve::SecretKey<C>,
) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(key.to_bytes().to_vec())
}

fn from_pkcs8(der: &[u8]) -> Result<NodeKey, NodeKeyError> {
    let info = PrivateKeyInfo::try_from(der).map_err(|error| damaged("PKCS#8", &error))?;
    match info.algorithm.oid {
        OID_EC => {}
        OID_RSA => return Err(NodeKeyError::Unsupported("an RSA key".into())),
        OID_ED25519 => return Err(NodeKeyError::Unsupported("an Ed25519 key".into())),
        other => return Err(NodeKeyError::Unsupported(format!("of the kind {other}"))),
    }
    let curve = info
        .algorithm
        .parameters_oid()
        .map_err(|error| damaged("PKCS#8", &error))?;
    let scalar = match curve {
        OID_P256 => p256::SecretKey::from_pkcs8_der(der).map(Scalar::P256),
        OID_P384 => p384::SecretKey::from_pkcs8_der(der).map(Scalar::P384),
        OID_P521 => p521::SecretKey::from_pkcs8_der(der).map(Scalar::P521),
        other => return Err(foreign_curve(other)),
    };
    scalar
        .map(NodeKey::new)
        .map_err(|error| damaged("PKCS#8", &error))
}

fn from_sec1(der: &[u8]) -> Result<NodeKey, NodeKeyError> {
    let (length, curve) = sec1_shape(der).map_err(|error| damaged("SEC1", &error))?;
    // The curve is optional in this format; without it, the length identifies the curve.
    let scalar = match (curve, length) {
        (Some(OID_P256), _) | (None, 32) => p256::SecretKey::from_sec1_der(der).map(Scalar::P256),
        (Some(OID_P384), _) | (None, 48) => p384::SecretKey::from_sec1_der(der).map(Scalar::P384),
        (Some(OID_P521), _) | (None, 66) => p521::SecretKey::from_sec1_der(der).map(Scalar::P521),
        (Some(other), _) => return Err(foreign_curve(other)),
        (None, _) => return Err(NodeKeyError::Unsupported("on an unnamed curve".into())),
    };
    scalar
        .map(NodeKey::new)
        .map_err(|error| damaged("SEC1", &error))
}

fn sec1_shape(der: &[u8]) -> p256::pkcs8::der::Result<(usize, Option<ObjectIdentifier>)> {
    let mut reader = SliceReader::new(der)?;
    reader.sequence(|inner| {
        let _version = u8::decode(inner)?;
        let key = OctetStringRef::decode(inner)?.as_bytes().len();
        let curve = ContextSpecific::<ObjectIdentifier>::decode_explicit(inner, TagNumber::N0)?;
        inner.read_slice(inner.remaining_len())?;
        Ok((key, curve.map(|tagged| tagged.value)))
    })
}

fn sample<const N: usize, K>(
    first_byte_mask: u8,
    accept: impl Fn(&[u8]) -> Option<K>,
) -> Result<K, NodeKeyError> {
    let mut bytes = Zeroizing::new([0_u8; N]);
    for _ in 0..GENERATE_ATTEMPTS {
        OsRng
            .try_fill_bytes(bytes.as_mut())
            .map_err(|error| NodeKeyError::Randomness(error.to_string()))?;
        if let Some(first) = bytes.first_mut() {
            *first &= first_byte_mask;
        }
        if let Some(key) = accept(bytes.as_ref()) {
            return Ok(key);
        }
    }
    Err(NodeKeyError::Randomness(
        "every sample was out of range".into(),
    ))
}

#[cfg(test)]
#[path = "node_key_tests.rs"]
mod tests;
