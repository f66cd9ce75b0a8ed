//! Masks every secret that the provider has seen, in everything that it writes. Logs, diagnostics
//! and errors pass through [`masked`]. This is a second protection: no message is built from a
//! secret in the first place.
//!
//! Secrets are also found in base64, JSON, URLs and Rust's Debug output. The process wipes the
//! stored secrets when it ends.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

static SECRETS: Mutex<Secrets> = Mutex::new(Secrets {
    known: BTreeSet::new(),
    forms: BTreeMap::new(),
});

/// Masking shorter texts would replace parts of ordinary words.
const SHORTEST: usize = 6;
/// A shorter user part of a URL is a name, not a token.
const SHORTEST_TOKEN: usize = 16;
const MASK: &str = "***";

struct Secrets {
    /// Digests of the secrets added so far: every call brings the same secret again.
    known: BTreeSet<[u8; 32]>,
    /// The texts to mask, by their first two bytes.
    forms: BTreeMap<[u8; 2], BTreeSet<Form>>,
}

/// A text to mask. The longest comes first: one may begin with another.
#[derive(PartialEq, Eq)]
struct Form(Zeroizing<String>);

impl Ord for Form {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_length = other.0.len().cmp(&self.0.len());
        by_length.then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Form {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Masks `secret` in all later output: as a whole, and line by line.
pub fn hide(secret: &str) {
    let mut secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    secrets.add(secret);
}

/// Masks a PEM text if it contains a private key; certificates and public keys may be shown.
pub fn hide_private_key(text: &str) {
    if text.contains("PRIVATE KEY") {
        hide(text);
    }
}

/// Masks the passwords in URLs, and a user part that is long enough to be a token. The URLs of
/// package indexes, proxies and requirements contain them, and installers print these URLs.
pub fn hide_passwords(text: &str) {
    for word in text.split_whitespace() {
        let authority = word.split_once("://").map(|(_, rest)| rest);
        let authority = authority.and_then(|rest| rest.split(['/', '?', '#']).next());
        let Some((user, _)) = authority.and_then(|one| one.rsplit_once('@')) else {
            continue;
        };
        match user.split_once(':') {
            Some((_, password)) => hide(password),
            None if user.len() >= SHORTEST_TOKEN => hide(user),
            None => {}
        }
    }
}

/// Returns `text` with every secret masked.
pub fn masked(text: &str) -> Cow<'_, str> {
    let secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    secrets.mask(text)
}

/// Wipes the stored secrets; call it after the last output.
pub fn forget() {
    let mut secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    secrets.forms.clear();
    secrets.known.clear();
}

impl Secrets {
    fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.len() < SHORTEST || !self.known.insert(Sha256::digest(secret).into()) {
            return;
        }
        let mut forms = encoded(secret);
        for line in secret.lines().map(str::trim) {
            // Messages that ask for a key contain its first and last line.
            if line.len() >= SHORTEST && !line.starts_with("-----") {
                forms.extend(written(line));
            }
        }
        forms.retain(|form| form.len() >= SHORTEST);
        for form in forms {
            if let Some(start) = form.as_bytes().first_chunk() {
                self.forms.entry(*start).or_default().insert(Form(form));
            }
        }
    }

    /// Masks each part of the text that belongs to a secret; secrets may overlap.
    ///
    /// The text is read once however many secrets there are: logs and reports are long, and a
    /// federation has many keys.
    fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let bytes = text.as_bytes();
        let mut found: Vec<Range<usize>> = Vec::new();
        for (at, start) in bytes.windows(2).enumerate() {
            let Some(forms) = self.forms.get(start) else {
                continue;
            };
            let rest = bytes.get(at..).unwrap_or_default();
            let Some(Form(form)) = forms
                .iter()
                .find(|form| rest.starts_with(form.0.as_bytes()))
            else {
                continue;
            };
            let end = at + form.len();
            match found.last_mut() {
                Some(last) if at < last.end => last.end = last.end.max(end),
                _ => found.push(at..end),
            }
        }
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut masked = String::with_capacity(text.len());
        let mut copied = 0;
        for part in found {
            masked.push_str(text.get(copied..part.start).unwrap_or_default());
            masked.push_str(MASK);
            copied = part.end;
        }
        masked.push_str(text.get(copied..).unwrap_or_default());
        Cow::Owned(masked)
    }
}

/// A line in all its forms: unchanged, and as part of a JSON string, a Debug text and a URL.
fn written(line: &str) -> Vec<Zeroizing<String>> {
    let inner = |quoted: String| {
        let quoted = Zeroizing::new(quoted);
        let inner = quoted
            .strip_prefix('"')
            .and_then(|one| one.strip_suffix('"'));
        Zeroizing::new(inner.unwrap_or_default().to_owned())
    };
    let json = serde_json::to_string(line).unwrap_or_default();
    vec![
        Zeroizing::new(line.to_owned()),
        inner(json),
        inner(format!("{line:?}")),
        in_a_url(line),
    ]
}

