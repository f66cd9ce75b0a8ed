//! Finds private keys in the files that ship.
//!
//! A bundle goes to the `SuperLink`, is stored in its database and is unpacked on every node, so
//! everyone could read a key in it. A key is found by its first line, anywhere in a file: alone,
//! indented, in a string of JSON or Python, in UTF-16, or encoded in Base64, as in kubeconfig
//! files.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use memchr::memmem;

const WORDS: &[u8] = b"PRIVATE KEY";
const BEGIN: &[u8] = b"BEGIN ";
/// The maximum length of the text between those two, such as `RSA` or `SSH2 ENCRYPTED`.
const LONGEST_KIND: usize = 32;
/// The format of `PuTTY`, which contains both halves.
const PUTTY: &[u8] = b"PuTTY-User-Key-File-";
/// The prefix of an `age` key; letters and digits follow.
const AGE: &[u8] = b"AGE-SECRET-KEY-1";
/// A member of every JSON Web Key, and those of private and symmetric ones only.
const JWK: &[u8] = b"\"kty\"";
const JWK_PRIVATE: [&[u8]; 2] = [b"\"d\"", b"\"k\""];
/// The maximum distance between these members: that of an RSA key of 8192 bits.
const JWK_REACH: usize = 12 << 10;
/// `-----BEGIN ` in Base64, for each number of preceding bytes in the same group of three. The
/// characters that also depend on neighbouring bytes are left out.
const ENCODED: [&[u8]; 3] = [b"LS0tLS1CRUdJTi", b"0tLS0tQkVHSU4g", b"tLS0tLUJFR0lOI"];
/// Long enough for the first line of an encoded file; a multiple of four.
const ENCODED_LINE: usize = 96;
/// Keys without a first line: a version and the algorithm, in the Base64 of PKCS #8, SEC 1 and PKCS
/// #1.
const BODIES: [&[u8]; 6] = [
    b"AgEAMBMGByqGSM49AgE",
    b"AgEAMBAGByqGSM49AgE",
    b"IBADANBgkqhkiG9w0BAQEFAASC",
    b"MC4CAQAwBQYDK2Vw",
    b"MHcCAQEEI",
    b"IBAAKCAQEA",
];

/// The line number of the first private key in a file without NULs.
pub(super) fn line_of(text: &[u8]) -> Option<usize> {
    let bodies = BODIES.iter().filter_map(|body| memmem::find(text, body));
    let at = [
        header(text),
        memmem::find(text, PUTTY),
        encoded(text),
        bodies.min(),
        age(text),
        web_key(text),
    ];
    let at = at.into_iter().flatten().min()?;
    Some(1 + memchr::memchr_iter(b'\n', text.get(..at)?).count())
}

/// The position of a line such as `-----BEGIN RSA PRIVATE KEY-----`, or one with fewer dashes and
/// with blanks, as in SSH formats.
fn header(text: &[u8]) -> Option<usize> {
    memmem::find_iter(text, WORDS).find(|&at| {
        let before = text.get(..at).unwrap_or_default();
        let near = before.len().saturating_sub(LONGEST_KIND + BEGIN.len());
        let begins = memmem::rfind(before.get(near..).unwrap_or_default(), BEGIN);
        let Some(begins) = begins.map(|found| near + found) else {
            return false;
        };
        let kind = before.get(begins + BEGIN.len()..).unwrap_or_default();
        let is_kind =
            |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ';
        let left = before.get(..begins).unwrap_or_default();
        let left = left.strip_suffix(b" ").unwrap_or(left);
        let right = text.get(at + WORDS.len()..).unwrap_or_default();
        let right = right.strip_prefix(b" BLOCK").unwrap_or(right);
        let right = right.strip_prefix(b" ").unwrap_or(right);
        kind.iter().all(is_kind) && left.ends_with(b"----") && right.starts_with(b"----")
    })
}

fn age(text: &[u8]) -> Option<usize> {
    memmem::find_iter(text, AGE).find(|&at| {
        let next = text.get(at + AGE.len());
        next.is_some_and(u8::is_ascii_alphanumeric)
    })
}

/// A JSON Web Key with its private part: `"d"` or `"k"` with a text as its value, close to `"kty"`.
fn web_key(text: &[u8]) -> Option<usize> {
    memmem::find_iter(text, JWK).find(|&at| {
        let near = at.saturating_sub(JWK_REACH)..text.len().min(at + JWK_REACH);
        let near = text.get(near).unwrap_or_default();
        JWK_PRIVATE.iter().any(|member| {
            memmem::find_iter(near, member).any(|at| {
                let rest = near.get(at + member.len()..).unwrap_or_default();
                let rest = rest.trim_ascii_start().strip_prefix(b":");
                rest.is_some_and(|rest| rest.trim_ascii_start().starts_with(b"\""))
            })
        })
    })
}

