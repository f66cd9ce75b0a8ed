//! The OpenSSH private key file, read and written for unencrypted EC keys.
//!
//! The `ssh-key` crate (0.6) refuses keys that users really have: those of Python's `cryptography`,
//! which adds a whole block of padding where none is needed, and every P-521 key whose number is
//! shorter than 66 bytes, which is more than half of them. OpenSSH's `PROTOCOL.key` describes the
//! format.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const MAGIC: &[u8] = b"openssh-key-v1\0";
const LABEL: &str = "OPENSSH PRIVATE KEY";
const LINE_WIDTH: usize = 70;
const BLOCK: usize = 8;

/// The content of a key file.
pub(super) enum Contents {
    /// An EC key.
    Ec {
        /// The name of the curve, such as `nistp384`.
        curve: String,
        /// The public point, uncompressed.
        point: Vec<u8>,
        /// The private number without leading zeros.
        number: Zeroizing<Vec<u8>>,
    },
    /// Another kind of key, by its SSH name such as `ssh-ed25519`.
    Other(String),
    /// A passphrase protects it.
    Encrypted,
}

/// Reads the decoded body of a key file. The error is a fragment that continues a sentence.
pub(super) fn read(bytes: &[u8]) -> Result<Contents, &'static str> {
    let mut file = Fields(
        bytes
            .strip_prefix(MAGIC)
            .ok_or("it does not begin like an OpenSSH key")?,
    );
    let cipher = file.string()?;
    let _kdf = file.string()?;
    let _kdf_options = file.string()?;
    if file.number()? != 1 {
        return Err("it does not hold exactly one key");
    }
    let public = file.string()?;
    let private = file.string()?;
    let kind = Fields(public).text()?;
    if !kind.starts_with("ecdsa-sha2-") {
        return Ok(Contents::Other(kind));
    }
    if cipher != b"none" {
        return Ok(Contents::Encrypted);
    }
    let mut private = Fields(private);
    if private.number()? != private.number()? {
        return Err("its check numbers differ");
    }
    let _kind = private.string()?;
    let curve = private.text()?;
    let point = private.string()?.to_vec();
    let number = private.string()?;
    let start = number
        .iter()
        .position(|byte| *byte != 0)
        .unwrap_or(number.len());
    let number = Zeroizing::new(number.get(start..).unwrap_or_default().to_vec());
    Ok(Contents::Ec {
        curve,
        point,
        number,
    })
}

/// Writes a key file as ssh-keygen does, without a comment. The check number, which is random in
/// ssh-keygen, is derived from the public key, so the same key always gives the same file.
pub(super) fn write(
    curve: &str,
    point: &[u8],
    number: &[u8],
) -> Result<Zeroizing<String>, &'static str> {
    let kind = format!("ecdsa-sha2-{curve}");
    let mut public = Vec::new();
    for field in [kind.as_bytes(), curve.as_bytes(), point] {
        put(&mut public, field)?;
    }
    let digest = Sha256::digest(&public);
    let check: Vec<u8> = digest.iter().copied().take(4).collect();

    let mut private = Zeroizing::new(Vec::with_capacity(512));
    private.extend_from_slice(&check);
    private.extend_from_slice(&check);
    private.extend_from_slice(&public);
    put(&mut private, &positive(number))?;
    put(&mut private, b"")?;
    for padding in 1_u8.. {
        if private.len().is_multiple_of(BLOCK) {
            break;
        }
        private.push(padding);
    }

    let mut file = Zeroizing::new(Vec::with_capacity(1024));
    file.extend_from_slice(MAGIC);
    for field in [&b"none"[..], b"none", b""] {
        put(&mut file, field)?;
    }
    file.extend_from_slice(&1_u32.to_be_bytes());
    put(&mut file, &public)?;
    put(&mut file, &private)?;
    Ok(armoured(&file))
}

fn armoured(file: &[u8]) -> Zeroizing<String> {
    let body = Zeroizing::new(STANDARD.encode(file));
    let mut text = Zeroizing::new(String::with_capacity(body.len() * 2));
    for part in ["-----BEGIN ", LABEL, "-----"] {
        text.push_str(part);
    }
    for (position, character) in body.chars().enumerate() {
        if position % LINE_WIDTH == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    for part in ["\n-----END ", LABEL, "-----\n"] {
        text.push_str(part);
    }
    text
}

/// A positive number in SSH's encoding: no leading zeros, except one if the first bit is set.
fn positive(number: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(number.len() + 1));
    bytes.push(0);
    bytes.extend(number.iter().skip_while(|byte| **byte == 0));
    if bytes.get(1).is_some_and(|first| first & 0x80 == 0) {
        bytes.remove(0);
    }
    bytes
}

fn put(to: &mut Vec<u8>, field: &[u8]) -> Result<(), &'static str> {
    let length = u32::try_from(field.len()).map_err(|_| "a field is too long")?;
    to.extend_from_slice(&length.to_be_bytes());
    to.extend_from_slice(field);
    Ok(())
}

struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Result<u32, &'static str> {
        let (number, rest) = self.0.split_first_chunk::<4>().ok_or("it ends too early")?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*number))
    }

    fn string(&mut self) -> Result<&'a [u8], &'static str> {
        let length = usize::try_from(self.number()?).map_err(|_| "it ends too early")?;
        let (field, rest) = self.0.split_at_checked(length).ok_or("it ends too early")?;
        self.0 = rest;
        Ok(field)
    }

    fn text(&mut self) -> Result<String, &'static str> {
        String::from_utf8(self.string()?.to_vec()).map_err(|_| "a name in it is not text")
    }
}
