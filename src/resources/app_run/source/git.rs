//! Apps from Git repositories: a branch or tag means a commit, and a run keeps the commit that it was
//! submitted with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::{GitRepository, Source};
use crate::at;
use crate::flower::app_source::AppTree;
use crate::flower::app_source::TreeError;
use crate::flower::app_source::git::{
    CommitId, GitAccess, GitError, GitLogin, GitRef, GitSource, GitUrl, Limits, SshAccess,
    Subdirectory,
};
use crate::flower::fab::{self, Fab, FabError};
use crate::masking;
use crate::resources::app_run::model::Model;
use crate::resources::local_path::LocalPath;
use crate::secret_file::text_of;
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::{Diagnostic, Result};

/// What was read once, by the question.
type Known<T> = Mutex<BTreeMap<String, Arc<OnceCell<T>>>>;

/// What this process has read from repositories: many runs may share one.
#[derive(Debug, Default)]
pub(crate) struct Repositories {
    commits: Known<CommitId>,
    bundles: Known<Fab>,
}

/// What is known by this key; nothing without a provider, which remembers it.
fn entry<T>(all: Option<&Known<T>>, key: String) -> Arc<OnceCell<T>> {
    let Some(all) = all else {
        return Arc::default();
    };
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(all.entry(key).or_default())
}

/// A repository whose attributes are parsed.
#[derive(Clone)]
pub(super) struct Input {
    source: GitSource,
    reference: GitRef,
    subdirectory: Subdirectory,
    /// Equal for equal attributes.
    key: String,
}

impl Input {
    pub(super) fn of(git: &GitRepository, key: String) -> std::result::Result<Self, GitError> {
        masking::hide_passwords(&git.url);
        let url = GitUrl::parse(&git.url)?;
        let scratch = std::env::temp_dir().join(format!(
            "terraform-provider-flower-{}",
            rustix::process::geteuid().as_raw()
        ));
        Ok(Self {
            reference: GitRef::parse(git.r#ref.as_deref())?,
            subdirectory: Subdirectory::parse(git.subdirectory.as_deref().unwrap_or_default())?,
            source: GitSource::new(url, access(git)?, Limits::default(), scratch)?,
            key,
        })
    }

    /// The commit that the `ref` means now. Equal questions are asked once.
    pub(super) async fn resolve(
        &self,
        repositories: Option<&Repositories>,
    ) -> std::result::Result<CommitId, GitError> {
        let known = entry(repositories.map(|all| &all.commits), self.key.clone());
        let resolve = || async {
            let (source, reference) = (self.source.clone(), self.reference.clone());
            let found = blocking(move |cancel| source.resolve(&reference, cancel)).await?;
            Ok(found.id)
        };
        known.get_or_try_init(resolve).await.copied()
    }

    /// The bundle of the app at this commit. A commit never changes, so it is read once.
    pub(super) async fn bundle(
        &self,
        repositories: Option<&Repositories>,
        commit: CommitId,
        limit: u64,
    ) -> std::result::Result<Fab, FabError> {
        let key = format!("{} {commit} {limit}", self.key);
        let known = entry(repositories.map(|all| &all.bundles), key);
        let read = || async {
            let (source, subdirectory) = (self.source.clone(), self.subdirectory.clone());
            let fetch = move |cancel: &CancellationToken| {
                let (_, contents) = source.fetch(&GitRef::Commit(commit), &subdirectory, cancel)?;
                let tree = AppTree::from_checkout(contents);
                Ok(tree.map(|tree| fab::build_within(&tree, limit)))
            };
            let built = blocking(fetch).await.map_err(TreeError::from)?;
            built?
        };
        known.get_or_try_init(read).await.cloned()
    }
}

/// Runs a blocking operation on another thread. It is cancelled if nobody waits for it any more.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce(&CancellationToken) -> std::result::Result<T, GitError> + Send + 'static,
) -> std::result::Result<T, GitError> {
    let cancel = CancellationToken::new();
    let token = cancel.clone();
    let _guard = cancel.drop_guard();
    let done = tokio::task::spawn_blocking(move || work(&token)).await;
    done.unwrap_or_else(|error| {
        Err(GitError::Protocol {
            at: "git".to_owned(),
            cause: error.to_string(),
        })
    })
}

