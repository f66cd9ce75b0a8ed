//! Connects libgit2 to our own HTTP client and to `ssh`.
//!
//! libgit2 chooses a transport by the scheme of a URL. Ours has a scheme that nobody else uses, and
//! its URL is always the same: libgit2 knows neither the address nor a credential, and other users of
//! libgit2 in this process keep its own transports. The operation hands its connection over through
//! a thread local, because libgit2 opens it on the thread of the call.

use std::cell::RefCell;
use std::sync::OnceLock;

use git2::ConfigLevel;
use git2::transport::Transport;

use super::error::GitError;
use super::http::HttpTransport;
use super::ssh::SshTransport;

const SCHEME: &str = "terraform-provider-flower";
/// What libgit2 takes for the address of any repository.
pub(super) const URL: &str = "terraform-provider-flower://repository";

thread_local! {
    static NEXT: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

/// How to reach a repository.
#[derive(Clone)]
pub(super) enum Connection {
    Http(HttpTransport),
    Ssh(SshTransport),
}

/// As long as it exists, libgit2 uses this connection on this thread.
pub(super) struct Offer(());

impl Offer {
    pub(super) fn new(connection: Connection) -> Self {
        NEXT.with_borrow_mut(|next| *next = Some(connection));
        Self(())
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        NEXT.with_borrow_mut(|next| *next = None);
    }
}

/// Prepares libgit2, once in a process and before anything else of it is used.
pub(super) fn prepare() -> Result<(), GitError> {
    static PREPARED: OnceLock<Result<(), String>> = OnceLock::new();
    let prepared = PREPARED.get_or_init(|| set_up().map_err(|error| error.message().to_owned()));
    prepared.clone().map_err(|cause| GitError::Protocol {
        at: "git".to_owned(),
        cause,
    })
}

#[allow(unsafe_code)]
fn set_up() -> Result<(), git2::Error> {
    // No setting of the user or the system applies: a result must not depend on the machine, and
    // such settings can replace addresses or name programs.
    for level in [
        ConfigLevel::ProgramData,
        ConfigLevel::System,
        ConfigLevel::XDG,
        ConfigLevel::Global,
    ] {
        // SAFETY: nobody reads these paths at the same time: all that opens repositories calls
        // `prepare` first, and this is the only user of libgit2 in the process.
        unsafe { git2::opts::set_search_path(level, "")? };
    }
    let connect = |remote: &git2::Remote<'_>| {
        let next = NEXT.with_borrow(Clone::clone);
        match next {
            Some(Connection::Http(http)) => Transport::smart(remote, true, http),
            Some(Connection::Ssh(ssh)) => Transport::smart(remote, false, ssh),
            None => Err(git2::Error::from_str("no connection was offered")),
        }
    };
    // SAFETY: as above; transports are created only after this.
    unsafe { git2::transport::register(SCHEME, connect) }
}
