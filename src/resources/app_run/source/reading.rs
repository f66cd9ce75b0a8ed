//! Reads an app from its source, and makes the bundle. Everything that blocks is on another thread,
//! so that the serving thread is not blocked.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::Digest as _;
use zeroize::Zeroizing;

use super::git;
use super::{FileSource, InlineSource, Source};
use crate::at;
use crate::beneath::hash_of;
use crate::flower::app_source::archive::{self, Limits};
use crate::flower::app_source::git::{CommitId, GitError};
use crate::flower::app_source::inline::{self, InlineFields};
use crate::flower::app_source::remote_file::{Downloaded, RemoteError, RemoteFile};
use crate::flower::app_source::{AppTree, TreeError};
use crate::flower::fab::{self, Fab, FabError};
use crate::flower::run_config::RunConfig;
use crate::flower::version::{FAB_LIMIT, FlowerVersion, row_of};
use crate::masking;
use crate::resources::Configured;
use crate::resources::app_run::model::Model;
use crate::resources::config_values::flatten;
use crate::resources::local_path::{LocalPath, LocalPathError};
use crate::resources::report;
use crate::resources::sha256::Sha256Hex;
use crate::secret_file::text_of;
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::schema::refused;

/// A source whose attributes are parsed.
enum Input<F> {
    Folder {
        path: PathBuf,
        /// The provider's own folders.
        own: Vec<PathBuf>,
    },
    Archive {
        file: F,
        sha256: Option<Sha256Hex>,
        subdirectory: Option<String>,
    },
    Inline(Box<InlineFields>),
    Fab {
        file: F,
        sha256: Option<Sha256Hex>,
    },
}

/// Where a file is.
enum Place {
    Path(PathBuf),
    Remote(Box<RemoteFile>),
}

/// A file on this machine.
enum Fetched {
    Path(PathBuf),
    /// What was downloaded from this address.
    Remote(Downloaded, String),
}

/// The longest archive that is downloaded.
const LONGEST_ARCHIVE: u64 = 256 << 20;

/// The commit of an app in a repository: the known one, or else the one that `ref` means now.
pub(crate) async fn commit(
    provider: Option<&Configured>,
    source: &Source,
    known: Option<&str>,
) -> Result<Option<CommitId>> {
    let Some(git) = &source.git else {
        return Ok(None);
    };
    if let Some(known) = known.and_then(CommitId::parse) {
        return Ok(Some(known));
    }
    let refused = |error: GitError| super::git_error(source, &error).at(source.attribute());
    let input = git::Input::of(git, source.key()).map_err(refused)?;
    let repositories = provider.map(|provider| &provider.repositories);
    let found = input.resolve(repositories).await.map_err(refused)?;
    Ok(Some(found))
}

/// Makes the bundle for a SuperLink of this release, or returns the reason if there is none. An app
/// in a repository is read at this commit.
pub(crate) async fn read(
    provider: Option<&Configured>,
    source: &Source,
    version: FlowerVersion,
    commit: Option<CommitId>,
) -> Result<std::result::Result<Fab, FabError>> {
    // A release that cannot be used is reported at the attribute that sets it.
    let limit = row_of(version).map_or(FAB_LIMIT, |row| row.fab_limit);
    if let (Some(git), Some(commit)) = (&source.git, commit) {
        let repositories = provider.map(|provider| &provider.repositories);
        return Ok(match git::Input::of(git, source.key()) {
            Ok(input) => input.bundle(repositories, commit, limit).await,
            Err(error) => Err(TreeError::from(error).into()),
        });
    }
    let input = input(provider, source)?;
    let key = || format!("{limit} {}", source.key());
    let bundle = provider.map(|provider| provider.recent_bundles.of(key()));
    let bundle = bundle.unwrap_or_default();
    let built = bundle.get_or_try_init(|| fetched_and_built(input, limit));
    match built.await {
        Ok(built) => Ok(Ok(built.clone())),
        Err(Unbuilt::Reason(reason)) => Ok(Err(reason)),
        Err(Unbuilt::Panic(error)) => Err(Diagnostic::error("The app could not be built")
            .detail(error.to_string())
            .into()),
    }
}