fn access(git: &GitRepository) -> std::result::Result<GitAccess, GitError> {
    let here = std::env::current_dir().unwrap_or_default();
    let login = match &git.password_file {
        Some(file) => {
            let password = password(&file.from(&here))?;
            let username = git.username.as_deref().unwrap_or("git");
            Some(GitLogin::new(username, &password)?)
        }
        None if git.username.is_some() => {
            return Err(GitError::Credentials {
                reason: "`username` needs `password_file`",
            });
        }
        None => None,
    };
    let authorities = git.ca_certificate.as_deref();
    let authorities = authorities.map(GitAccess::authorities).transpose()?;
    let file = |file: &Option<LocalPath>| file.as_ref().map(|file| file.from(&here));
    Ok(GitAccess {
        login,
        authorities: authorities.unwrap_or_default(),
        ssh: SshAccess {
            key_file: file(&git.ssh_key_file),
            known_hosts: file(&git.known_hosts_file),
        },
    })
}

/// The content of a file, without the line end that editors add.
fn password(path: &Path) -> std::result::Result<Zeroizing<String>, GitError> {
    let bad = |reason: String| GitError::File {
        path: PathBuf::from(path),
        reason,
    };
    let text = text_of(path).map_err(|error| bad(error.to_string()))?;
    let password = text.trim_end_matches(['\n', '\r']);
    if password.is_empty() {
        return Err(bad("it does not hold a password".to_owned()));
    }
    masking::hide(password);
    Ok(Zeroizing::new(password.to_owned()))
}

/// What a plan knows of the commit.
pub(in super::super) enum Pinned {
    /// The source is no repository, or nothing is known.
    Open,
    /// The run of the state, which nothing changes: its app need not be read.
    Unchanged,
    /// This commit.
    Commit(CommitId),
    /// The server cannot be reached now; the apply finds the commit.
    Later(Diagnostic),
}

/// Decides which commit a plan is for, and says if a branch has moved.
pub(in super::super) async fn pin(
    repositories: Option<&Repositories>,
    plan: &mut Plan<Model>,
    source: &Source,
) -> Result<Pinned> {
    let Some(git) = &source.git else {
        // A file on a server that the state knows by its hash need not be downloaded again.
        let file = source.file();
        let is_known = file.is_some_and(|file| file.url.is_some() && file.sha256.is_some());
        return Ok(if is_known && super::is_unchanged(plan) {
            Pinned::Unchanged
        } else {
            Pinned::Open
        });
    };
    let at = at!(Model, source.git);
    let refused = |error: &GitError| super::git_error(source, error).at(at);
    let input = match Input::of(git, source.key()) {
        Ok(input) => input,
        Err(error) if super::is_unchanged(plan) => {
            plan.notes.extend(super::kept(refused(&error).into()));
            return Ok(Pinned::Unchanged);
        }
        Err(error) => return Err(refused(&error).into()),
    };
    let now = input.resolve(repositories).await;
    let before = earlier(plan, git)?;
    let Some(before) = before else {
        return match now {
            Ok(commit) => Ok(Pinned::Commit(commit)),
            Err(error) if error.may_pass() && plan.is_create() => {
                Ok(Pinned::Later(refused(&error).as_warning()))
            }
            Err(error) => Err(refused(&error).into()),
        };
    };
    let commit = match now {
        Ok(now) if now == before => before,
        Ok(now) if git.follow == Some(true) => now,
        Ok(now) => {
            plan.notes.push(moved(git, before, now));
            before
        }
        Err(error) => {
            // The run of the state does not need the repository.
            plan.notes.push(
                refused(&error)
                    .as_warning()
                    .detail("The run stays as it is in the state."),
            );
            before
        }
    };
    Ok(if commit == before && super::is_unchanged(plan) {
        Pinned::Unchanged
    } else {
        Pinned::Commit(commit)
    })
}

/// The commit of the run in the state, if it is of the same repository and `ref`.
fn earlier(plan: &Plan<Model>, git: &GitRepository) -> Result<Option<CommitId>> {
    let source = plan.prior.get::<Option<Source>>(at!(Model, source))?;
    let before = source.known().flatten().and_then(|source| source.git);
    let same = before.is_some_and(|before| before.url == git.url && before.r#ref == git.r#ref);
    let commit = plan
        .prior
        .get::<Option<String>>(at!(Model, resolved_commit))?;
    let commit = commit.known().flatten();
    Ok(commit
        .filter(|_| same)
        .and_then(|commit| CommitId::parse(&commit)))
}

fn moved(git: &GitRepository, before: CommitId, now: CommitId) -> Diagnostic {
    let name = git.r#ref.as_deref().unwrap_or("The default branch");
    Diagnostic::warning("The app of a run has a newer commit")
        .detail(format!(
            "{name} of {} is at commit {now} now; the run used {before}.",
            super::shown_address(&git.url)
        ))
        .detail(
            "The run stays as it is. For a new run with each commit, set `follow = true`; for one \
             new run, use `-replace` or change `triggers`.",
        )
        .at(at!(Model, source.git))
}

#[cfg(test)]
#[path = "git_tests.rs"]
mod tests;
