//! Splits a stream into messages: a length of four bytes, big endian, then the message. gRPC has
//! one more byte before the length: whether the message is compressed.
//!
//! The chunks of the body do not match the messages, and the length is untrusted: memory is used
//! only for bytes that have arrived, and a message above the limit ends the stream.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;

/// The maximum length of a message. The whole log of a finished run is one message.
pub(super) const MAX_FRAME: usize = 64 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum FrameError {
    #[error("it announces a message of {length} bytes, and the limit is {limit}")]
    TooLong { length: usize, limit: usize },
    #[error("it compressed a message, which was not requested")]
    Compressed,
}

/// Collects chunks and returns whole messages.
#[derive(Debug)]
pub(super) struct FrameDecoder {
    buffer: BytesMut,
    limit: usize,
    is_grpc: bool,
}

impl FrameDecoder {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            limit,
            is_grpc: false,
        }
    }

    pub(super) fn of_grpc(limit: usize) -> Self {
        Self {
            is_grpc: true,
            ..Self::new(limit)
        }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole message, if it is complete.
    pub(super) fn next_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        let mut head = self.buffer.as_ref();
        if self.is_grpc {
            match head.split_off_first() {
                None => return Ok(None),
                Some(0) => {}
                Some(_) => return Err(FrameError::Compressed),
            }
        }
        let Some((length, message)) = head.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > self.limit {
            return Err(FrameError::TooLong {
                length,
                limit: self.limit,
            });
        }
        if message.len() < length {
            return Ok(None);
        }
        let head = self.buffer.len() - message.len();
        self.buffer.advance(head);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// A message in the format of gRPC.
    pub(super) fn grpc_frame(message: &[u8]) -> Bytes {
        let mut frame = BytesMut::with_capacity(message.len() + 5);
        frame.put_u8(0);
        // No message is that long: a bundle has at most ten megabytes.
        frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
        frame.put_slice(message);
        frame.freeze()
    }

    /// Whether the stream may end here, without an incomplete message.
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
        fn grpc_messages_survive_any_chunking(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..8),
            chunk in 1_usize..50,
        ) {
            let mut decoder = FrameDecoder::of_grpc(64);
            let mut seen = Vec::new();
            let stream: Vec<u8> = messages
                .iter()
                .flat_map(|message| FrameDecoder::grpc_frame(message))
                .collect();
            for piece in stream.chunks(chunk) {
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
            for mut decoder in [FrameDecoder::new(100), FrameDecoder::of_grpc(100)] {
                decoder.push(&noise);
                while let Ok(Some(frame)) = decoder.next_frame() {
                    prop_assert!(frame.len() <= 100);
                }
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
