//! Where things are in this repository, and what its parts are called.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::process::capture;

/// The package and the binary that Terraform starts.
pub const PROVIDER: &str = "terraform-provider-flower";

/// `source` of the provider as the examples write it. Without a host it means
/// the registry of whichever of Terraform and OpenTofu reads it.
pub const PROVIDER_SOURCE: &str = "flower/flower";

/// The checkout that this xtask was built from.
pub struct Repository {
    root: PathBuf,
}

impl Repository {
    /// Finds the checkout from where cargo says that xtask's package is.
    pub fn find() -> Result<Self> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package
            .parent()
            .filter(|root| root.join("Cargo.toml").is_file())
            .ok_or("the repository was not found: start this as `cargo xtask`")?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// A path inside the checkout.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Cargo's output folder.
    pub fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(
            || self.root.join("target"),
            // Relative means relative to where cargo is run, which is the root.
            |folder| self.root.join(folder),
        )
    }

    /// The platform that is built for.
    pub fn host() -> Result<String> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let version = capture(Command::new(rustc).arg("-vV"))?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        Ok(host.ok_or("rustc -vV does not name its host")?.to_owned())
    }

    /// The cargo that runs us, in the checkout.
    pub fn cargo(&self) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(cargo);
        command.current_dir(&self.root);
        // `cargo run` sets these for us. Handed on, they would look to build
        // scripts like a change, and dependencies would be built again.
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR")
            {
                command.env_remove(name);
            }
        }
        command.env_remove("CARGO_MANIFEST_PATH");
        command
    }
}