fn encoded(text: &[u8]) -> Option<usize> {
    let digit = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let is_key = |at: usize| {
        // The start of a group of four is unknown: one of these contains the first line.
        (0..4).any(|back| {
            let Some(from) = at.checked_sub(back) else {
                return false;
            };
            let rest = text.get(from..).unwrap_or_default();
            let digits = rest.iter().take(ENCODED_LINE).take_while(digit).count();
            let digits = rest.get(..digits - digits % 4).unwrap_or_default();
            // The last group may be incomplete.
            let lines = STANDARD_NO_PAD.decode(digits);
            lines.is_ok_and(|line| header(&line).is_some())
        })
    };
    let found = ENCODED
        .iter()
        .flat_map(|needle| memmem::find_iter(text, needle))
        .filter(|&at| is_key(at));
    found.min()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In two parts, so that no program takes this file for a key.
    fn first_line(kind: &str) -> String {
        format!("-----{} {kind}PRIVATE KEY-----", "BEGIN")
    }

    #[test]
    fn keys_are_found_wherever_they_stand() {
        for kind in ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ", "DSA "] {
            let line = first_line(kind);
            assert_eq!(line_of(line.as_bytes()), Some(1), "{line}");
            assert_eq!(
                line_of(format!("a\r\nb\r\n\t  {line}\r\nMII").as_bytes()),
                Some(3)
            );
            assert_eq!(
                line_of(format!("{{\n\"key\": \"{line}\\nMII\\n\"}}").as_bytes()),
                Some(2)
            );
            assert_eq!(
                line_of(format!("KEY = '{line}\\r\\nMII'").as_bytes()),
                Some(1)
            );
            let wide: Vec<u8> = format!("x\n{line}")
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect();
            let wide = super::super::without_nuls(&wide);
            assert_eq!(line_of(&wide), Some(2), "UTF-16");
            let again = base64::engine::general_purpose::STANDARD
                .encode(format!("{line}\nMIIEpAIBAAKCAQEA\n"));
            assert_eq!(
                line_of(format!("users:\n- client-key-data: {again}\n").as_bytes()),
                Some(2)
            );
            // After a certificate of any length.
            for before in 0..3 {
                let both = format!("{}{line}\nMIIEpAIBAAKCAQEA\n", "\n".repeat(before));
                let both = base64::engine::general_purpose::STANDARD.encode(both);
                assert_eq!(line_of(both.as_bytes()), Some(1), "{before} bytes before");
            }
        }
        for body in [
            "MIGHAgEAMBMGByqGSM49AgEG",
            "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKc",
            "MHcCAQEEIBxx",
        ] {
            let text = format!("KEY = [\n  '{body}',\n]");
            assert_eq!(line_of(text.as_bytes()), Some(2), "{body}");
        }
        let age = format!("AGE-SECRET-{}QQQQQQQQ", "KEY-1");
        assert_eq!(line_of(format!("# public\n{age}").as_bytes()), Some(2));
        for private in [
            r#"{"kty":"RSA","n":"x","e":"AQAB","d":"x"}"#,
            r#"{"d" : "x", "crv": "P-256", "kty": "EC"}"#,
            r#"{"keys": [{"kty": "oct", "k": "x"}]}"#,
        ] {
            assert_eq!(line_of(private.as_bytes()), Some(1), "{private}");
        }
        for line in [
            format!("---- {} SSH2 ENCRYPTED PRIVATE KEY ----", "BEGIN"),
            format!("-----{} PGP PRIVATE KEY BLOCK-----", "BEGIN"),
            format!("PuTTY-User-Key-{}: ssh-ed25519", "File-3"),
        ] {
            assert_eq!(line_of(line.as_bytes()), Some(1), "{line}");
        }
        let mut late = vec![b'x'; 1 << 20];
        late.extend_from_slice(first_line("").as_bytes());
        assert_eq!(line_of(&late), Some(1), "far into a file");
    }

    #[test]
    fn what_is_no_private_key_passes() {
        for text in [
            "",
            "the PRIVATE KEY of a node",
            "-----BEGIN CERTIFICATE-----\nMII",
            "-----BEGIN PUBLIC KEY-----",
            "-----END PRIVATE KEY-----",
            "ssh-ed25519 AAAA a@b",
            r#"{"kty":"RSA","n":"x","e":"AQAB"}"#,
            r#"{"kty":"EC","d":1}"#,
            "AGE-SECRET-KEY-1",
            "LS0tLS1CRUdJTi",
            "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUQ=",
            "-----BEGIN \n PRIVATE KEY-----",
        ] {
            assert_eq!(line_of(text.as_bytes()), None, "{text}");
        }
    }
}
