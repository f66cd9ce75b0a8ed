//! Lists the refs of a server, and downloads one commit without its history.
//!
//! A commit that is not the tip of a ref is asked for by its id. Not all servers allow this; from the
//! others, all branches and tags are downloaded.

use std::sync::Arc;

use git2::{
    AutotagOption, Direction, FetchOptions, Oid, Remote, RemoteCallbacks, RemoteConnection,
    Repository, RepositoryInitOptions,
};

use super::error::GitError;
use super::http::HttpTransport;
use super::reference::{Commit, CommitId, GitRef, Refs};
use super::scratch::Scratch;
use super::session::{Session, means_no_object};
use super::ssh::SshTransport;
use super::transport::{Connection, Offer, URL};
use super::url::{HttpUrl, SshUrl};

/// The ref of the scratch repository, which is never written.
const WANTED: &str = "refs/flower/wanted";
const EVERYTHING: [&str; 2] = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
const WHOLE_HISTORY: i32 = 0;

/// A repository on a server.
pub(super) struct Server {
    session: Arc<Session>,
    connection: Connection,
}

impl Server {
    pub(super) fn http(session: Arc<Session>, url: &HttpUrl) -> Self {
        let connection = Connection::Http(HttpTransport::new(session.clone(), url));
        Self {
            session,
            connection,
        }
    }

    pub(super) fn ssh(session: Arc<Session>, url: &SshUrl) -> Self {
        let connection = Connection::Ssh(SshTransport::new(session.clone(), url));
        Self {
            session,
            connection,
        }
    }

    /// Resolves a name by the list of refs.
    pub(super) fn resolve(&self, name: Option<&str>) -> Result<Commit, GitError> {
        let remote = Remote::create_detached(URL).map_err(|error| self.session.failed(&error))?;
        self.connected(remote, |connection| {
            let found = self.refs(connection)?.find(&self.session.at, name)?;
            Ok(Commit {
                id: CommitId(found.target),
                reference: Some(found.name),
            })
        })
    }

    /// Downloads what a configuration asks for.
    pub(super) fn download(
        &self,
        reference: &GitRef,
        scratch: &Scratch,
    ) -> Result<(Repository, Commit), GitError> {
        let mut options = RepositoryInitOptions::new();
        options.bare(true).external_template(false).no_reinit(true);
        let repository = Repository::init_opts(scratch.path().join("repository"), &options)
            .map_err(|error| self.session.failed(&error))?;
        let commit = match reference {
            GitRef::Default => self.download_name_again(&repository, None),
            GitRef::Name(name) => self.download_name_again(&repository, Some(name)),
            GitRef::Commit(id) => self.download_commit(&repository, *id),
        }?;
        Ok((repository, commit))
    }

    /// A branch may move between the list of refs and the request for its commit.
    fn download_name_again(&self, to: &Repository, name: Option<&str>) -> Result<Commit, GitError> {
        match self.download_name(to, name) {
            Err(error) if means_no_object(&error) => self.download_name(to, name),
            downloaded => downloaded,
        }
    }

    fn download_name(&self, to: &Repository, name: Option<&str>) -> Result<Commit, GitError> {
        let found = self.connected(self.remote(to)?, |connection| {
            let found = self.refs(connection)?.find(&self.session.at, name)?;
            self.pack(connection, &[&format!("+{}:{WANTED}", found.name)], 1)?;
            Ok(found)
        })?;
        let id = peeled(to, found.target, &self.session.at, &found.name)?;
        let reference = Some(found.name);
        Ok(Commit { id, reference })
    }

    fn download_commit(&self, to: &Repository, id: CommitId) -> Result<Commit, GitError> {
        let by_id = self.connected(self.remote(to)?, |connection| {
            let refs = self.refs(connection)?;
            let wanted = refs
                .name_of(id.0)
                .map_or_else(|| id.to_string(), str::to_owned);
            self.pack(connection, &[&format!("+{wanted}:{WANTED}")], 1)
        });
        match by_id {
            Err(error) if !means_no_object(&error) => return Err(error),
            Err(_) if !self.session.sends_reachable() => {
                self.connected(self.remote(to)?, |connection| {
                    self.refs(connection)?;
                    self.pack(connection, &EVERYTHING, WHOLE_HISTORY)
                })?;
            }
            _ => {}
        }
        let has_it = to.odb().is_ok_and(|odb| odb.exists(id.0));
        if !has_it {
            let at = self.session.at.clone();
            return Err(GitError::CommitNotFound { at, commit: id });
        }
        let id = peeled(to, id.0, &self.session.at, &id.to_string())?;
        Ok(Commit {
            id,
            reference: None,
        })
    }

    fn remote<'repo>(&self, of: &'repo Repository) -> Result<Remote<'repo>, GitError> {
        let remote = of.remote_anonymous(URL);
        remote.map_err(|error| self.session.failed(&error))
    }

    /// Connects for the time of some steps.
    fn connected<T>(
        &self,
        mut remote: Remote<'_>,
        steps: impl FnOnce(&mut RemoteConnection<'_, '_, '_>) -> Result<T, GitError>,
    ) -> Result<T, GitError> {
        let _offer = Offer::new(self.connection.clone());
        let connection = remote.connect_auth(Direction::Fetch, None, None);
        let mut connection = connection.map_err(|error| self.session.failed(&error))?;
        steps(&mut connection)
    }

    fn refs(&self, connection: &RemoteConnection<'_, '_, '_>) -> Result<Refs, GitError> {
        let heads = connection
            .list()
            .map_err(|error| self.session.failed(&error))?;
        let mut refs = Refs::default();
        for head in heads {
            refs.add(head.name(), head.oid());
            if head.name() == "HEAD" {
                refs.set_default(head.symref_target().map(str::to_owned));
            }
        }
        if refs.is_empty() {
            Err(GitError::Empty {
                at: self.session.at.clone(),
            })
        } else {
            Ok(refs)
        }
    }

    fn pack(
        &self,
        connection: &mut RemoteConnection<'_, '_, '_>,
        refspecs: &[&str],
        depth: i32,
    ) -> Result<(), GitError> {
        let mut callbacks = RemoteCallbacks::new();
        callbacks.transfer_progress(|progress| {
            let checked = self.session.check(progress.total_objects());
            checked.map_err(|error| self.session.fail(error)).is_ok()
        });
        let mut options = FetchOptions::new();
        options
            .depth(depth)
            .download_tags(AutotagOption::None)
            .update_fetchhead(false)
            .remote_callbacks(callbacks);
        let downloaded = connection.remote().download(refspecs, Some(&mut options));
        downloaded.map_err(|error| self.session.failed(&error))
    }
}

/// The commit of an object, which may be a tag.
pub(super) fn peeled(
    repository: &Repository,
    target: Oid,
    at: &str,
    name: &str,
) -> Result<CommitId, GitError> {
    let object = repository.find_object(target, None);
    let commit = object.and_then(|object| object.peel_to_commit());
    commit
        .map(|commit| CommitId(commit.id()))
        .map_err(|_| GitError::NotACommit {
            at: at.to_owned(),
            name: name.to_owned(),
        })
}
