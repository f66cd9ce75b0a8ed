//! The image registry and its images.
//!
//! Flower's official images are in a public registry, which a test must not depend on.
//! `tests/cluster/images` builds equivalent images from Debian packages and wheels; the storage of
//! the registry is kept, so this happens only once.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::Result;
use crate::process::capture;
use crate::repository::Repository;
use crate::tools::AS_ROOT;
use crate::tools::python;

use super::binaries::Binaries;
use super::layout::{Folders, HOST, REGISTRY, make_folder, remove_folder, write};
use super::program::{Program, wait_for};

/// The pause image, which keeps the namespaces of a pod.
pub const PAUSE: &str = "flwr/pause:1";
/// The Debian release of the images, and its Python.
const SUITE: &str = "bookworm";
const PYTHON: &str = "3.11";
const PACKAGES: &str = "python3,python3-venv,nginx-light";

/// Targets and tags that do not depend on the Flower version.
const BASE: [(&str, &str); 3] = [
    ("python", "flwr/python:1"),
    ("gateway", "nginxinc/nginx-unprivileged:1.29-alpine"),
    ("pause", PAUSE),
];
/// Since 1.21, `superexec` is the program that runs apps.
const FLOWER: [&str; 5] = [
    "superlink",
    "supernode",
    "superexec",
    "serverapp",
    "clientapp",
];

/// The images of one recipe.
pub struct Images {
    recipes: PathBuf,
    folder: PathBuf,
    registry: PathBuf,
}

impl Images {
    /// The images and their storage, whether they exist or not; `registry` serves them.
    pub fn find(repository: &Repository, folders: &Folders, registry: PathBuf) -> Result<Self> {
        let recipes = repository.path("tests/cluster/images");
        let mut pin = DefaultHasher::new();
        (SUITE, PYTHON, PACKAGES, BASE, FLOWER).hash(&mut pin);
        for file in ["base.Containerfile", "flower.Containerfile"] {
            let path = recipes.join(file);
            fs::read(&path)
                .map_err(|e| format!("{} cannot be read: {e}", path.display()))?
                .hash(&mut pin);
        }
        Ok(Self {
            recipes,
            folder: folders.cache(&format!("images-{:016x}", pin.finish())),
            registry,
        })
    }

    /// The storage.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Deletes them.
    pub fn remove(&self) -> Result<()> {
        remove_folder(&self.folder)
    }

    /// Starts the registry on the host's address of the bridge.
    pub fn serve(&self, state: &Path) -> Result<Program> {
        let config = json!({
            "version": "0.1",
            "log": { "level": "warn", "accesslog": { "disabled": true } },
            "storage": { "filesystem": { "rootdirectory": self.folder.join("registry") } },
            "http": { "addr": REGISTRY },
        });
        let file = state.join("registry.json");
        write(&file, config.to_string())?;
        let mut program = [Program::start(
            state,
            "registry",
            &[
                self.registry.as_os_str(),
                "serve".as_ref(),
                file.as_os_str(),
            ],
        )?];
        wait_for(
            "the registry",
            Duration::from_secs(20),
            &mut program,
            || Ok(std::net::TcpStream::connect(REGISTRY).is_ok()),
        )?;
        let [program] = program;
        Ok(program)
    }

    /// Builds the missing images and pushes them to the registry.
    pub fn ensure(&self, binaries: &Binaries, versions: &[String]) -> Result<()> {
        if !self.made("base") {
            self.make("base", |work| self.make_base(work, binaries))?;
        }
        for version in versions {
            let name = format!("flower-{version}");
            if !self.made(&name) {
                self.make(&name, |work| self.make_flower(work, version))?;
            }
        }
        Ok(())
    }

    fn made(&self, name: &str) -> bool {
        self.folder.join("made").join(name).exists()
    }

    /// Builds something in a temporary folder.
    fn make(&self, name: &str, step: impl FnOnce(&Workshop) -> Result<()>) -> Result<()> {
        eprintln!("building the images of {name}; this happens only once");
        let work = Workshop::new(self.folder.join("work"))?;
        step(&work)?;
        remove_folder(&work.folder)?;
        write(&self.folder.join("made").join(name), "")
    }