fn in_a_url(line: &str) -> Zeroizing<String> {
    let mut url = Zeroizing::new(String::with_capacity(line.len() * 3));
    for byte in line.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
            let digits = [byte >> 4, byte & 15].map(|one| digit(one).to_ascii_uppercase());
            url.push('%');
            url.extend(digits);
        }
    }
    url
}

/// The base64 forms of a secret: alone, and inside the base64 of a longer text. The characters that
/// also depend on neighbouring bytes are left out.
fn encoded(secret: &str) -> Vec<Zeroizing<String>> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(secret.as_bytes());
        // The characters that depend on the secret alone: 4 for each 3 bytes.
        let (from, to) = ((before * 4).div_ceil(3), bytes.len() * 4 / 3);
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let text = Zeroizing::new(engine.encode(&bytes));
            if let Some(own) = text.get(from..to) {
                forms.push(Zeroizing::new(own.to_owned()));
            }
        }
        bytes.zeroize();
    }
    forms
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn secrets(all: &[&str]) -> Secrets {
        let mut secrets = Secrets {
            known: BTreeSet::new(),
            forms: BTreeMap::new(),
        };
        for secret in all {
            secrets.add(secret);
        }
        secrets
    }

    #[test]
    fn a_secret_is_cut_out_in_every_notation() {
        let secret = "pa\"ss\\wö rd+/1";
        let secrets = secrets(&[secret]);
        for text in [
            secret.to_owned(),
            serde_json::json!({ "a": secret }).to_string(),
            serde_json::json!(secret).to_string(),
            format!("{secret:?}"),
            "x?token=pa%22ss%5Cw%C3%B6%20rd%2B%2F1&y".to_owned(),
            STANDARD.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
        ] {
            let masked = secrets.mask(&text);
            assert!(masked.contains(MASK), "{text}");
            assert!(!masked.contains("ss"), "{masked}");
        }
        // Inside the base64 of a longer text, at each of the three possible offsets.
        for before in ["", "a", "ab", "abc"] {
            let text = STANDARD.encode(format!("{before}{secret}:more"));
            assert!(secrets.mask(&text).contains(MASK), "{before:?}");
        }
    }

    #[test]
    fn a_key_is_cut_out_line_by_line_and_its_frame_stays() {
        let key = "-----BEGIN PRIVATE KEY-----\nabc\"defghi\n\tjklmno\n-----END PRIVATE KEY-----\n";
        let secrets = secrets(&[key]);
        assert_eq!(secrets.mask("key: abc\"defghi! jklmno"), "key: ***! ***");
        assert!(secrets.mask(&STANDARD.encode(key)).starts_with(MASK));
        let advice = "it holds no key (\"-----BEGIN PRIVATE KEY-----\")";
        assert_eq!(secrets.mask(advice), advice);
    }

    #[test]
    fn the_longest_secret_is_cut_out_first_and_short_ones_not_at_all() {
        let secrets = secrets(&["secret", "secret-and-more", "short", " ", ""]);
        assert_eq!(
            secrets.mask("secret-and-more, secret, short"),
            "***, ***, short"
        );
    }

    #[test]
    fn secrets_that_overlap_are_cut_out_whole() {
        let secrets = secrets(&["abcdefgh", "ghijklmnop", "efghij"]);
        assert_eq!(secrets.mask("1abcdefghijklmnop2"), "1***2");
        assert_eq!(secrets.mask("ghijklmnopabcdefgh"), "******");
        assert_eq!(secrets.mask("abcdefg"), "abcdefg");
        assert_eq!(secrets.mask("ö€abcdefghö€"), "ö€***ö€");
    }

    #[test]
    fn a_long_text_is_read_once_for_all_secrets() {
        let mut secrets = secrets(&[]);
        for number in 0..500 {
            secrets.add(&hex::encode(Sha256::digest(format!("{number}"))));
        }
        let secret = hex::encode(Sha256::digest("7"));
        let line = "INFO :      aggregate_train: Received 2 results and 0 failures\n";
        let text = format!("{}{secret}", line.repeat(4000));
        let begun = std::time::Instant::now();
        assert!(secrets.mask(&text).ends_with("failures\n***"));
        // A search for each of the secrets takes a minute here.
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    }

    #[test]
    fn the_password_of_a_url_is_hidden_and_its_host_is_not() {
        hide_passwords(
            "pkg @ https://somebody:pass-9c1e@index.example/simple?a=b@c and http://proxy:3128",
        );
        hide_passwords("git+https://token-0123456789abcdef@git.example/x http://someone@proxy");
        let said =
            "somebody:pass-9c1e@index.example token-0123456789abcdef@git.example someone@proxy";
        let masked = masked(said);
        assert_eq!(
            masked,
            "somebody:***@index.example ***@git.example someone@proxy"
        );
    }

    #[test]
    fn the_same_secret_is_kept_once() {
        let mut secrets = secrets(&["a-token"]);
        let count = |secrets: &Secrets| secrets.forms.values().map(BTreeSet::len).sum::<usize>();
        let forms = count(&secrets);
        secrets.add("a-token\n");
        assert_eq!(count(&secrets), forms);
    }
}
