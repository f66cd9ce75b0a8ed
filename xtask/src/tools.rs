//! The programs that the commands need besides Rust: Terraform or OpenTofu, and Python.
//!
//! Programs on PATH are used first. OpenTofu can also be built from its Go module
//! (`tools/opentofu`), and on Debian as root Python can be installed. If neither works, the error
//! tells what to install.

use std::collections::hash_map::DefaultHasher;
use std::ffi::OsString;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::process::{capture, find_program, is_executable, run};
use crate::repository::Repository;

const NO_TERRAFORM: &str = "\
neither `terraform` nor `tofu` is on PATH, and `go`, which could build OpenTofu, is missing.
Install one of them:
  - Terraform 1.8 or newer: https://developer.hashicorp.com/terraform/install
  - OpenTofu 1.8 or newer:  https://opentofu.org/docs/intro/install/
  - Go 1.21 or newer (https://go.dev/dl), to build OpenTofu from source
or set TF_BINARY to a binary.";

const NO_PYTHON: &str = "\
Flower needs Python 3.11 or newer with the venv module, but `python3` on PATH does not provide it.
Install it: `apt-get install -y python3 python3-venv` (Debian, Ubuntu), `dnf install python3` (Fedora),
or any Python from https://www.python.org/downloads.";

/// Lets apt run as root: on a CI machine, its own user may not have enough rights.
pub const AS_ROOT: &str = "APT::Sandbox::User=root";

const NO_BROWSER: &str = "\
the tests look at reports in a browser, and there is no Chromium on PATH.
Install it: `apt-get install -y chromium` (Debian), `dnf install chromium` (Fedora).";

/// The names of Chromium.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Prints the version if it is new enough.
const PYTHON_PROBE: &str = "import sys; assert sys.version_info >= (3, 11); \
     print('.'.join(map(str, sys.version_info[:3])))";

/// The modules that create an environment if there is no uv; Debian packages them separately.
const VENV_PROBE: &str = "import venv, ensurepip";

/// Terraform or OpenTofu; their registries differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// Terraform itself.
    Terraform,
    /// OpenTofu, the fork.
    OpenTofu,
}

impl Product {
    /// Reads `Terraform v1.11.4`.
    fn of_line(line: &str) -> Option<(Self, &str)> {
        let (name, version) = line.split_once(" v")?;
        match name {
            "Terraform" => Some((Self::Terraform, version)),
            "OpenTofu" => Some((Self::OpenTofu, version)),
            _ => None,
        }
    }
}

/// A working Terraform or OpenTofu.
#[derive(Clone, Debug)]
pub struct Terraform {
    /// The path.
    pub binary: PathBuf,
    /// The product.
    pub product: Product,
    /// The version, such as `1.11.4`.
    pub version: String,
}

impl Terraform {
    /// `TF_BINARY`, then PATH, then OpenTofu from its Go module.
    pub fn find_or_build(repository: &Repository) -> Result<Self> {
        if let Some(named) = std::env::var_os("TF_BINARY").filter(|name| !name.is_empty()) {
            let binary = named
                .to_str()
                .and_then(find_program)
                .unwrap_or_else(|| PathBuf::from(&named));
            return Self::probe(binary)
                .map_err(|e| format!("TF_BINARY={} cannot be used: {e}", named.display()).into());
        }
        if let Some(binary) = find_program("terraform").or_else(|| find_program("tofu")) {
            return Self::probe(binary);
        }
        Self::probe(opentofu(repository)?)
    }

    /// OpenTofu from PATH, or built from its module.
    pub fn opentofu(repository: &Repository) -> Result<Self> {
        match find_program("tofu") {
            Some(binary) => Self::probe(binary),
            None => Self::probe(opentofu(repository)?),
        }
    }

    /// The name and version, such as `Terraform 1.11.4`.
    pub fn title(&self) -> String {
        let name = match self.product {
            Product::Terraform => "Terraform",
            Product::OpenTofu => "OpenTofu",
        };
        format!("{name} {}", self.version)
    }

