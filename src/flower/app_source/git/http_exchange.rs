//! A request and its response as the stream that libgit2 expects. The response is read as it comes, so
//! a pack is never in memory as a whole.

use std::io::{self, Read, Write};
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::error::GitError;
use super::http::Server;
use crate::error_chain::error_chain;

/// One request and its response. libgit2 writes the first and then reads the second.
pub(super) struct Exchange {
    server: Arc<Server>,
    is_refs: bool,
    request: Vec<u8>,
    response: Option<Incoming>,
    chunk: Bytes,
}

impl Exchange {
    pub(super) fn new(server: Arc<Server>, is_refs: bool) -> Self {
        Self {
            server,
            is_refs,
            request: Vec::new(),
            response: None,
            chunk: Bytes::new(),
        }
    }

    /// Waits for more of the response. There is none at its end.
    fn next(&mut self) -> Result<Bytes, GitError> {
        let first = self.response.is_none();
        let body = match self.response.take() {
            Some(body) => body,
            None if self.is_refs => self.server.refs()?.into_body(),
            None => self
                .server
                .pack(std::mem::take(&mut self.request).into())?
                .into_body(),
        };
        let body = self.response.insert(body);
        let session = &self.server.session;
        loop {
            let frame = session.wait(session.limits.silence, body.frame())?;
            let frame = match frame.transpose() {
                Ok(Some(frame)) => frame,
                Ok(None) => return Ok(Bytes::new()),
                Err(error) => return Err(self.broken(&error)),
            };
            if let Some(data) = frame.into_data().ok().filter(|data| !data.is_empty()) {
                session.receive(&data, first)?;
                return Ok(data);
            }
        }
    }

    fn broken(&self, error: &hyper::Error) -> GitError {
        let session = &self.server.session;
        GitError::Connection {
            at: session.at.clone(),
            cause: session.cause(&format!(
                "the response is incomplete: {}",
                error_chain(error)
            )),
        }
    }
}

impl Read for Exchange {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() {
            let next = self.next();
            self.chunk = next.map_err(|error| self.server.session.fail(error))?;
        }
        let size = buf.len().min(self.chunk.len());
        if let Some(buf) = buf.get_mut(..size) {
            self.chunk.copy_to_slice(buf);
        }
        Ok(size)
    }
}

impl Write for Exchange {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.request.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