    fn make_base(&self, work: &Workshop, binaries: &Binaries) -> Result<()> {
        fs::copy(binaries.path("pause"), work.context().join("pause"))?;
        capture(
            Command::new("mmdebstrap")
                .args(["--variant=minbase", "--quiet"])
                .arg(format!("--include={PACKAGES}"))
                .arg(format!("--aptopt={AS_ROOT}"))
                // Nobody reads the documentation in a container.
                .arg("--dpkgopt=path-exclude=/usr/share/doc/*")
                .arg("--dpkgopt=path-exclude=/usr/share/man/*")
                .arg("--dpkgopt=path-exclude=/usr/share/locale/*")
                .arg(SUITE)
                .arg(work.context().join("base.tar")),
        )?;
        for (target, tag) in BASE {
            let recipe = self.recipes.join("base.Containerfile");
            work.build(&recipe, target, tag, &[])?;
        }
        Ok(())
    }

    fn make_flower(&self, work: &Workshop, version: &str) -> Result<()> {
        let wheels = work.folder.join("wheels");
        let machine = std::env::consts::ARCH;
        let mut download = Command::new(python()?.0);
        download
            .args(["-m", "pip", "download", "--quiet", "--only-binary=:all:"])
            .args(["--implementation=cp", "--python-version", PYTHON])
            .arg("--dest")
            .arg(&wheels);
        for tag in [
            "manylinux2014",
            "manylinux_2_17",
            "manylinux_2_28",
            "manylinux_2_34",
        ] {
            download.arg(format!("--platform={tag}_{machine}"));
        }
        capture(download.arg(format!("flwr=={version}")))?;
        for role in FLOWER {
            if !exists(role, version) {
                continue;
            }
            let recipe = self.recipes.join("flower.Containerfile");
            work.build(
                &recipe,
                role,
                &format!("flwr/{role}:{version}"),
                &[
                    format!("--build-arg=BASE={REGISTRY}/flwr/python:1"),
                    format!("--build-arg=FLOWER={version}"),
                    format!("--volume={}:/wheels:ro", wheels.display()),
                ],
            )?;
        }
        Ok(())
    }
}

/// Whether the official images of a release include one with this name.
fn exists(role: &str, version: &str) -> bool {
    let minor = version
        .split('.')
        .nth(1)
        .and_then(|minor| minor.parse().ok());
    let has_superexec = minor.is_none_or(|minor: u16| minor >= 21);
    match role {
        "superexec" => has_superexec,
        "serverapp" | "clientapp" => !has_superexec,
        _ => true,
    }
}

/// A temporary folder for all files of buildah.
struct Workshop {
    folder: PathBuf,
}

impl Workshop {
    fn new(folder: PathBuf) -> Result<Self> {
        remove_folder(&folder)?;
        let work = Self { folder };
        make_folder(&work.context())?;
        write(
            &work.folder.join("storage.conf"),
            format!(
                "[storage]\ndriver = \"overlay\"\ngraphroot = \"{folder}/storage\"\nrunroot = \"{folder}/run\"\n",
                folder = work.folder.display(),
            ),
        )?;
        write(
            &work.folder.join("policy.json"),
            r#"{"default": [{"type": "insecureAcceptAnything"}]}"#,
        )?;
        write(
            &work.folder.join("registries.conf"),
            format!("[[registry]]\nlocation = \"{REGISTRY}\"\ninsecure = true\n"),
        )?;
        Ok(work)
    }

    fn context(&self) -> PathBuf {
        self.folder.join("context")
    }

    /// Builds one target of a recipe and pushes it.
    fn build(&self, recipe: &Path, target: &str, tag: &str, options: &[String]) -> Result<()> {
        let tag = format!("{REGISTRY}/{tag}");
        capture(
            self.buildah("build")
                // Some kernels do not allow entering the root of the image.
                .args(["--isolation=chroot", "--layers", "--quiet"])
                .args(["--target", target, "--tag", &tag])
                .args(options)
                .arg("--file")
                .arg(recipe)
                .arg(self.context()),
        )?;
        // Compression between two folders on the same disk costs more than it saves.
        capture(self.buildah("push").args(["--disable-compression", &tag])).map(drop)
    }

    fn buildah(&self, command: &str) -> Command {
        let mut buildah = Command::new("buildah");
        buildah
            .env("CONTAINERS_STORAGE_CONF", self.folder.join("storage.conf"))
            .env(
                "CONTAINERS_REGISTRIES_CONF",
                self.folder.join("registries.conf"),
            )
            .env("TMPDIR", &self.folder)
            .env("NO_PROXY", HOST)
            .arg(command)
            .arg("--signature-policy")
            .arg(self.folder.join("policy.json"));
        buildah
    }
}
