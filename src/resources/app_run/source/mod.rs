//! Where an app comes from: the attribute `source` of runs and of the data source `flower_app`.

mod git;
pub(crate) mod hub;
mod reading;
mod shared;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::model::Model;
use crate::flower::app_source::git::GitError;
use crate::flower::app_source::hub::HubApp;
use crate::flower::app_source::remote_file::shown_address;
use crate::resources::local_path::LocalPath;
use crate::resources::report;
use crate::resources::sha256::Sha256Hex;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics};
use crate::tfplugin::schema::{Attr as _, Dynamic, ModelPath, Tree, optional, required};
use crate::tfplugin::{Plan, value};
use crate::{at, model, text_attribute};
pub(crate) use git::Repositories;
pub(super) use git::{Pinned, pin};
pub(super) use reading::not_built;
pub(crate) use reading::{commit, read};
pub(crate) use shared::RecentBundles;

model! {
    /// Where an app comes from. Set exactly one attribute. The same files give the same bundle from
    /// every source, except `fab`, whose bundle is submitted unchanged, and `hub`, whose bundle only
    /// the SuperLink sees.
    pub struct Source {
        /// A folder with a `pyproject.toml`. Relative paths start in the folder where Terraform
        /// runs, so begin with `${path.module}`. The bundle never contains files of the provider
        /// and of Terraform: the provider's `data_dir` and `cache_dir`, folders named `.flower` or
        /// `.terraform`, states (`*.tfstate*`), variables (`*.tfvars`, `*.tfvars.json`), saved
        /// plans (`*.tfplan`), `.terraform.lock.hcl`, and Terraform's JSON files (`*.tf.json`,
        /// `*.tfrc.json`). `flwr build` includes some of them, so its hash differs if the folder
        /// has such files and `.gitignore` does not exclude them. If a file of the bundle contains
        /// a private key, the plan fails and names the file.
        path: Option<String> = optional(),
        /// A Git repository.
        git: Option<GitRepository> = optional(),
        /// An archive (zip, tar or tar.gz, recognised by its content) with the files of an app.
        archive: Option<ArchiveSource> = optional(),
        /// The files or the code of an app, written in the configuration.
        inline: Option<InlineSource> = optional(),
        /// An app bundle (FAB) that `flwr build` wrote.
        fab: Option<FabSource> = optional(),
        /// An app of Flower Hub that the SuperLink fetches: `@publisher/app==1.2.3`, or
        /// `@publisher/app` for the version that is the newest when the run is submitted. Only for
        /// `flower_app_run`, and for SuperLinks with Flower 1.25 or newer whose machine may connect
        /// to `api.flower.ai`. A plan does not know the app: `fab_hash` is known after the apply,
        /// and the keys and types of `run_config` are not checked or converted (a whole number is
        /// sent as an integer). Another text replaces the run; a newer version on Flower Hub does
        /// not.
        hub: Option<HubApp> = optional(),
    }
}

text_attribute!(HubApp);

model! {
    /// An app in a Git repository, read at one commit, without history and without a checkout. No
    /// `git` program is needed. Submodules and files in Git LFS are errors. The plan finds the
    /// commit that `ref` means and shows it as `resolved_commit`. A run keeps its commit: if the
    /// branch has moved since, a plan only says so.
    pub struct GitRepository {
        /// The address: `https://host/name.git`, `ssh://git@host/name.git`, `git@host:name.git` or
        /// `file:///path` (`http://` is not encrypted: use it only on this machine). For ssh, the provider starts your `ssh` program with your configuration,
        /// agent and known hosts; an unknown host key is an error.
        url: String = required(),
        /// A branch, a tag, or the 40 digits of a commit. Default: the repository's default branch.
        r#ref: Option<String> = optional(),
        /// The folder with the `pyproject.toml`. Default: the root of the repository.
        subdirectory: Option<String> = optional(),
        /// Whether a branch or tag that has moved is a change: if the app differs, the plan replaces
        /// the run. Default: false. Without it, a run keeps its commit until `url` or `ref` changes.
        follow: Option<bool> = optional(),
        /// The user name for `https`. Default: `git`, which is enough for most tokens.
        username: Option<String> = optional(),
        /// A file with the password or token for `https`. The provider reads it whenever it reads
        /// the repository, and stores it nowhere.
        password_file: Option<LocalPath> = optional(),
        /// CA certificates (PEM) that the provider trusts for `https`, besides those of this machine.
        ca_certificate: Option<String> = optional(),
        /// The only private key that `ssh` uses. Default: those of your ssh configuration and agent.
        ssh_key_file: Option<LocalPath> = optional(),
        /// The only file with host keys that `ssh` trusts. Default: those of your ssh configuration.
        known_hosts_file: Option<LocalPath> = optional(),
    }
}