    /// A command in `folder` with this CLI configuration, without version checks, and independent
    /// of the caller's environment.
    pub fn command(&self, folder: &Path, cli_config: &Path) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .current_dir(folder)
            .env("TF_CLI_CONFIG_FILE", cli_config)
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_IN_AUTOMATION", "1");
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| {
                name.starts_with("TF_CLI_ARGS")
                    || ["TF_WORKSPACE", "TF_DATA_DIR", "TF_REATTACH_PROVIDERS"].contains(&name)
            }) {
                command.env_remove(name);
            }
        }
        command
    }

    fn probe(binary: PathBuf) -> Result<Self> {
        let mut ask = Command::new(&binary);
        // An error in the user's own configuration would be printed before the version.
        ask.arg("version")
            .env("CHECKPOINT_DISABLE", "1")
            .env("TF_CLI_CONFIG_FILE", "/dev/null");
        let answer = capture(&mut ask)?;
        let (product, version) = answer.lines().find_map(Product::of_line).ok_or_else(|| {
            format!(
                "`{}` is neither Terraform nor OpenTofu by its `version`",
                binary.display()
            )
        })?;
        Ok(Self {
            binary,
            product,
            version: version.to_owned(),
        })
    }
}

/// A CLI configuration with `dev_overrides` for `source` in `folder`.
pub fn dev_overrides(source: &str, folder: &Path) -> String {
    format!(
        "provider_installation {{\n  dev_overrides {{\n    {source:?} = {:?}\n  }}\n  direct {{}}\n}}\n",
        folder.to_string_lossy()
    )
}

/// The path and version of the Python for Flower.
pub fn python() -> Result<(PathBuf, String)> {
    let python = find_program("python3").ok_or(NO_PYTHON)?;
    let version = capture(Command::new(&python).args(["-c", PYTHON_PROBE]))
        .map_err(|e| format!("{NO_PYTHON}\n\n{e}"))?;
    if find_program("uv").is_none() {
        capture(Command::new(&python).args(["-c", VENV_PROBE]))
            .map_err(|e| format!("{NO_PYTHON}\n\n{e}"))?;
    }
    Ok((python, version.trim().to_owned()))
}

/// The same, but installs a missing Python on Debian as root.
pub fn python_or_install() -> Result<(PathBuf, String)> {
    let missing = match python() {
        Ok(found) => return Ok(found),
        Err(error) => error,
    };
    if !can_install() {
        return Err(missing);
    }
    apt(|apt| apt.args(["install", "-y", "python3", "python3-venv"]))?;
    python()
}

/// Chromium, in which the tests look at reports; installed on Debian as root if it is missing.
pub fn browser_or_install() -> Result<PathBuf> {
    let find = || BROWSERS.into_iter().find_map(find_program);
    if let Some(found) = find() {
        return Ok(found);
    }
    if !can_install() {
        return Err(NO_BROWSER.into());
    }
    apt(|apt| apt.args(["install", "-y", "--no-install-recommends", "chromium"]))?;
    find().ok_or_else(|| NO_BROWSER.into())
}

/// Git and OpenSSH's server, which the tests of repositories start; installed on Debian as root if
/// they are missing.
pub fn git_servers_or_install() -> Result<()> {
    let sshd = Path::new("/usr/sbin/sshd");
    let are_there =
        || find_program("git").is_some() && find_program("ssh").is_some() && sshd.exists();
    if are_there() {
        return Ok(());
    }
    if can_install() {
        apt(|apt| {
            let packages = ["git", "openssh-client", "openssh-server"];
            apt.args(["install", "-y", "--no-install-recommends"])
                .args(packages)
        })?;
    }
    if are_there() {
        Ok(())
    } else {
        Err(
            "git, ssh or /usr/sbin/sshd is missing. Install the packages git, openssh-client and \
             openssh-server."
                .into(),
        )
    }
}

/// Whether packages can be installed: on Debian, with apt, as root.
pub fn can_install() -> bool {
    let is_debian = Path::new("/etc/debian_version").exists();
    is_debian && find_program("apt-get").is_some() && is_root()
}

/// Runs apt-get, again with a new list of packages if it fails.
pub fn apt(arguments: impl Fn(&mut Command) -> &mut Command) -> Result<()> {
    let run_apt = || {
        let mut apt = Command::new("apt-get");
        // Standard output is reserved for the lines of `up` for a shell.
        run(arguments(
            apt.args(["-o", AS_ROOT])
                .env("DEBIAN_FRONTEND", "noninteractive")
                .stdout(std::io::stderr()),
        ))
    };
    run_apt().or_else(|_| {
        // The usual cause is an outdated or missing package list.
        run(Command::new("apt-get")
            .args(["-o", AS_ROOT, "update"])
            .stdout(std::io::stderr()))?;
        run_apt()
    })
}

