//! A repository on this machine, which is read where it is.
//!
//! Nothing is copied: the files come from its object database, so changes that are not committed are
//! not seen. libgit2 runs neither hooks nor filters, and of the settings it reads only those of the
//! repository itself. As git does, it refuses a repository of another user.

use std::path::Path;

use git2::{ErrorCode, ObjectType, Repository};

use super::error::GitError;
use super::reference::{Commit, CommitId, GitRef, Refs};
use super::remote::peeled;

/// Opens a repository, or the one of a working directory.
pub(super) fn open(path: &Path) -> Result<Repository, GitError> {
    let at = path.display().to_string();
    Repository::open(path).map_err(|error| match error.code() {
        ErrorCode::NotFound => GitError::RepositoryNotFound { at },
        ErrorCode::Owner => GitError::ForeignOwner {
            path: path.to_owned(),
        },
        _ => failed(&at, &error),
    })
}

/// Resolves what a configuration asks for.
pub(super) fn resolve(
    repository: &Repository,
    at: &str,
    reference: &GitRef,
) -> Result<Commit, GitError> {
    let name = match reference {
        GitRef::Commit(id) => {
            let known = repository.odb().is_ok_and(|odb| odb.exists(id.0));
            if !known {
                let at = at.to_owned();
                return Err(GitError::CommitNotFound { at, commit: *id });
            }
            let id = peeled(repository, id.0, at, &id.to_string())?;
            return Ok(Commit {
                id,
                reference: None,
            });
        }
        GitRef::Name(name) => Some(name.as_str()),
        GitRef::Default => None,
    };
    let refs = refs(repository, name).map_err(|error| failed(at, &error))?;
    if refs.is_empty() {
        return Err(GitError::Empty { at: at.to_owned() });
    }
    let found = refs.find(at, name)?;
    Ok(Commit {
        id: CommitId(peeled(repository, found.target, at, &found.name)?.0),
        reference: Some(found.name),
    })
}

/// All refs. Only tags that may be meant are followed to their commits, which takes time.
fn refs(repository: &Repository, wanted: Option<&str>) -> Result<Refs, git2::Error> {
    let mut refs = Refs::default();
    for reference in repository.references()? {
        let reference = reference?.resolve();
        let Ok(reference) = reference else {
            // A symbolic ref to a branch that is not there.
            continue;
        };
        let (Ok(name), Some(target)) = (reference.name(), reference.target()) else {
            continue;
        };
        refs.add(name, target);
        if wanted.is_some_and(|wanted| name.ends_with(wanted)) {
            let commit = reference.peel(ObjectType::Commit);
            if let Ok(commit) = commit {
                refs.add(&format!("{name}^{{}}"), commit.id());
            }
        }
    }
    if let Ok(head) = repository.find_reference("HEAD") {
        let branch = head.symbolic_target().ok().flatten();
        refs.set_default(branch.map(str::to_owned));
        if let Some(target) = head.resolve().ok().and_then(|head| head.target()) {
            refs.add("HEAD", target);
        }
    }
    Ok(refs)
}

pub(super) fn failed(at: &str, error: &git2::Error) -> GitError {
    GitError::Protocol {
        at: at.to_owned(),
        cause: error.message().to_owned(),
    }
}