model! {
    /// An archive with the files of an app. It is not unpacked to a disk, and no link in it is
    /// followed. If all entries lie in one folder, as in the archives of GitHub, this folder is the
    /// root.
    pub struct ArchiveSource {
        /// The archive on this machine. Relative paths start in the folder where Terraform runs.
        /// Set either `path` or `url`.
        path: Option<LocalPath> = optional(),
        /// The address of the archive, `https://…` or, with `sha256`, `http://…`. States and plans
        /// show it whole, messages without its query.
        url: Option<String> = optional(),
        /// The SHA-256 of the archive, in hexadecimal digits. If it differs, the plan fails. With it,
        /// a plan does not download again what it knows; without it, every plan downloads the file.
        sha256: Option<Sha256Hex> = optional(),
        /// A file with a token, which is sent to the host of `url` as `Authorization: Bearer`. The
        /// provider stores the token nowhere.
        token_file: Option<LocalPath> = optional(),
        /// CA certificates (PEM) that the provider trusts for `url`, besides those of this machine.
        ca_certificate: Option<String> = optional(),
        /// The folder with the `pyproject.toml`. If the archive has one single top folder, the path
        /// starts in it.
        subdirectory: Option<String> = optional(),
    }
}

model! {
    /// An app in the configuration: either all of its `files`, or the code of its ServerApp
    /// (`server`) and ClientApp (`client`), for which the provider writes the `pyproject.toml`.
    /// Every text is kept byte for byte. Everyone who can read the state or a plan can read it.
    pub struct InlineSource {
        /// The files: their paths, such as `pyproject.toml` and `app/server_app.py`, and their
        /// texts.
        files: Option<BTreeMap<String, String>> = optional(),
        /// The Python code of the ServerApp.
        server: Option<String> = optional(),
        /// The Python code of the ClientApp.
        client: Option<String> = optional(),
        /// The variable in `server` that holds the ServerApp. Default: `app`.
        server_app: Option<String> = optional(),
        /// The variable in `client` that holds the ClientApp. Default: `app`.
        client_app: Option<String> = optional(),
        /// The name of the app. Default: `inline`.
        name: Option<String> = optional(),
        /// Python packages that the app needs, such as `numpy>=2`. They are the `dependencies` of
        /// the `pyproject.toml`; SuperLinks and SuperNodes install them if you also write them into
        /// their `requirements`.
        requirements: Option<Vec<String>> = optional(),
        /// The default values of the app's configuration, which `run_config` can override: an
        /// object of bools, numbers and strings.
        config: Option<Dynamic> = optional(),
    }
}

model! {
    /// An app bundle (FAB). The provider compares each file in it with the bundle's own list of
    /// contents, and submits the bundle unchanged.
    pub struct FabSource {
        /// The bundle on this machine. Relative paths start in the folder where Terraform runs. Set
        /// either `path` or `url`.
        path: Option<LocalPath> = optional(),
        /// The address of the bundle, `https://…` or, with `sha256`, `http://…`. States and plans
        /// show it whole, messages without its query.
        url: Option<String> = optional(),
        /// The SHA-256 of the bundle, in hexadecimal digits. If it differs, the plan fails. With it,
        /// a plan does not download again what it knows; without it, every plan downloads the file.
        sha256: Option<Sha256Hex> = optional(),
        /// A file with a token, which is sent to the host of `url` as `Authorization: Bearer`. The
        /// provider stores the token nowhere.
        token_file: Option<LocalPath> = optional(),
        /// CA certificates (PEM) that the provider trusts for `url`, besides those of this machine.
        ca_certificate: Option<String> = optional(),
    }
}

/// The attributes of a file, which archives and bundles share.
pub(super) struct FileSource<'a> {
    pub path: Option<&'a LocalPath>,
    pub url: Option<&'a str>,
    pub token_file: Option<&'a LocalPath>,
    pub ca_certificate: Option<&'a str>,
    pub sha256: Option<&'a Sha256Hex>,
}

macro_rules! file_source {
    ($($ty:ty),*) => { $(
        impl<'a> From<&'a $ty> for FileSource<'a> {
            fn from(source: &'a $ty) -> Self {
                Self {
                    path: source.path.as_ref(),
                    url: source.url.as_deref(),
                    token_file: source.token_file.as_ref(),
                    ca_certificate: source.ca_certificate.as_deref(),
                    sha256: source.sha256.as_ref(),
                }
            }
        }
    )* };
}

file_source!(ArchiveSource, FabSource);

/// The kinds of source.
const KINDS: [ModelPath<Source>; 6] = [
    at!(Source, path),
    at!(Source, git),
    at!(Source, archive),
    at!(Source, inline),
    at!(Source, fab),
    at!(Source, hub),
];

