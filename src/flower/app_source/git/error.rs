//! What can go wrong with a repository, each with what to do about it.
//!
//! No variant contains a credential: addresses cannot contain one (see `url`), and the texts of
//! servers and of `ssh` pass through [`GitAccess::masked`](super::access::GitAccess).

use std::path::PathBuf;
use std::time::Duration;

use super::limits::Limit;
use super::reference::CommitId;
use super::tls;
use crate::flower::tls::TlsReason;

/// Why a repository cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    #[error("{url:?} cannot be used as address of a git repository: {reason}")]
    Url { url: String, reason: &'static str },
    #[error("{name:?} cannot be the name of a branch or tag: {reason}")]
    BadRef { name: String, reason: &'static str },
    #[error("{path:?} cannot be the subdirectory of a repository: {reason}")]
    BadSubdirectory { path: String, reason: &'static str },
    /// Credentials that do not fit together, or not to the address.
    #[error("the credentials cannot be used: {reason}")]
    Credentials { reason: &'static str },
    /// A key file or a file of known hosts.
    #[error("{} cannot be used: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    /// Credentials for http:// to another machine.
    #[error("{at} is not encrypted, so no credentials are sent to it")]
    NotEncrypted { at: String },

    /// The server says so. Many servers say it also of repositories that the user may not see.
    #[error("there is no repository at {at}, or it is hidden from this user")]
    RepositoryNotFound { at: String },
    #[error("{at} has no branch or tag {name:?}")]
    RefNotFound {
        at: String,
        name: String,
        /// Similar names, or else the first ones.
        similar: Vec<String>,
    },
    #[error("{name:?} means more than one commit in {at}: {}", meanings.join(", "))]
    AmbiguousRef {
        at: String,
        name: String,
        meanings: Vec<String>,
    },
    #[error("{at} has no default branch")]
    NoDefaultBranch { at: String, branches: Vec<String> },
    #[error("{at} is empty")]
    Empty { at: String },
    #[error("{at} has no commit {commit}")]
    CommitNotFound { at: String, commit: CommitId },
    /// A tag of a file, for instance.
    #[error("{name:?} of {at} is not a commit")]
    NotACommit { at: String, name: String },

    #[error("{at} needs a login")]
    LoginNeeded { at: String },
    #[error("{at} refuses the login: {cause}")]
    LoginRefused { at: String, cause: String },
    /// `ssh` does not know the server.
    #[error("the host key of {host} is unknown: {cause}")]
    HostKeyUnknown { host: String, cause: String },
    #[error("the host key of {host} has changed: {cause}")]
    HostKeyChanged { host: String, cause: String },
    #[error("failed to connect to {at}: {reason}")]
    Tls { at: String, reason: TlsReason },
    #[error("failed to connect to {at}: {cause}")]
    Connection { at: String, cause: String },
    #[error("{at} did not answer within {after:?}")]
    Timeout { at: String, after: Duration },
    #[error("{at} redirects to {to}: {reason}")]
    Redirect {
        at: String,
        to: String,
        reason: &'static str,
    },
    #[error("{at} is not a git server: {detail}")]
    NotAGitServer { at: String, detail: String },
    #[error("{at} answered with status {status}")]
    Status { at: String, status: u16 },
    #[error("failed to read {at}: {cause}")]
    Protocol { at: String, cause: String },
    #[error("the program `ssh` cannot be started: {cause}")]
    NoSsh { cause: String },

    #[error("commit {commit} of {at} has no directory {path:?}")]
    NoSubdirectory {
        at: String,
        commit: CommitId,
        path: String,
        /// Directories with a pyproject.toml.
        apps: Vec<String>,
    },
    #[error("the app at {at} contains git submodules, which are not fetched: {}", paths.join(", "))]
    Submodule { at: String, paths: Vec<String> },
    #[error("{path:?} of {at} is stored in Git LFS, which is not fetched")]
    Lfs { at: String, path: String },
    #[error("{at} is too large: {limit}")]
    TooLarge { at: String, limit: Limit },
    /// A name that no file of an app can have.
    #[error("{path:?} of {at} cannot be the path of a file: {reason}")]
    BadPath {
        at: String,
        path: String,
        reason: &'static str,
    },

    /// A local repository.
    #[error("{} belongs to another user", path.display())]
    ForeignOwner { path: PathBuf },
    #[error("failed to use the temporary folder {}: {cause}", path.display())]
    Scratch { path: PathBuf, cause: String },
    #[error("reading {at} was cancelled")]
    Cancelled { at: String },
}

/// The command that asks a server for its host key; ssh writes a host with a port as `[host]:port`.
fn keyscan(host: &str) -> String {
    let with_port = host
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]:"));
    match with_port {
        Some((host, port)) => format!("ssh-keyscan -p {port} {host}"),
        None => format!("ssh-keyscan {host}"),
    }
}

impl GitError {
    /// Whether a later attempt may succeed.
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Connection { .. }
                | Self::Timeout { .. }
                | Self::Cancelled { .. }
                | Self::Status {
                    status: 429 | 500..=599,
                    ..
                }
        )
    }

    /// Whether the repository, or what is meant in it, does not exist.
    pub const fn is_gone(&self) -> bool {
        matches!(
            self,
            Self::RepositoryNotFound { .. }
                | Self::RefNotFound { .. }
                | Self::CommitNotFound { .. }
                | Self::Empty { .. }
                | Self::NoSubdirectory { .. }
        )
    }

    /// What to do.
    pub fn remedy(&self) -> String {
        match self {
            Self::RefNotFound { name, similar, .. } => ref_remedy(name, similar),
            Self::NoDefaultBranch { branches, .. } if !branches.is_empty() => {
                format!("Set `ref` to one of its branches: {}.", branches.join(", "))
            }
            Self::AmbiguousRef { meanings, .. } => {
                format!("Set `ref` to the full name: {}.", meanings.join(" or "))
            }
            Self::NoSubdirectory { apps, .. } if !apps.is_empty() => {
                format!(
                    "Directories with a pyproject.toml are: {}.",
                    apps.join(", ")
                )
            }
            Self::HostKeyUnknown { host, .. } => format!(
                "Get the server's host key from its administrator or provider, and add it to \
                 ~/.ssh/known_hosts or to the `known_hosts_file`. `{}` shows the key that the server claims; \
                 compare it before you trust it.",
                keyscan(host)
            ),
            Self::Tls { reason, .. } => tls::remedy(reason).to_owned(),
            other => other.fixed_remedy().to_owned(),
        }
    }

    fn fixed_remedy(&self) -> &'static str {
        match self {
            Self::Url { .. } => {
                "Use an address such as https://host/owner/name.git, ssh://git@host/owner/name.git, \
                 git@host:owner/name.git or file:///path, and give credentials by their own attributes."
            }
            Self::BadRef { .. } => "Set `ref` to a branch, a tag or the 40 digits of a commit.",
            Self::BadSubdirectory { .. } => {
                "Use a relative path with forward slashes, such as \"apps/my-app\"."
            }
            Self::Credentials { .. } => "Remove one of them, or correct the address.",
            Self::File { .. } => {
                "Correct the path, or let the user who runs Terraform read the file."
            }
            Self::NotEncrypted { .. } => "Use https://.",
            Self::RepositoryNotFound { .. } => {
                "Check the address. Many servers say this, too, if a private repository is read without a \
                 login, or with one that may not read it."
            }
            Self::NoDefaultBranch { .. } | Self::Empty { .. } => {
                "Push a commit to the repository, or set `ref` to a tag."
            }
            Self::CommitNotFound { .. } => {
                "Check the id. If the branch was rewritten, the server may have removed the commit: choose \
                 another one, or keep it with a tag."
            }
            Self::NotACommit { .. } => "Set `ref` to a branch, or to a tag of a commit.",
            Self::LoginNeeded { .. } => {
                "Set `username` and `password_file`, with a password or token that may read the repository."
            }
            Self::LoginRefused { .. } => {
                "Check the user name, whether the password, token or key is still valid, and whether it may \
                 read this repository. A key with a passphrase must be in the ssh agent."
            }
            Self::HostKeyChanged { .. } => {
                "Ask the server's administrator whether its host key was replaced. If it was, replace the old \
                 line in ~/.ssh/known_hosts or in the `known_hosts_file`; if not, somebody may be intercepting the connection."
            }
            Self::Connection { .. } | Self::Timeout { .. } => {
                "Check host, port and network, and the variables HTTPS_PROXY and NO_PROXY if there is a proxy."
            }
            Self::Redirect { .. } => {
                "Use the address to which the repository has moved. A redirect to a login page means that \
                 the server needs credentials."
            }
            Self::NotAGitServer { .. } => {
                "Use the address that the web page of the repository shows under \"Clone\"."
            }
            Self::Status { .. } | Self::Protocol { .. } => {
                "Try again later, or ask the server's administrator."
            }
            other => other.content_remedy(),
        }
    }

    /// The remedies for what is in a repository, and for this machine.
    fn content_remedy(&self) -> &'static str {
        match self {
            Self::NoSsh { .. } => "Install OpenSSH's client, or use an https:// address.",
            Self::NoSubdirectory { .. } => "Correct `subdirectory`.",
            Self::Submodule { .. } => {
                "Set `subdirectory` to a directory without submodules, or use the submodule's own repository. \
                 A checkout with submodules can be used with `path`."
            }
            Self::Lfs { .. } => {
                "Keep files of an app in git itself. A checkout with LFS files can be used with `path`."
            }
            Self::TooLarge { .. } => {
                "Set `subdirectory` to the app, set `ref` to a branch or tag, or use `archive` or `path`."
            }
            Self::BadPath { .. } => "Rename the file in the repository.",
            Self::ForeignOwner { .. } => {
                "Run Terraform as the owner of the repository, or change its owner. The setting \
                 safe.directory is not read."
            }
            Self::Scratch { .. } => {
                "Check that there is space, and that the user who runs Terraform may write."
            }
            _ => "Run it again.",
        }
    }
}

fn ref_remedy(name: &str, similar: &[String]) -> String {
    let is_short_id =
        (7..40).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_short_id {
        return "Give a commit with all its 40 digits. A server does not resolve shorter ones."
            .to_owned();
    }
    match similar {
        [] => "Check the name. The repository has neither branches nor tags.".to_owned(),
        names => format!("Check the name. There are: {}.", names.join(", ")),
    }
}
