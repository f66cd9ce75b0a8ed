//! One operation on one repository: its deadline, what it has received, and why it failed.
//!
//! libgit2 calls our transports and reports their failures only as text. So a transport leaves its
//! error in the session, where the operation finds it after libgit2 has returned. libgit2 blocks its
//! thread; the session drives network and processes on a runtime of its own, and any wait ends at a
//! deadline or when the operation is cancelled.

use std::future::Future;
use std::io;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::access::GitAccess;
use super::error::GitError;
use super::limits::{Limit, Limits};

/// What a server announces if it sends any commit that a ref leads to.
const REACHABLE: &[u8] = b"allow-reachable-sha1-in-want";
/// How much of the list of refs can contain the server's capabilities.
const CAPABILITIES: usize = 4096;
const LONGEST_CAUSE: usize = 1000;

pub(super) struct Session {
    /// The address, for errors.
    pub(super) at: String,
    pub(super) access: GitAccess,
    pub(super) limits: Limits,
    /// Present until the session is dropped.
    runtime: Option<Runtime>,
    cancel: CancellationToken,
    deadline: Instant,
    received: AtomicU64,
    sends_reachable: AtomicBool,
    failure: Mutex<Option<GitError>>,
}

impl Session {
    pub(super) fn new(
        at: String,
        access: &GitAccess,
        limits: &Limits,
        cancel: &CancellationToken,
    ) -> Result<Self, GitError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| GitError::Connection {
                at: at.clone(),
                cause: error.to_string(),
            })?;
        Ok(Self {
            at,
            access: access.clone(),
            limits: limits.clone(),
            runtime: Some(runtime),
            cancel: cancel.clone(),
            deadline: Instant::now() + limits.total,
            received: AtomicU64::new(0),
            sends_reachable: AtomicBool::new(false),
            failure: Mutex::new(None),
        })
    }

    /// Waits for a step that is silent no longer than `silence`.
    pub(super) fn wait<T>(
        &self,
        silence: Duration,
        step: impl Future<Output = T>,
    ) -> Result<T, GitError> {
        let after = silence.min(self.deadline.saturating_duration_since(Instant::now()));
        let Some(runtime) = &self.runtime else {
            return Err(self.cancelled());
        };
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => Err(self.cancelled()),
                done = tokio::time::timeout(after, step) => done.map_err(|_| self.timed_out(silence)),
            }
        })
    }

    /// Runs a short step to its end, even if the operation was cancelled.
    pub(super) fn finish<T>(&self, step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
        let runtime = self.runtime.as_ref();
        runtime.map_or_else(
            || Err(io::ErrorKind::NotConnected.into()),
            |runtime| runtime.block_on(step),
        )
    }

    /// Whether the operation may go on, asked while it works without waiting for us.
    pub(super) fn check(&self, objects: usize) -> Result<(), GitError> {
        if self.cancel.is_cancelled() {
            Err(self.cancelled())
        } else if Instant::now() > self.deadline {
            Err(self.timed_out(self.limits.total))
        } else if objects > self.limits.objects {
            Err(self.too_large(Limit::Objects(self.limits.objects)))
        } else {
            Ok(())
        }
    }

    /// Counts and inspects what the server sends. `first` marks the beginning of a response.
    pub(super) fn receive(&self, bytes: &[u8], first: bool) -> Result<(), GitError> {
        let size = bytes.len() as u64;
        let received = size + self.received.fetch_add(size, Ordering::Relaxed);
        if received > self.limits.received {
            return Err(self.too_large(Limit::Received(self.limits.received)));
        }
        if received <= CAPABILITIES as u64 + size {
            let head = bytes.get(..CAPABILITIES).unwrap_or(bytes);
            if head.windows(REACHABLE.len()).any(|part| part == REACHABLE) {
                self.sends_reachable.store(true, Ordering::Relaxed);
            }
        }
        match server_error(bytes).filter(|_| first) {
            Some(message) => Err(self.server_says(&message)),
            None => Ok(()),
        }
    }

    /// Whether the server sends any commit that a ref leads to. Known once it has listed its refs.
    pub(super) fn sends_reachable(&self) -> bool {
        self.sends_reachable.load(Ordering::Relaxed)
    }

    /// Keeps the first error. The text for libgit2 is not shown.
    pub(super) fn fail(&self, error: GitError) -> io::Error {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert(error);
        io::Error::other("the connection failed")
    }

    /// The error of an operation of libgit2: ours, if a transport has left one.
    pub(super) fn failed(&self, error: &git2::Error) -> GitError {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure
            .take()
            .unwrap_or_else(|| self.protocol(error.message()))
    }

    pub(super) fn protocol(&self, cause: &str) -> GitError {
        GitError::Protocol {
            at: self.at.clone(),
            cause: self.cause(cause),
        }
    }

    pub(super) fn too_large(&self, limit: Limit) -> GitError {
        let at = self.at.clone();
        GitError::TooLarge { at, limit }
    }

    fn timed_out(&self, after: Duration) -> GitError {
        let after = if Instant::now() < self.deadline {
            after
        } else {
            self.limits.total
        };
        let at = self.at.clone();
        GitError::Timeout { at, after }
    }

    fn cancelled(&self) -> GitError {
        let at = self.at.clone();
        GitError::Cancelled { at }
    }

    /// A text that others wrote, on one line, without secrets and without control characters.
    pub(super) fn cause(&self, text: &str) -> String {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let text = lines.collect::<Vec<_>>().join("; ");
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        self.access
            .masked(&text)
            .chars()
            .take(LONGEST_CAUSE)
            .collect()
    }

    /// The error that a git server sends in place of a response.
    fn server_says(&self, message: &str) -> GitError {
        let at = self.at.clone();
        if means_not_found(message) {
            GitError::RepositoryNotFound { at }
        } else {
            self.protocol(message)
        }
    }
}

impl Drop for Session {
    /// Without waiting for the look-up of a name, which nothing can end.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The text of a packet with an error.
fn server_error(bytes: &[u8]) -> Option<String> {
    let (length, rest) = bytes.split_at_checked(4)?;
    let length = usize::from_str_radix(std::str::from_utf8(length).ok()?, 16).ok()?;
    let message = rest.strip_prefix(b"ERR ")?;
    let message = message.get(..length.saturating_sub(8)).unwrap_or(message);
    Some(String::from_utf8_lossy(message).into_owned())
}

/// The words of the usual servers for a repository that is not there.
pub(super) fn means_not_found(message: &str) -> bool {
    let message = message.to_lowercase();
    [
        "repository not found",
        "does not appear to be a git repository",
        "repository does not exist",
        "does not exist or you do not have permission",
        "could not be found or you don't have permission",
        "cannot find repository",
        "no such repository",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// Whether the server refuses to send an object by its id.
pub(super) fn means_no_object(error: &GitError) -> bool {
    let GitError::Protocol { cause, .. } = error else {
        return false;
    };
    [
        "not our ref",
        "unadvertised object",
        "cannot fetch a specific object",
        "not found",
    ]
    .iter()
    .any(|words| cause.contains(words))
}
