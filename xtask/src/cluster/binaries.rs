//! The programs of a cluster, built from the Go modules that `tools/` pins.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::process::{find_program, run};
use crate::repository::Repository;

use super::layout::{Folders, remove_folder};

const NO_GO: &str = "\
`go` is not installed, but it is needed to build Kubernetes.
Install Go 1.26 or newer: https://go.dev/dl";

/// A module of `tools/`, and the programs that are built from it.
struct Module {
    name: &'static str,
    /// Further files that its programs depend on, besides go.mod and go.sum.
    sources: &'static [&'static str],
    /// The package and name of each program.
    programs: &'static [(&'static str, &'static str)],
    /// The dependency whose version the programs report, and the variables for it.
    version: Option<(&'static str, &'static str)>,
}

const MODULES: [Module; 4] = [
    Module {
        name: "kubernetes",
        sources: &["pause/main.go"],
        programs: &[
            ("k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"),
            (
                "k8s.io/kubernetes/cmd/kube-controller-manager",
                "kube-controller-manager",
            ),
            ("k8s.io/kubernetes/cmd/kube-scheduler", "kube-scheduler"),
            ("k8s.io/kubernetes/cmd/kubelet", "kubelet"),
            ("k8s.io/kubernetes/cmd/kube-proxy", "kube-proxy"),
            ("go.etcd.io/etcd/server/v3", "etcd"),
            ("./pause", "pause"),
        ],
        version: Some((
            "k8s.io/kubernetes",
            "k8s.io/component-base/version.gitVersion",
        )),
    },
    Module {
        name: "containerd",
        sources: &[],
        programs: &[
            (
                "github.com/containerd/containerd/v2/cmd/containerd",
                "containerd",
            ),
            (
                "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
                "containerd-shim-runc-v2",
            ),
            ("github.com/containerd/containerd/v2/cmd/ctr", "ctr"),
        ],
        version: Some((
            "github.com/containerd/containerd/v2",
            "github.com/containerd/containerd/v2/version.Version",
        )),
    },
    Module {
        name: "coredns",
        sources: &[],
        programs: &[("github.com/coredns/coredns", "coredns")],
        version: None,
    },
    Module {
        name: "kube-router",
        sources: &[],
        programs: &[(
            "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router",
            "kube-router",
        )],
        version: Some((
            "github.com/cloudnativelabs/kube-router/v2",
            "github.com/cloudnativelabs/kube-router/v2/pkg/version.Version",
        )),
    },
];

/// The folders of the programs.
pub struct Binaries {
    folders: Vec<(&'static Module, PathBuf)>,
}

impl Binaries {
    /// The programs of the current pins; builds those that are missing.
    pub fn find_or_build(repository: &Repository, folders: &Folders) -> Result<Self> {
        let mut found = Vec::new();
        for module in &MODULES {
            found.push((module, module.find_or_build(repository, folders)?));
        }
        Ok(Self { folders: found })
    }

    /// The folders.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        self.folders.iter().map(|(_, folder)| folder.as_path())
    }

    /// The path of a program.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folders
            .iter()
            .find(|(module, _)| module.programs.iter().any(|&(_, built)| built == name))
            .map_or_else(|| PathBuf::from(name), |(_, folder)| folder.join(name))
    }
}

impl Module {
    fn find_or_build(&self, repository: &Repository, folders: &Folders) -> Result<PathBuf> {
        let source = repository.path("tools").join(self.name);
        let built = folders.cache(&format!("{}-{:016x}", self.name, self.pin(&source)?));
        if built.exists() {
            return Ok(built);
        }
        let parent = built.parent().ok_or("the cache folder has no parent")?;
        fs::create_dir_all(parent)
            .map_err(|e| format!("{} cannot be created: {e}", parent.display()))?;
        // Two builds at the same time would take twice as long, and one of them would be useless.
        let lock = File::create(built.with_extension("lock"))?;
        lock.lock()?;
        if !built.exists() {
            // Built in another folder and then moved, so that an interrupted build never leaves an
            // incomplete set.
            let partial = built.with_extension("partial");
            remove_folder(&partial)?;
            self.build(&source, &partial)?;
            fs::rename(&partial, &built)
                .map_err(|e| format!("{} cannot be written: {e}", built.display()))?;
        }
        fs::remove_file(built.with_extension("lock")).ok();
        Ok(built)
    }

    fn build(&self, source: &Path, into: &Path) -> Result<()> {
        let go = find_program("go").ok_or(NO_GO)?;
        let count = self.programs.len();
        for (index, (package, name)) in self.programs.iter().enumerate() {
            eprintln!(
                "building {name} from tools/{} ({} of {count}); this happens only once",
                self.name,
                index + 1
            );
            run(Command::new(&go)
                .current_dir(source)
                .env("CGO_ENABLED", "0")
                .env("GOWORK", "off")
                .args(["build", "-trimpath", "-buildvcs=false", "-ldflags"])
                .arg(self.linker_flags(source)?)
                .arg("-o")
                .arg(into.join(name))
                .arg(package))?;
        }
        Ok(())
    }

    /// Without these flags, a program that is built outside its own repository has no version.
    fn linker_flags(&self, source: &Path) -> Result<String> {
        let Some((dependency, variable)) = self.version else {
            return Ok("-s -w".to_owned());
        };
        let pins = fs::read_to_string(source.join("go.mod"))?;
        let version = pinned(&pins, dependency)
            .ok_or_else(|| format!("tools/{}/go.mod does not pin {dependency}", self.name))?;
        let mut values = vec![(variable.to_owned(), version)];
        // Clients also compare the two numbers that Kubernetes stores beside the version.
        if let Some(base) = variable.strip_suffix("gitVersion") {
            let names = ["gitMajor", "gitMinor"].map(|name| format!("{base}{name}"));
            values.extend(
                names
                    .into_iter()
                    .zip(version.trim_start_matches('v').split('.')),
            );
        }
        let defined: Vec<String> = values
            .iter()
            .map(|(name, value)| format!("-X {name}={value}"))
            .collect();
        Ok(format!("-s -w {}", defined.join(" ")))
    }

    fn pin(&self, source: &Path) -> Result<u64> {
        let mut pin = DefaultHasher::new();
        for file in ["go.mod", "go.sum"].iter().chain(self.sources) {
            let path = source.join(file);
            fs::read(&path)
                .map_err(|e| format!("{} cannot be read: {e}", path.display()))?
                .hash(&mut pin);
        }
        Ok(pin.finish())
    }
}

/// The version that a go.mod requires of a dependency.
fn pinned<'a>(go_mod: &'a str, dependency: &str) -> Option<&'a str> {
    go_mod.lines().find_map(|line| {
        let line = line.trim().trim_start_matches("require ");
        line.strip_prefix(dependency)?
            .strip_prefix(' ')?
            .split(' ')
            .find(|word| word.starts_with('v'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_version_in_a_block_and_alone() {
        let text =
            "require k8s.io/kubernetes v1.36.3\n\nrequire (\n\ta/b/v2 v2.4.2 // indirect\n)\n";
        assert_eq!(pinned(text, "k8s.io/kubernetes"), Some("v1.36.3"));
        assert_eq!(pinned(text, "a/b/v2"), Some("v2.4.2"));
        assert_eq!(pinned(text, "a/b"), None);
    }
}
