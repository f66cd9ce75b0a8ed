//! Reads the body of a gRPC response: messages, then a status.

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tonic::Code;

use super::super::framing::{FrameDecoder, MAX_FRAME};
use super::connection::reset;
use super::status::Status;
use crate::error_chain::error_chain;

/// The next part of a response.
pub(super) enum Piece {
    Message(Bytes),
    /// The end, with the status of the call.
    End(Status),
    /// The connection broke, or the status is missing.
    Cut(String),
    /// Something that a gRPC server does not send.
    Odd(String),
}

pub(super) struct ResponseReader {
    body: Incoming,
    decoder: FrameDecoder,
    /// Without messages, the headers contain the status.
    early: Option<Status>,
}

impl ResponseReader {
    pub(super) fn new(response: Response<Incoming>) -> Self {
        Self {
            early: Status::read(response.headers()),
            body: response.into_body(),
            decoder: FrameDecoder::of_grpc(MAX_FRAME),
        }
    }

    pub(super) async fn next(&mut self) -> Piece {
        if let Some(status) = self.early.take() {
            return Piece::End(status);
        }
        loop {
            match self.decoder.next_frame() {
                Ok(Some(message)) => return Piece::Message(message),
                Ok(None) => {}
                Err(error) => return Piece::Odd(error.to_string()),
            }
            let frame = match self.body.frame().await {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return broken(&error),
                None => return Piece::Cut("the response ended without a status".to_owned()),
            };
            match frame.into_data() {
                Ok(data) => self.decoder.push(&data),
                Err(frame) => return self.end(frame.trailers_ref()),
            }
        }
    }

    fn end(&self, trailers: Option<&HeaderMap>) -> Piece {
        match trailers.and_then(Status::read) {
            None => Piece::Cut("the response ended without a status".to_owned()),
            Some(status) if status.code == Code::Ok && !self.decoder.is_at_boundary() => {
                Piece::Cut("the last message is incomplete".to_owned())
            }
            Some(status) => Piece::End(status),
        }
    }
}

fn broken(error: &hyper::Error) -> Piece {
    match reset(error) {
        Some(h2::Reason::CANCEL) => Piece::End(Status {
            code: Code::Cancelled,
            text: "it cancelled the call".to_owned(),
        }),
        _ => Piece::Cut(error_chain(error)),
    }
}
