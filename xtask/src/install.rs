//! `cargo xtask install`: installs the provider where `terraform init` finds it.
//!
//! The provider is not in a registry yet, and `dev_overrides` has no `init`, which a configuration
//! with a backend or other providers needs. A filesystem mirror supports both.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lexopt::Arg::Long;
use lexopt::Parser;
use serde::Deserialize;

use crate::Result;
use crate::arguments::help_or_refuse;
use crate::process::run as run_command;
use crate::repository::{PROVIDER, PROVIDER_SOURCE, Repository};

const HELP: &str = "\
Builds the provider and installs it where `terraform init` and `tofu init` find it.

Usage: cargo xtask install [options]

Options:
  --mirror FOLDER   the filesystem mirror (default: ~/.terraform.d/plugins, which both programs
                    search without a setting)
  --binary FILE     install this binary instead of building the provider
";

/// The registries of a `source` without a host, for Terraform and for OpenTofu.
const HOSTS: [&str; 2] = ["registry.terraform.io", "registry.opentofu.org"];

/// Runs the command.
pub fn run(mut arguments: Parser) -> Result<ExitCode> {
    let (mut named, mut binary) = (None, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("mirror") => named = Some(PathBuf::from(arguments.value()?)),
            Long("binary") => binary = Some(PathBuf::from(arguments.value()?)),
            other => return help_or_refuse(other, HELP),
        }
    }
    let repository = Repository::find()?;
    let version = version(&fs::read_to_string(repository.path("Cargo.toml"))?)?;
    let binary = if let Some(binary) = binary {
        binary
    } else {
        let build = ["build", "--release", "-p", PROVIDER, "--bin", PROVIDER];
        run_command(repository.cargo().args(build))?;
        repository.target().join("release").join(PROVIDER)
    };
    let searched = default_mirror();
    let mirror = match (&named, &searched) {
        (Some(folder), _) => std::path::absolute(folder)?,
        (None, Some(folder)) => folder.clone(),
        (None, None) => return Err("there is no home folder: set the folder with --mirror".into()),
    };
    install(&binary, &mirror, &version)?;
    print!("{}", settings(&mirror, &version, named.is_none()));
    Ok(ExitCode::SUCCESS)
}

/// The folder that `init` searches by default.
fn default_mirror() -> Option<PathBuf> {
    Some(std::env::home_dir()?.join(".terraform.d/plugins"))
}

fn version(manifest: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Manifest {
        package: Package,
    }
    #[derive(Deserialize)]
    struct Package {
        version: String,
    }
    Ok(toml::from_str::<Manifest>(manifest)?.package.version)
}

/// The platform as Terraform names it.
fn platform() -> String {
    let os = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("{os}_{arch}")
}

/// Copies the binary for each registry, with a rename at the end: a running Terraform may use the
/// current one.
fn install(binary: &Path, mirror: &Path, version: &str) -> Result<()> {
    for host in HOSTS {
        let folder = mirror
            .join(host)
            .join(PROVIDER_SOURCE)
            .join(version)
            .join(platform());
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let partial = tempfile::Builder::new().tempfile_in(&folder)?;
        fs::copy(binary, partial.path()).map_err(|e| format!("{}: {e}", binary.display()))?;
        partial.persist(folder.join(format!("{PROVIDER}_v{version}")))?;
    }
    Ok(())
}

/// The settings for the user.
fn settings(mirror: &Path, version: &str, is_searched: bool) -> String {
    let sources = HOSTS.map(|host| format!("\"{host}/{PROVIDER_SOURCE}\""));
    let sources = sources.join(", ");
    let block = format!(
        "  filesystem_mirror {{\n    path    = {:?}\n    include = [{sources}]\n  }}\n  direct {{\n    \
         exclude = [{sources}]\n  }}\n",
        mirror.to_string_lossy()
    );
    let how = if is_searched {
        format!(
            "`terraform init` and `tofu init` search this folder by default. Only if your CLI\n\
             configuration (~/.terraformrc or ~/.tofurc) has a `provider_installation` block, add this to it:\n\n\
             {block}"
        )
    } else {
        format!(
            "Add this to your CLI configuration (~/.terraformrc or ~/.tofurc, or a file that\n\
             TF_CLI_CONFIG_FILE names):\n\nprovider_installation {{\n{block}}}\n"
        )
    };
    format!(
        "Installed the provider {version} in {}.\n\n{how}\n\
         Use it in a configuration:\n\n\
         terraform {{\n  required_providers {{\n    flower = {{\n      source  = \"{PROVIDER_SOURCE}\"\n      \
         version = \"{version}\"\n    }}\n  }}\n}}\n\n\
         Another build of the same version has another checksum: delete the provider's entry from\n\
         .terraform.lock.hcl, then run `terraform init -upgrade`.\n",
        mirror.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirror_holds_the_binary_for_both_registries_and_replaces_it() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("built");
        let mirror = folder.path().join("mirror");
        for content in ["one", "two"] {
            fs::write(&binary, content).unwrap();
            install(&binary, &mirror, "1.2.3").unwrap();
            for host in HOSTS {
                let place = mirror.join(host).join("flower/flower/1.2.3");
                let place = place.join(platform());
                let names: Vec<_> = fs::read_dir(&place).unwrap().collect();
                assert_eq!(names.len(), 1, "{names:?}");
                let installed = place.join("terraform-provider-flower_v1.2.3");
                assert_eq!(fs::read_to_string(installed).unwrap(), content);
            }
        }
    }

    #[test]
    fn the_version_is_the_packages_own() {
        let manifest = include_str!("../../Cargo.toml");
        assert!(version(manifest).unwrap().split('.').count() == 3);
    }

    #[test]
    fn a_folder_of_ones_own_needs_a_setting_and_the_usual_one_does_not() {
        let own = settings(Path::new("/a \"b\""), "1.2.3", false);
        assert!(own.contains("\nprovider_installation {\n"), "{own}");
        assert!(own.contains(r#"path    = "/a \"b\"""#), "{own}");
        let usual = settings(Path::new("/home/x"), "1.2.3", true);
        assert!(!usual.contains("\nprovider_installation {\n"), "{usual}");
        assert!(usual.contains("exclude = ["), "{usual}");
    }
}
