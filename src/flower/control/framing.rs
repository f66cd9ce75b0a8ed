//! Cuts a stream into messages: four bytes of length, big endian, then the message.
//!
//! Chunks of the body do not follow the messages, and the length comes from the network: nothing is
//! set aside for a message before its bytes are here, and one above the limit ends the stream.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

/// Longest message taken. A finished run's whole log comes as one.
pub(super) const MAX_FRAME: usize = 64 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum FrameError {
    #[error("it announces a message of {length} bytes, and the limit is {limit}")]
    TooLong { length: usize, limit: usize },
}

/// Collects chunks and gives out whole messages.
#[derive(Debug)]
pub(super) struct FrameDecoder {
    buffer: BytesMut,
    limit: usize,
}

impl FrameDecoder {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            limit,
        }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole message, if there is one.
    pub(super) fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(head) = self.buffer.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
        if length > self.limit {
            return Err(FrameError::TooLong {
                length,
                limit: self.limit,
            });
        }
        if self.buffer.len() - 4 < length {
            return Ok(None);
        }
        self.buffer.advance(4);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// True if the stream may end here: nothing is left over.
    pub(super) fn is_at_boundary(&self) -> bool {
        self.buffer.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
        let mut stream = Vec::new();
        for message in messages {
            stream.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
            stream.extend(message);
        }
        stream
    }

    proptest! {
        #[test]
        fn messages_survive_any_chunking(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
            chunk in 1_usize..50,
        ) {
            let mut decoder = FrameDecoder::new(64);
            let mut seen = Vec::new();
            for piece in framed(&messages).chunks(chunk) {
                decoder.push(piece);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    seen.push(frame.to_vec());
                }
            }
            prop_assert_eq!(seen, messages);
            prop_assert!(decoder.is_at_boundary());
        }

        #[test]
        fn noise_never_panics_and_never_grows_past_what_came(noise in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut decoder = FrameDecoder::new(100);
            decoder.push(&noise);
            while let Ok(Some(frame)) = decoder.next_frame() {
                prop_assert!(frame.len() <= 100);
            }
        }
    }

    #[test]
    fn a_hostile_length_ends_the_stream_at_once() {
        let mut decoder = FrameDecoder::new(MAX_FRAME);
        decoder.push(&[0xFF; 4]);
        assert_eq!(
            decoder.next_frame(),
            Err(FrameError::TooLong {
                length: u32::MAX as usize,
                limit: MAX_FRAME
            })
        );
    }

    #[test]
    fn a_cut_message_is_noticed() {
        let mut decoder = FrameDecoder::new(10);
        decoder.push(&[0, 0, 0, 3, b'a', b'b']);
        assert_eq!(decoder.next_frame(), Ok(None));
        assert!(!decoder.is_at_boundary());
    }
}
