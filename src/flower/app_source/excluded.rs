//! Files that never belong to an app, whatever its source is: the provider's own files and
//! Terraform's.
//!
//! A configuration often lies beside the app's `pyproject.toml`. The provider keeps private keys
//! there, Terraform keeps states and variables, and each apply changes them: in a bundle they would
//! reach every node, and every plan would see a changed app. Flower's own rules would ship them, so
//! they are excluded before these rules apply.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{TreeError, read_error};

/// Folders of the provider and of Terraform with a fixed name.
const FOLDERS: [&str; 2] = [".flower", ".terraform"];
const FILES: [&str; 1] = [".terraform.lock.hcl"];
/// States, their backups, and `terraform.tfstate.d`, the folder with the states of workspaces.
const STATE: &str = ".tfstate";
/// Variables, saved plans, credentials, and configurations in JSON.
const ENDINGS: [&str; 8] = [
    ".tfvars",
    ".tfvars.json",
    ".tfplan",
    ".tfrc",
    ".tfrc.json",
    ".tf.json",
    ".tofu.json",
    ".tftest.json",
];

/// Whether a file or folder with this name belongs to the provider or to Terraform, at any depth.
/// The case does not matter: some file systems ignore it.
pub(super) fn is_named(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    FOLDERS.contains(&name.as_str())
        || FILES.contains(&name.as_str())
        || name.contains(STATE)
        || ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// The provider's folders inside an app, whatever their names are.
pub(super) struct OwnFolders(Vec<PathBuf>);

impl OwnFolders {
    /// Those of `own` that lie in the app at `root`, also through links. A folder that does not
    /// exist is skipped.
    pub(super) fn within(root: &Path, own: &[PathBuf]) -> Result<Self, TreeError> {
        let real = root
            .canonicalize()
            .map_err(|source| read_error(root, source))?;
        let mut inside = Vec::new();
        for folder in own {
            let folder = match folder.canonicalize() {
                Ok(folder) => folder,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                // A path that cannot be resolved is compared by its name.
                Err(_) => folder.clone(),
            };
            if folder == real {
                return Err(TreeError::OwnFolder {
                    path: root.to_owned(),
                });
            }
            if let Ok(below) = folder.strip_prefix(&real) {
                inside.push(root.join(below));
            }
        }
        Ok(Self(inside))
    }

    pub(super) fn contains(&self, folder: &Path) -> bool {
        self.0.iter().any(|own| own == folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_terraform_and_the_provider_are_known_by_name() {
        for name in [
            ".flower",
            ".terraform",
            ".terraform.lock.hcl",
            "terraform.tfstate",
            "terraform.tfstate.backup",
            "terraform.tfstate.1700000000.backup",
            "terraform.tfstate.json",
            "terraform.tfstate.d",
            ".terraform.tfstate.lock.info",
            "terraform.tfvars",
            "a.auto.tfvars.json",
            "a.tfplan",
            "credentials.tfrc.json",
            "main.tf.json",
            ".FLOWER",
            "Terraform.TFState",
        ] {
            assert!(is_named(name), "{name}");
        }
        for name in [
            "main.py",
            "terraform.py",
            ".flowers",
            "flower",
            "tfvars.json",
            "tfstate.json",
            "terraform",
            ".terraformignore",
            "plan.json",
        ] {
            assert!(!is_named(name), "{name}");
        }
    }
}