/// Why there is no bundle.
enum Unbuilt {
    Reason(FabError),
    Panic(tokio::task::JoinError),
}

async fn fetched_and_built(input: Input<Place>, limit: u64) -> std::result::Result<Fab, Unbuilt> {
    let input = input.fetched(limit).await;
    let input = input.map_err(|error| Unbuilt::Reason(TreeError::from(error).into()))?;
    let built = tokio::task::spawn_blocking(move || build(input, limit));
    built
        .await
        .map_err(Unbuilt::Panic)?
        .map_err(Unbuilt::Reason)
}

fn input(provider: Option<&Configured>, source: &Source) -> Result<Input<Place>> {
    let here = Path::new("");
    if let Some(archive) = &source.archive {
        return Ok(Input::Archive {
            file: place(source, &archive.into())?,
            sha256: archive.sha256.clone(),
            subdirectory: archive.subdirectory.clone(),
        });
    }
    if let Some(inline) = source.inline.clone() {
        return fields(inline).map(|fields| Input::Inline(Box::new(fields)));
    }
    if let Some(fab) = &source.fab {
        return Ok(Input::Fab {
            file: place(source, &fab.into())?,
            sha256: fab.sha256.clone(),
        });
    }
    let text = source.path.as_deref().unwrap_or_default();
    let path: LocalPath = text
        .parse()
        .map_err(|why: LocalPathError| refused(text, &why, &at!(Model, source.path).path()))?;
    Ok(Input::Folder {
        path: path.from(here),
        own: provider.map_or_else(Vec::new, |provider| provider.runtime.own_folders()),
    })
}

fn place(source: &Source, file: &FileSource<'_>) -> Result<Place> {
    let here = Path::new("");
    let at = source.attribute();
    match (file.path, file.url) {
        (Some(path), None) => Ok(Place::Path(path.from(here))),
        (None, Some(url)) => {
            masking::hide_passwords(url);
            let token = file.token_file.map(|file| token(&file.from(here)));
            let token = token.transpose().map_err(|error| {
                Diagnostic::error("The token cannot be read")
                    .detail(error.to_string())
                    .detail("Correct `token_file`: relative paths start in the folder where Terraform runs.")
                    .at(at)
            })?;
            let token = token.as_ref().map(|token| token.as_str());
            let remote = RemoteFile::new(url, file.ca_certificate, token, file.sha256.is_some());
            let remote = remote.map_err(|error| {
                report::error(format!("The {} cannot be read", source.title()), &error).at(at)
            })?;
            Ok(Place::Remote(Box::new(remote)))
        }
        _ => Err(Diagnostic::error(format!("Which file is meant by {at}"))
            .detail("Set exactly one of `path` and `url`.")
            .at(at)
            .into()),
    }
}

/// The content of a file with a token, without the line end that editors add.
fn token(path: &Path) -> io::Result<Zeroizing<String>> {
    let named = |error: io::Error| io::Error::other(format!("{:?}: {error}", path.display()));
    let text = text_of(path).map_err(named)?;
    let token = text.trim();
    if token.is_empty() {
        return Err(io::Error::other(format!("{} is empty", path.display())));
    }
    masking::hide(token);
    Ok(Zeroizing::new(token.to_owned()))
}

impl Input<Place> {
    /// Downloads the file, if it is not on this machine.
    async fn fetched(self, limit: u64) -> std::result::Result<Input<Fetched>, RemoteError> {
        Ok(match self {
            Self::Folder { path, own } => Input::Folder { path, own },
            Self::Archive {
                file,
                sha256,
                subdirectory,
            } => Input::Archive {
                file: file.fetched(LONGEST_ARCHIVE).await?,
                sha256,
                subdirectory,
            },
            Self::Inline(fields) => Input::Inline(fields),
            Self::Fab { file, sha256 } => Input::Fab {
                file: file.fetched(limit).await?,
                sha256,
            },
        })
    }
}

impl Place {
    async fn fetched(self, most: u64) -> std::result::Result<Fetched, RemoteError> {
        Ok(match self {
            Self::Path(path) => Fetched::Path(path),
            Self::Remote(remote) => Fetched::Remote(remote.download(most).await?, remote.at()),
        })
    }
}

