//! Apps from git repositories.
//!
//! A plan resolves a name to a commit by listing the server's refs. An apply downloads this commit,
//! without history, and reads the files of the app from it. libgit2 does git's part; network and TLS
//! are those of the rest of the provider, and SSH is the user's own `ssh`.
//!
//! All functions block their thread. Call them on a thread that may block, and cancel the token to
//! end them.

mod access;
mod error;
mod http;
mod http_exchange;
mod limits;
mod local;
mod reference;
mod remote;
mod scratch;
mod session;
mod ssh;
mod ssh_failure;
mod tls;
mod transport;
mod tree;
mod url;

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use access::{GitAccess, GitLogin, SshAccess};
pub use error::GitError;
pub use limits::{Limit, Limits};
pub use reference::{Commit, CommitId, GitRef};
pub use scratch::clean_up;
pub(in crate::flower) use tls::remedy as tls_remedy;
pub use tree::{Contents, Subdirectory};
pub use url::{GitUrl, HttpUrl, SshUrl};

use remote::Server;
use scratch::Scratch;
use session::Session;
use tree::Scope;

/// A repository, with all that is needed to read it.
#[derive(Debug, Clone)]
pub struct GitSource {
    url: GitUrl,
    access: GitAccess,
    limits: Limits,
    /// The folder for temporary folders.
    scratch: PathBuf,
}

impl GitSource {
    /// Checks that the credentials fit the address.
    pub fn new(
        url: GitUrl,
        access: GitAccess,
        limits: Limits,
        scratch: PathBuf,
    ) -> Result<Self, GitError> {
        access.check(&url)?;
        Ok(Self {
            url,
            access,
            limits,
            scratch,
        })
    }

    /// The commit that a name means now. Nothing is downloaded. The id of a commit is returned as it
    /// is, because a server does not tell whether it has this commit.
    pub fn resolve(
        &self,
        reference: &GitRef,
        cancel: &CancellationToken,
    ) -> Result<Commit, GitError> {
        transport::prepare()?;
        let session = self.session(cancel)?;
        let server = match &self.url {
            GitUrl::Local(path) => {
                return local::resolve(&local::open(path)?, &session.at, reference);
            }
            GitUrl::Http(url) => Server::http(session, url),
            GitUrl::Ssh(url) => Server::ssh(session, url),
        };
        match reference {
            GitRef::Default => server.resolve(None),
            GitRef::Name(name) => server.resolve(Some(name)),
            GitRef::Commit(id) => Ok(Commit {
                id: *id,
                reference: None,
            }),
        }
    }

    /// Reads the files below a subdirectory.
    pub fn fetch(
        &self,
        reference: &GitRef,
        subdirectory: &Subdirectory,
        cancel: &CancellationToken,
    ) -> Result<(Commit, Contents), GitError> {
        transport::prepare()?;
        let session = self.session(cancel)?;
        let server = match &self.url {
            GitUrl::Local(path) => {
                let repository = local::open(path)?;
                let commit = local::resolve(&repository, &session.at, reference)?;
                return self.read(&repository, commit, subdirectory, &session);
            }
            GitUrl::Http(url) => Server::http(session.clone(), url),
            GitUrl::Ssh(url) => Server::ssh(session.clone(), url),
        };
        let scratch = Scratch::new(&self.scratch)?;
        let (repository, commit) = server.download(reference, &scratch)?;
        self.read(&repository, commit, subdirectory, &session)
    }

    fn session(&self, cancel: &CancellationToken) -> Result<Arc<Session>, GitError> {
        let session = Session::new(self.url.to_string(), &self.access, &self.limits, cancel);
        session.map(Arc::new)
    }

    fn read(
        &self,
        repository: &git2::Repository,
        commit: Commit,
        subdirectory: &Subdirectory,
        session: &Session,
    ) -> Result<(Commit, Contents), GitError> {
        let scope = Scope {
            at: &session.at,
            commit: commit.id,
            limits: &self.limits,
            proceed: &|| session.check(0),
        };
        let contents = tree::read(repository, subdirectory, &scope)?;
        Ok((commit, contents))
    }
}