/// A PATH that leads to a Python itself: the `python3` of a version manager is a shell script, which
/// costs more each time than most of what tests do with it.
pub fn path_to_python(python: &Path) -> Result<OsString> {
    let script = "import sys; print(sys.executable)";
    let real = PathBuf::from(capture(Command::new(python).args(["-c", script]))?.trim_end());
    let folder = real.parent().unwrap_or(Path::new("")).to_owned();
    let others = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder).chain(std::env::split_paths(&others));
    Ok(std::env::join_paths(folders)?)
}

/// Builds OpenTofu as `tools/opentofu` pins it, once per pin.
fn opentofu(repository: &Repository) -> Result<PathBuf> {
    let binary = opentofu_cache(repository)?;
    if is_executable(&binary) {
        return Ok(binary);
    }
    let go = find_program("go").ok_or(NO_TERRAFORM)?;
    let folder = binary.parent().ok_or("the cache folder has no parent")?;
    std::fs::create_dir_all(folder)
        .map_err(|e| format!("{} cannot be created: {e}", folder.display()))?;
    eprintln!(
        "building OpenTofu from tools/opentofu; this happens only once and takes some minutes"
    );
    // Built in another folder and then moved, so that an interrupted build never leaves an
    // incomplete binary.
    let partial = binary.with_extension(format!("{}.partial", std::process::id()));
    run(Command::new(go)
        .current_dir(repository.path("tools/opentofu"))
        .args(["build", "-trimpath", "-buildvcs=false"])
        .arg("-ldflags=-s -w -X github.com/opentofu/opentofu/version.dev=no")
        .arg("-o")
        .arg(&partial)
        .arg("github.com/opentofu/opentofu/cmd/tofu"))
    .map_err(|e| format!("failed to build OpenTofu: {e}\n\n{NO_TERRAFORM}"))?;
    std::fs::rename(&partial, &binary)
        .map_err(|e| format!("{} cannot be written: {e}", binary.display()))?;
    Ok(binary)
}

/// The path of an OpenTofu of the current pin, whether it exists or not.
fn opentofu_cache(repository: &Repository) -> Result<PathBuf> {
    let mut pin = DefaultHasher::new();
    for file in ["tools/opentofu/go.mod", "tools/opentofu/go.sum"] {
        let path = repository.path(file);
        std::fs::read(&path)
            .map_err(|e| format!("{} cannot be read: {e}", path.display()))?
            .hash(&mut pin);
    }
    Ok(cache_folder()?
        .join("tools")
        .join(format!("opentofu-{:016x}", pin.finish()))
        .join("tofu"))
}

/// The folder for files that take long to create: below `XDG_CACHE_HOME`, or `~/.cache`.
pub fn cache_folder() -> Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(std::env::home_dir()?.join(".cache")))
        .ok_or("neither XDG_CACHE_HOME nor HOME is set, so there is no cache folder")?;
    Ok(cache.join("terraform-provider-flower"))
}

/// The owner of our own entry in /proc is the user of this process.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn fake(version_line: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("tf");
        std::fs::write(&binary, format!("#!/bin/sh\necho '{version_line}'\n")).unwrap();
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
        (folder, binary)
    }

    #[test]
    fn tells_the_two_products_apart() {
        let (_keep, binary) = fake("OpenTofu v1.12.6");
        let found = Terraform::probe(binary).unwrap();
        assert_eq!(found.product, Product::OpenTofu);
        assert_eq!(found.title(), "OpenTofu 1.12.6");
    }

    #[test]
    fn refuses_a_program_that_is_neither() {
        let (_keep, binary) = fake("GNU bash, version 5.2");
        assert!(Terraform::probe(binary).is_err());
    }

    #[test]
    fn an_override_quotes_what_hcl_would_misread() {
        let text = dev_overrides("flower/flower", Path::new("/a \"b\"/c"));
        assert!(text.contains(r#""flower/flower" = "/a \"b\"/c""#), "{text}");
    }
}
