//! Builds Flower App Bundles (FABs), byte for byte as `flwr build` of Flower 1.42 does.
//!
//! A plan must know the hash of an app before a Flower program is installed, and must get the same
//! hash as the Flower CLI: otherwise, a switch between the two would look like a change. So the
//! builder is native code without an environment: files in, bytes out.
//!
//! The differences from the CLI are all on the safe side:
//!
//! * Nothing below a `.git` directory ships, and no file of the provider or of Terraform. A private
//!   key in a file that ships is an error.
//! * File names that would break the list of contents, and publishers and versions that are not valid
//!   in a folder name on a node, are errors in the plan instead of on the node.
//! * An integer with more than 64 bits in `[tool.flwr.app.config]` is an error: the SuperLink would
//!   accept the bundle, but each run would fail when the `ServerApp` returns its configuration.
//! * Arrays and tables in `pyproject.toml` have at most 80 levels; Flower's parser accepts 400.
//! * Letters are those of the newest Unicode version, not those of a Python version.
//! * Checks that need a Python environment are skipped: whether a module of another package exists,
//!   and whether a file assigns the object that it names ([`component`]). The name of the app's folder
//!   is not checked either; no bundle contains it.

mod archive;
mod component;
pub mod document;
mod error;
mod fab_file;
mod format;
mod glob;
pub mod pathspec;
mod private_key;
mod pyproject;
mod python_repr;
mod python_text;
mod requirement;
mod selection;
mod terraform_file;
pub mod toml_text;
mod value;

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use self::archive::Entry;
pub use self::error::{FabError, KeyPlace, MissingPyproject, Problem};
pub use self::fab_file::{FabFileError, LineFault};
use self::format::Format;
pub use self::selection::{decides_bundle, has_bundled_type};
use self::value::Table;
use super::app_source::AppTree;
use super::app_source::archive::Limits;
use super::run_config::RunConfig;
use super::version::FAB_LIMIT;

const PYPROJECT: &str = "pyproject.toml";
const CONTENT: &str = ".info/CONTENT";

/// A built app.
#[derive(Debug, Clone, PartialEq)]
pub struct Fab {
    pub bytes: Bytes,
    pub hash: FabHash,
    /// The beginning of the SHA-256 of each file, to compare two builds.
    pub digests: BTreeMap<String, String>,
    pub project: Project,
}

/// What `pyproject.toml` tells about the app.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// As Python writes it if it is not a string.
    pub publisher: String,
    pub name: String,
    pub version: String,
    /// `[tool.flwr.app.config]`, flattened.
    pub config: RunConfig,
    /// `[project].dependencies`, as written.
    pub dependencies: Vec<String>,
    /// The modules of the components, such as `quickstart.server_app`.
    pub component_modules: Vec<String>,
    pub kind: AppKind,
}

/// The kind of an app, which decides how a SuperLink starts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppKind {
    /// With a ServerApp and a ClientApp.
    Federated,
    /// With an `agentapp`, which answers the messages of a user.
    Agent,
}

/// The SHA-256 of a FAB as 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FabHash(String);

impl FabHash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(hex::encode(Sha256::digest(bytes)))
    }

    /// All 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The eight digits in Flower's file names.
    pub fn short(&self) -> &str {
        self.0.get(..8).unwrap_or(&self.0)
    }
}

impl fmt::Display for FabHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Fab {
    /// The file name that `flwr build` uses.
    pub fn file_name(&self) -> String {
        let Project {
            publisher,
            name,
            version,
            ..
        } = &self.project;
        let version = version.replace('.', "-");
        format!("{publisher}.{name}.{version}.{}.fab", self.hash.short())
    }
}

/// Builds an app for a SuperLink of the newest release.
pub fn build(tree: &AppTree) -> Result<Fab, FabError> {
    build_within(tree, FAB_LIMIT)
}

/// Builds an app for a SuperLink that accepts bundles of at most `limit` bytes. Reads only the
/// files that ship, and none of them if they are too large.
pub fn build_within(tree: &AppTree, limit: u64) -> Result<Fab, FabError> {
    let publishable = selection::publishable(tree)?;
    if !publishable.contains(&PYPROJECT) {
        return Err(FabError::NoPyproject(why_missing(tree)));
    }
    let source = tree.read(PYPROJECT)?;
    let mut document = document::parse(&source)?;
    let checked = pyproject::check(&document).map_err(FabError::Invalid)?;
    let missing: Vec<Problem> = checked
        .components
        .iter()
        .filter_map(|component| component::check(tree, component))
        .collect();
    if !missing.is_empty() {
        return Err(FabError::Invalid(missing));
    }
    let shipped = selection::shipped(&publishable, &checked.patterns)?;
    check_license(&checked.format, &shipped)?;
    check_names(&shipped)?;
    check_size(tree, &shipped, limit)?;

    drop_federations(&mut document);
    let mut entries = vec![Entry {
        name: PYPROJECT.to_owned(),
        content: Bytes::from(toml_text::dumps(&document)),
    }];
    for path in shipped {
        entries.push(Entry {
            name: path.to_owned(),
            content: tree.read(path)?,
        });
    }
    check_secrets(&entries, &source)?;
    let digests = entries.iter().map(digest).collect();
    entries.push(Entry {
        name: CONTENT.to_owned(),
        content: Bytes::from(manifest(&entries)),
    });
    // Files may have grown after their size was read.
    let too_large = |size| too_large(size, limit, &entries);
    let bytes = archive::write(&entries).map_err(|_| too_large(u64::from(u32::MAX)))?;
    let size = bytes.len() as u64;
    if size > limit {
        return Err(too_large(size));
    }
    Ok(Fab {
        hash: FabHash::of(&bytes),
        bytes: Bytes::from(bytes),
        digests,
        project: checked.project,
    })
}

