//! The paths and names of this repository.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use crate::Result;
use crate::process::capture;

/// The package of the provider and the binary that Terraform starts.
pub const PROVIDER: &str = "terraform-provider-flower";

/// The provider's `source` in the examples. Without a host it means the registry of Terraform or
/// OpenTofu, whichever reads it.
pub const PROVIDER_SOURCE: &str = "flower/flower";

/// The checkout from which this xtask was built.
pub struct Repository {
    root: PathBuf,
}

impl Repository {
    /// Finds the checkout from the folder of xtask's package, which cargo sets.
    pub fn find() -> Result<Self> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package
            .parent()
            .filter(|root| root.join("Cargo.toml").is_file())
            .ok_or("the repository was not found: run this as `cargo xtask`")?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// A path in the checkout.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Cargo's output folder.
    pub fn target(&self) -> PathBuf {
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(
            || self.root.join("target"),
            // A relative path starts in the folder where cargo runs, which is the root.
            |folder| self.root.join(folder),
        )
    }

    /// The target platform.
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
        // `cargo run` sets these for us. If we passed them on, build scripts would see a change,
        // and dependencies would be built again.
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
