//! Repositories made with the `git` program, and a source that reads them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use terraform_provider_flower::flower::app_source::git::{
    Commit, Contents, GitAccess, GitError, GitRef, GitSource, GitUrl, Limits, Subdirectory,
};
use tokio_util::sync::CancellationToken;

pub const CANARY: &str = "hunter2-canary-8f31c2";

/// A folder with a repository `app.git` and its working directory.
pub struct Repository {
    pub folder: TempDir,
    pub work: PathBuf,
}

pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "protocol.file.allow=always"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .envs([("GIT_AUTHOR_NAME", "a"), ("GIT_AUTHOR_EMAIL", "a@b")])
        .envs([("GIT_COMMITTER_NAME", "a"), ("GIT_COMMITTER_EMAIL", "a@b")])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Repository {
    /// Three commits on main, a branch `dev`, and tags of both kinds of the first commit.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        std::fs::create_dir(&work).unwrap();
        git(&work, &["init", "-q", "-b", "main"]);
        let repository = Self { folder, work };
        repository.commit(&[
            ("pyproject.toml", "one"),
            ("app/a.py", "a = 1\n"),
            ("apps/x/pyproject.toml", "x"),
        ]);
        git(&repository.work, &["tag", "light"]);
        git(&repository.work, &["tag", "-a", "-m", "t", "v1"]);
        repository.commit(&[("pyproject.toml", "two\r\n")]);
        git(&repository.work, &["branch", "dev"]);
        repository.commit(&[("pyproject.toml", "three")]);
        repository
    }

    /// Commits files, and publishes everything to `app.git`.
    pub fn commit(&self, files: &[(&str, &str)]) {
        for (path, text) in files {
            let path = self.work.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        git(&self.work, &["add", "-A"]);
        git(&self.work, &["commit", "-q", "-m", "x", "--allow-empty"]);
        self.publish();
    }

    pub fn publish(&self) {
        let bare = self.bare();
        if !bare.exists() {
            git(
                self.folder.path(),
                &["clone", "-q", "--bare", "work", "app.git"],
            );
        }
        git(
            &self.work,
            &["push", "-q", "--mirror", bare.to_str().unwrap()],
        );
    }

    pub fn bare(&self) -> PathBuf {
        self.folder.path().join("app.git")
    }

    pub fn id(&self, name: &str) -> String {
        git(&self.work, &["rev-parse", &format!("{name}^{{commit}}")])
    }
}

/// A source, and the folder for its temporary folders.
pub struct Reader {
    pub scratch: TempDir,
    pub url: String,
    pub access: GitAccess,
    pub limits: Limits,
    pub cancel: CancellationToken,
}

impl Reader {
    pub fn new(url: &str) -> Self {
        let limits = Limits {
            connect: Duration::from_secs(5),
            silence: Duration::from_secs(10),
            ..Limits::default()
        };
        Self {
            scratch: tempfile::tempdir().unwrap(),
            url: url.to_owned(),
            access: GitAccess::default(),
            limits,
            cancel: CancellationToken::new(),
        }
    }

    pub fn base(&self) -> PathBuf {
        self.scratch.path().join("base")
    }

    fn source(&self) -> Result<GitSource, GitError> {
        let url = GitUrl::parse(&self.url)?;
        GitSource::new(url, self.access.clone(), self.limits.clone(), self.base())
    }

    pub fn resolve(&self, name: Option<&str>) -> Result<Commit, GitError> {
        let resolved = self.source()?.resolve(&GitRef::parse(name)?, &self.cancel);
        checked(resolved)
    }

    pub fn fetch(&self, name: Option<&str>) -> Result<(Commit, Contents), GitError> {
        self.fetch_below(name, "")
    }

    pub fn fetch_below(
        &self,
        name: Option<&str>,
        below: &str,
    ) -> Result<(Commit, Contents), GitError> {
        let below = Subdirectory::parse(below)?;
        let fetched = self
            .source()?
            .fetch(&GitRef::parse(name)?, &below, &self.cancel);
        assert!(!self.base().exists(), "the temporary folder is left");
        checked(fetched)
    }

    /// The content of pyproject.toml.
    pub fn project(&self, name: Option<&str>) -> String {
        let (_, contents) = self.fetch(name).unwrap();
        String::from_utf8(contents.files["pyproject.toml"].clone()).unwrap()
    }
}

/// No error contains a credential, plain or encoded, and all have a remedy.
fn checked<T>(result: Result<T, GitError>) -> Result<T, GitError> {
    if let Err(error) = &result {
        let text = format!("{error} {error:?} {}", error.remedy());
        let encoded = base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            format!("me:{CANARY}"),
        );
        assert!(!text.contains(CANARY) && !text.contains(&encoded), "{text}");
        assert!(!error.remedy().is_empty());
    }
    result
}

pub fn paths(contents: &Contents) -> Vec<&str> {
    contents.files.keys().map(String::as_str).collect()
}

pub fn file_map(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let listed = git(folder, &["ls-files", "-z"]);
    let names = listed.split('\0').filter(|name| !name.is_empty());
    names
        .map(|name| (name.to_owned(), std::fs::read(folder.join(name)).unwrap()))
        .collect()
}