/// Opens a bundle that was built before. Its bytes stay as they are.
pub fn open(bytes: Bytes, limit: u64) -> Result<Fab, FabError> {
    if bytes.len() as u64 > limit {
        return Err(too_large(bytes.len() as u64, limit, &[]));
    }
    let found = fab_file::verify(bytes, &Limits::default())?;
    let entries: Vec<Entry> = found
        .files
        .iter()
        .map(|(name, content)| Entry {
            name: name.clone(),
            content: Bytes::copy_from_slice(content),
        })
        .collect();
    let tree = AppTree::from_files(found.files)?;
    let source = tree.read(PYPROJECT)?;
    let checked = pyproject::check(&document::parse(&source)?).map_err(FabError::Invalid)?;
    check_secrets(&entries, &source)?;
    Ok(Fab {
        hash: found.hash,
        bytes: found.bytes,
        digests: entries.iter().map(digest).collect(),
        project: checked.project,
    })
}

/// The error of a dependency in PEP 508 format, such as `numpy>=2`, if it has one.
pub fn check_requirement(text: &str) -> Result<(), String> {
    requirement::Requirement::parse(text).map(drop)
}

/// Every node reads the files that ship, and so does everyone with access to the database of the
/// `SuperLink`.
fn check_secrets(entries: &[Entry], pyproject: &[u8]) -> Result<(), FabError> {
    let mut keys = Vec::new();
    let mut states = Vec::new();
    for entry in entries {
        let text = without_nuls(&entry.content);
        if let Some(line) = private_key::line_of(&text) {
            // The line number is that of the author's file; the shipped text has no comments.
            let own = (entry.name == PYPROJECT)
                .then(|| private_key::line_of(&without_nuls(pyproject)))
                .flatten();
            keys.push(KeyPlace {
                path: entry.name.clone(),
                line: own.unwrap_or(line),
            });
        }
        if terraform_file::is_one(&text) {
            states.push(entry.name.clone());
        }
    }
    if !keys.is_empty() {
        return Err(FabError::PrivateKey(keys));
    }
    if !states.is_empty() {
        return Err(FabError::TerraformFile(states));
    }
    Ok(())
}

/// Removes the NULs of UTF-16, which some Windows shells write.
fn without_nuls(content: &[u8]) -> Vec<u8> {
    content.iter().copied().filter(|byte| *byte != 0).collect()
}

fn why_missing(tree: &AppTree) -> MissingPyproject {
    if tree.contains(PYPROJECT) {
        MissingPyproject::Ignored
    } else if tree.is_behind_link(PYPROJECT) {
        MissingPyproject::Link
    } else {
        MissingPyproject::Absent
    }
}

fn check_license(format: &Format, shipped: &[&str]) -> Result<(), FabError> {
    match format {
        Format::V1 { license_file } if !shipped.contains(&license_file.as_str()) => {
            let message =
                format!("{license_file} must ship with the app, but is not among its files");
            Err(FabError::Invalid(vec![Problem::new(
                "project.license.file",
                message,
            )]))
        }
        _ => Ok(()),
    }
}

/// A node splits each line of the list of contents at commas when it installs the app.
fn check_names(shipped: &[&str]) -> Result<(), FabError> {
    let reason = |path: &str| {
        if path.contains(',') {
            Some("Flower cannot install an app with a comma in a file name")
        } else if path.contains(['\n', '\r']) {
            Some("Flower cannot install an app with a line break in a file name")
        } else {
            None
        }
    };
    shipped
        .iter()
        .find_map(|path| reason(path).map(|reason| (path, reason)))
        .map_or(Ok(()), |(path, reason)| {
            Err(FabError::BadName {
                path: (*path).to_owned(),
                reason,
            })
        })
}

/// Checks sizes before reading: one large file would fill the memory.
fn check_size(tree: &AppTree, shipped: &[&str], limit: u64) -> Result<(), FabError> {
    let mut sizes = Vec::new();
    for path in shipped {
        sizes.push(((*path).to_owned(), tree.size(path)?));
    }
    let total: u64 = sizes.iter().map(|(_, size)| size).sum();
    if total > limit {
        return Err(FabError::TooLarge {
            size: total,
            limit,
            biggest: biggest(sizes),
        });
    }
    Ok(())
}

fn too_large(size: u64, limit: u64, entries: &[Entry]) -> FabError {
    let sizes = entries
        .iter()
        .map(|entry| (entry.name.clone(), entry.content.len() as u64))
        .collect();
    FabError::TooLarge {
        size,
        limit,
        biggest: biggest(sizes),
    }
}

fn biggest(mut sizes: Vec<(String, u64)>) -> Vec<(String, u64)> {
    sizes.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    sizes.truncate(5);
    sizes
}

/// Federations are settings of one user's machine, not of the app.
fn drop_federations(document: &mut Table) {
    let tool = document.table_mut("tool");
    let flwr = tool.and_then(|tool| tool.table_mut("flwr"));
    if let Some(flwr) = flwr {
        flwr.remove("federations");
    }
}

/// The first 64 bits are enough to see that a file was edited.
fn digest(entry: &Entry) -> (String, String) {
    let hash = Sha256::digest(&entry.content);
    let digest = hash.iter().take(8).map(|byte| format!("{byte:02x}"));
    (entry.name.clone(), digest.collect())
}

/// One line per file: path, hash, size in bits.
fn manifest(entries: &[Entry]) -> String {
    let lines: Vec<String> = entries
        .iter()
        .map(|entry| {
            let hash = hex::encode(Sha256::digest(&entry.content));
            format!("{},{hash},{}", entry.name, entry.content.len() * 8)
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