impl Fetched {
    /// The open file and its name, if it has this hash.
    fn verified(
        self,
        sha256: Option<&Sha256Hex>,
    ) -> std::result::Result<(File, String), TreeError> {
        let (file, name, found) = match self {
            Self::Remote(found, at) => (found.file, at, Some(found.sha256)),
            Self::Path(path) => {
                let mut file = open(&path)?;
                let found = match sha256 {
                    Some(_) => {
                        let hash = hash_of(&file, u64::MAX);
                        let (hash, _) = hash.map_err(unreadable(&path))?;
                        file.rewind().map_err(unreadable(&path))?;
                        Some(hex::encode(hash.finalize()))
                    }
                    None => None,
                };
                (file, path.display().to_string(), found)
            }
        };
        match (sha256, found) {
            (Some(expected), Some(found)) if !expected.is(&found) => Err(TreeError::OtherHash {
                file: name,
                expected: expected.to_string(),
                found,
            }),
            _ => Ok((file, name)),
        }
    }
}

fn fields(inline: InlineSource) -> Result<InlineFields> {
    let config = match &inline.config {
        Some(config) => flatten(&config.0, at!(Model, source.inline.config))?,
        None => RunConfig::new(),
    };
    Ok(InlineFields {
        files: inline.files,
        server: inline.server,
        client: inline.client,
        server_app: inline.server_app,
        client_app: inline.client_app,
        name: inline.name,
        requirements: inline.requirements.unwrap_or_default(),
        config,
    })
}

fn build(input: Input<Fetched>, limit: u64) -> std::result::Result<Fab, FabError> {
    let tree = match input {
        Input::Folder { path, own } => AppTree::from_dir(&path, &own)?,
        Input::Archive {
            file,
            sha256,
            subdirectory,
        } => {
            let (mut file, _) = file.verified(sha256.as_ref())?;
            let keep = fab::decides_bundle;
            let limits = Limits::default();
            let unpacked = archive::unpack(&mut file, subdirectory.as_deref(), &limits, &keep);
            AppTree::from_unpacked(unpacked.map_err(TreeError::from)?)?
        }
        Input::Inline(fields) => {
            AppTree::from_files(inline::files(*fields).map_err(TreeError::from)?)?
        }
        Input::Fab { file, sha256 } => {
            let (mut file, name) = file.verified(sha256.as_ref())?;
            return fab::open(whole(Path::new(&name), &mut file, limit)?, limit);
        }
    };
    fab::build_within(&tree, limit)
}

/// A regular file: anything else could block for ever.
fn open(path: &Path) -> std::result::Result<File, TreeError> {
    let found = std::fs::metadata(path).map_err(unreadable(path))?;
    if !found.is_file() {
        return Err(TreeError::NotAFile {
            path: path.to_owned(),
        });
    }
    File::open(path).map_err(unreadable(path))
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> TreeError {
    let path = path.to_owned();
    move |source| TreeError::Read {
        path: path.clone(),
        source,
    }
}

/// The bytes of a file, but not much more than the limit.
fn whole(path: &Path, file: &mut File, limit: u64) -> std::result::Result<Bytes, TreeError> {
    let mut bytes = Vec::new();
    let read = file.take(limit + 1).read_to_end(&mut bytes);
    read.map_err(unreadable(path))?;
    Ok(bytes.into())
}

/// The message for an app that cannot be built.
pub(in super::super) fn not_built(source: &Source, error: &FabError) -> Diagnostic {
    if source.is_to_fill_in() {
        return unsaid().at(source.attribute());
    }
    report::error(format!("The {} cannot be bundled", source.title()), error).at(source.attribute())
}

/// For an imported run whose configuration does not say yet where its app is.
fn unsaid() -> Diagnostic {
    Diagnostic::error("The source of an imported run is not filled in")
        .detail("A SuperLink does not know the folder of a run's app.")
        .detail(
            "Write the folder that holds the app's pyproject.toml into `source.path`, such as \
             \"${path.module}/app\".",
        )
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
