//! Errors of file operations.

use std::io;
use std::path::Path;

use super::super::RuntimeError;

pub(super) fn failed<'a>(
    what: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> RuntimeError + 'a {
    move |cause| RuntimeError::File {
        what,
        path: path.to_owned(),
        cause,
    }
}
