//! The packages of the operating system that the clusters need.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::process::{find_program, run};
use crate::tools::{apt, can_install};

use super::layout::{Folders, make_folder, remove_folder};

const NOT_HERE: &str = "\
the test clusters run on Debian (or Ubuntu), as root: they create network namespaces and
control groups, and install missing packages";

/// A file of each package, and the package.
const NEEDED: [(&str, &str); 9] = [
    ("/usr/sbin/runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("/usr/bin/buildah", "buildah"),
    ("/usr/bin/mmdebstrap", "mmdebstrap"),
    ("/usr/sbin/nft", "nftables"),
    ("/usr/sbin/iptables", "iptables"),
    ("/usr/sbin/ipset", "ipset"),
    ("/usr/bin/nsenter", "util-linux"),
    ("/sbin/ip", "iproute2"),
];

const REGISTRY: &str = "docker-registry";

/// Installs the missing packages, and returns the program of the registry.
pub fn ensure(folders: &Folders) -> Result<PathBuf> {
    if !can_install() {
        return Err(NOT_HERE.into());
    }
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(file, _)| !Path::new(file).exists())
        .map(|&(_, package)| package)
        .collect();
    if !missing.is_empty() {
        apt(|apt| {
            apt.args(["install", "-y", "--no-install-recommends"])
                .args(&missing)
        })?;
    }
    registry(folders)
}

/// The package of the registry would start a registry that everyone who can reach this machine
/// could use, so only its program is extracted.
fn registry(folders: &Folders) -> Result<PathBuf> {
    if let Some(installed) = find_program(REGISTRY) {
        return Ok(installed);
    }
    let folder = folders.cache(REGISTRY);
    let program = folder.join("usr/bin").join(REGISTRY);
    if !program.exists() {
        let partial = folder.with_extension("partial");
        remove_folder(&partial)?;
        make_folder(&partial)?;
        apt(|apt| apt.current_dir(&partial).args(["download", REGISTRY]))?;
        let package = fs::read_dir(&partial)?
            .next()
            .ok_or("apt-get downloaded nothing")??
            .path();
        run(Command::new("dpkg-deb")
            .arg("--extract")
            .args([&package, &partial]))?;
        fs::remove_file(package)?;
        remove_folder(&folder)?;
        fs::rename(&partial, &folder)?;
    }
    Ok(program)
}
