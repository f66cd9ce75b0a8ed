//! The status at the end of a gRPC response. The provider decodes it itself, because tonic panics
//! over details that it cannot decode, and these come from the network.

use http::{HeaderMap, HeaderValue};
use tonic::Code;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) code: Code,
    pub(super) text: String,
}

impl Status {
    /// `None` if the headers have none.
    pub(super) fn read(headers: &HeaderMap) -> Option<Self> {
        let code = headers.get("grpc-status")?;
        let text = headers.get("grpc-message");
        Some(Self {
            code: Code::from_bytes(code.as_bytes()),
            text: text.map_or_else(String::new, decoded),
        })
    }
}

/// The text of a header, in which some bytes are written as `%` and two digits.
fn decoded(header: &HeaderValue) -> String {
    let mut rest = header.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some((&first, after)) = rest.split_first() {
        let escaped = after
            .split_at_checked(2)
            .filter(|_| first == b'%')
            .and_then(|(digits, after)| Some((hex::decode(digits).ok()?, after)));
        if let Some((byte, after)) = escaped {
            bytes.extend(byte);
            rest = after;
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(code: &[u8], text: &[u8]) -> Option<Status> {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", HeaderValue::from_bytes(code).ok()?);
        headers.insert("grpc-message", HeaderValue::from_bytes(text).ok()?);
        let details = HeaderValue::from_static("no base64!");
        headers.insert("grpc-status-details-bin", details);
        Status::read(&headers)
    }

    #[test]
    fn a_text_is_decoded_as_far_as_it_can_be() {
        for (header, text) in [
            ("Run ID not found", "Run ID not found"),
            ("F%C3%B6deration %27x%27", "Föderation 'x'"),
            ("100% %zz %", "100% %zz %"),
            ("%ff%e2", "\u{fffd}\u{fffd}"),
        ] {
            let status = read(b"5", header.as_bytes()).unwrap();
            assert_eq!((status.code, status.text.as_str()), (Code::NotFound, text));
        }
        assert_eq!(read(b"999", b"").unwrap().code, Code::Unknown);
        assert_eq!(Status::read(&HeaderMap::new()), None);
    }

    proptest! {
        #[test]
        fn any_header_is_read(
            code in prop::collection::vec(any::<u8>(), 0..4),
            text in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            if let Some(status) = read(&code, &text) {
                prop_assert!(status.text.len() <= 3 * text.len());
            }
        }
    }
}