impl FileSource<'_> {
    /// The path or the address, in a message. The query of an address may hold its signature.
    fn place(&self) -> String {
        let url = self.url.map(shown_address).unwrap_or_default();
        self.path.map_or(url, ToString::to_string)
    }
}

/// The placeholder for the folder of an app that only its owner knows.
const TO_FILL_IN: &str = "FILL IN: the folder that holds the app's pyproject.toml";

/// Refuses a configuration with several sources, and one with none.
pub(crate) fn exactly_one<M>(config: &Tree<M>, source: ModelPath<M>) -> Diagnostics {
    let mut found = Diagnostics::default();
    let value = config.value(source);
    if !value.is_null() && !value.is_unknown() {
        found.absorb(config.exactly_one_of(source, &KINDS.map(|kind| source.then(kind))));
    }
    found
}

impl Source {
    /// A folder of this machine.
    pub(crate) fn folder(path: impl Into<String>) -> Self {
        Self {
            path: Some(path.into()),
            git: None,
            archive: None,
            inline: None,
            fab: None,
            hub: None,
        }
    }

    /// The source of an imported run, until the configuration says where the app is. Configurations
    /// that Terraform generates have the same text.
    pub(super) fn imported() -> Self {
        Self::folder(TO_FILL_IN)
    }

    /// Older states have an empty path.
    pub(super) fn is_imported(&self) -> bool {
        self.path.as_deref() == Some("") || self.is_to_fill_in()
    }

    /// Whether the configuration of an imported run still has the placeholder.
    pub(super) fn is_to_fill_in(&self) -> bool {
        self.path.as_deref() == Some(TO_FILL_IN)
    }

    /// The attribute that is set.
    pub(super) const fn attribute(&self) -> ModelPath<Model> {
        if self.git.is_some() {
            at!(Model, source.git)
        } else if self.archive.is_some() {
            at!(Model, source.archive)
        } else if self.inline.is_some() {
            at!(Model, source.inline)
        } else if self.fab.is_some() {
            at!(Model, source.fab)
        } else if self.hub.is_some() {
            at!(Model, source.hub)
        } else {
            at!(Model, source.path)
        }
    }

    /// The app in a message, such as `app in "./app"`.
    pub(super) fn title(&self) -> String {
        if let Some(git) = &self.git {
            format!("app in the repository {:?}", shown_address(&git.url))
        } else if let Some(archive) = &self.archive {
            format!("app in the archive {:?}", FileSource::from(archive).place())
        } else if self.inline.is_some() {
            "app in `source.inline`".to_owned()
        } else if let Some(fab) = &self.fab {
            format!("bundle {:?}", FileSource::from(fab).place())
        } else if let Some(hub) = &self.hub {
            format!("app {hub} of Flower Hub")
        } else {
            format!("app in {:?}", self.path.as_deref().unwrap_or_default())
        }
    }

    /// The folder that the bundle is made of, if it is one: what is written there may become a part
    /// of the app.
    pub(super) fn app_folder(&self) -> Option<PathBuf> {
        let folder = self.path.as_ref()?.parse::<LocalPath>().ok()?;
        Some(folder.from(Path::new("")))
    }

    /// The file of an archive or a bundle.
    fn file(&self) -> Option<FileSource<'_>> {
        let archive = self.archive.as_ref().map(FileSource::from);
        archive.or_else(|| self.fab.as_ref().map(FileSource::from))
    }

    /// All attributes as one text, which is equal for equal sources.
    pub(super) fn key(&self) -> String {
        value::to_state(&self.encode()).to_string()
    }

    /// The source with this key.
    pub(super) fn of_key(key: &str) -> Option<Self> {
        let json: serde_json::Value = serde_json::from_str(key).ok()?;
        let value = value::from_json(&json, &Self::kind().ty()).ok()?;
        Self::decode(&value, &crate::tfplugin::path::Path::default()).ok()
    }
}

/// Whether a plan is for the run of the state, and changes nothing that its app decides.
pub(super) fn is_unchanged(plan: &Plan<Model>) -> bool {
    !(plan.is_create()
        || plan.is_replacement()
        || plan.changes(at!(Model, source))
        || plan.changes(at!(Model, run_config)))
}

/// What prevents reading the app of a run that stays as it is, such as a token that only a colleague
/// has: it must not prevent a plan or a destroy.
pub(super) fn kept(unread: Diagnostics) -> impl Iterator<Item = Diagnostic> {
    let notes = unread.into_iter().map(Diagnostic::as_warning);
    notes.map(|note| note.detail("The run stays as it is in the state."))
}

/// The error for a repository that cannot be read.
fn git_error(source: &Source, error: &GitError) -> Diagnostic {
    report::error(format!("The {} cannot be read", source.title()), error)
}
