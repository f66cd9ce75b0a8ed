//! The inputs of an environment besides the names of packages: the files in requirements, and the
//! package indexes. A rebuilt wheel or another index gives another environment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::super::super::{PythonEnvironment, RuntimeError};
use super::faults;
use super::python::Interpreter;
use super::requirement::{LocalFile, Requirement};
use super::surroundings::Caller;

/// The variables, besides configuration files, that decide which packages pip and uv find.
const SOURCES: [&str; 21] = [
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_NO_INDEX",
    "PIP_CONSTRAINT",
    "PIP_PRE",
    "PIP_ONLY_BINARY",
    "PIP_NO_BINARY",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_INDEX_STRATEGY",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_NO_INDEX",
    "UV_CONSTRAINT",
    "UV_OVERRIDE",
    "UV_PRERELEASE",
    "UV_RESOLUTION",
    "UV_EXCLUDE_NEWER",
    "UV_TORCH_BACKEND",
];

/// Only digests, never the values: the URL of an index may contain a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Inputs {
    /// The digest of the Python, the release and the requirements as written.
    pub basis: String,
    /// The digests of the files in requirements, by requirement.
    pub files: BTreeMap<String, String>,
    /// The digests of the settings of pip and uv, by variable or file.
    pub sources: BTreeMap<String, String>,
}

impl Inputs {
    pub(super) fn of(
        python: &Interpreter,
        wanted: &PythonEnvironment,
        caller: &Caller,
    ) -> Result<Self, RuntimeError> {
        let files = local_files(&wanted.requirements, caller).map(|file| {
            let digest = digest_of(&file)?;
            Ok::<_, RuntimeError>((file.text, digest))
        });
        let mut requirements = wanted.requirements.clone();
        requirements.sort();
        if wanted.simulation {
            // Other environments keep the digest that they had before there were simulations.
            requirements.push(super::installer::flower(wanted));
        }
        let (major, minor) = python.version;
        let head = [
            format!("{major}.{minor}"),
            python.program.display().to_string(),
            wanted.flower_version.clone(),
        ];
        Ok(Self {
            basis: digest(head.iter().chain(&requirements)),
            files: files.collect::<Result<_, RuntimeError>>()?,
            sources: sources(caller),
        })
    }

    /// The name of the environment's folder.
    pub(super) fn key(&self, version: &str) -> String {
        let all = [&self.files, &self.sources];
        let all = all
            .into_iter()
            .flatten()
            .flat_map(|(name, digest)| [name, digest]);
        let digest = digest([&self.basis].into_iter().chain(all));
        format!("flwr-{version}-{}", digest.get(..16).unwrap_or(&digest))
    }

    /// The inputs that have changed, as text. A deleted file or a setting that is currently not set
    /// changes nothing: the installed packages still exist.
    pub(super) fn changes(&self, caller: &Caller) -> Vec<String> {
        let mut words = Vec::new();
        for (text, digest) in &self.files {
            if let Requirement::Local(file) = Requirement::read(text, &caller.here)
                && file.digest().is_ok_and(|now| now != *digest)
            {
                words.push(format!(
                    "{text:?} in `requirements` changed since it was installed"
                ));
            }
        }
        let now = sources(caller).into_iter();
        let changed = now.filter(|(name, digest)| self.sources.get(name) != Some(digest));
        let changed: Vec<_> = changed.map(|(name, _)| name).collect();
        if !changed.is_empty() {
            words.push(format!(
                "the package sources changed since the packages were installed ({})",
                changed.join(", ")
            ));
        }
        words
    }
}

/// An error for a requirement that is already known not to be installable from here.
pub(super) fn check(requirements: &[String], caller: &Caller) -> Result<(), RuntimeError> {
    let mut files = local_files(requirements, caller);
    files.try_for_each(|file| is_no_folder(&file))
}

/// The content of a folder changes with every build in it, so its digest would, too.
fn is_no_folder(file: &LocalFile) -> Result<(), RuntimeError> {
    if file.path.is_dir() {
        return Err(RuntimeError::FolderRequirement {
            text: file.text.clone(),
        });
    }
    Ok(())
}

fn local_files<'a>(
    requirements: &'a [String],
    caller: &'a Caller,
) -> impl Iterator<Item = LocalFile> + 'a {
    let each = requirements.iter();
    each.filter_map(|text| match Requirement::read(text, &caller.here) {
        Requirement::Local(file) => Some(file),
        Requirement::Remote(_) => None,
    })
}

fn digest_of(file: &LocalFile) -> Result<String, RuntimeError> {
    is_no_folder(file)?;
    file.digest()
        .map_err(|cause| RuntimeError::RequirementFile {
            text: file.text.clone(),
            path: file.path.clone(),
            cause,
        })
}

fn sources(caller: &Caller) -> BTreeMap<String, String> {
    let set = caller.for_installers();
    let variables = SOURCES.iter().filter_map(|name| {
        let value = set.get(*name).filter(|value| !value.is_empty())?;
        Some((
            (*name).to_owned(),
            digest([&faults::without_passwords(value)]),
        ))
    });
    let files = files(caller).into_iter().filter_map(|path| {
        let text = std::fs::read(&path).ok()?;
        let text = faults::without_passwords(&String::from_utf8_lossy(&text));
        Some((path.display().to_string(), digest([&text])))
    });
    variables.chain(files).collect()
}

/// The configuration files of pip and uv.
fn files(caller: &Caller) -> Vec<PathBuf> {
    let home = caller.get("HOME").map(PathBuf::from);
    let set = caller.get("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = set.or_else(|| home.as_ref().map(|home| home.join(".config")));
    let at = |name: &str| caller.get(name).map(|path| caller.here.join(path));
    let below = |folder: &Option<PathBuf>, rest: &str| folder.as_ref().map(|one| one.join(rest));
    let fixed = |path: &str| Some(Path::new(path).to_owned());
    [
        fixed("/etc/xdg/pip/pip.conf"),
        fixed("/etc/pip.conf"),
        fixed("/Library/Application Support/pip/pip.conf"),
        below(&home, ".pip/pip.conf"),
        below(&home, "Library/Application Support/pip/pip.conf"),
        below(&config, "pip/pip.conf"),
        at("PIP_CONFIG_FILE"),
        fixed("/etc/uv/uv.toml"),
        below(&config, "uv/uv.toml"),
        at("UV_CONFIG_FILE"),
    ]
    .into_iter()
    .flatten()
    .filter(|path| path.is_file())
    .collect()
}

fn digest<'a>(parts: impl IntoIterator<Item = &'a String>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::super::tests::wanted;
    use super::*;

    fn caller(here: &Path, variables: &[(&str, &str)]) -> Caller {
        let variables = variables.iter();
        Caller {
            variables: variables
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            here: here.to_owned(),
        }
    }

    fn inputs(caller: &Caller, requirement: &str) -> Result<Inputs, RuntimeError> {
        let mut wanted = wanted("1.42.0", (3, 11), None);
        wanted.requirements.push(requirement.to_owned());
        let python = Interpreter {
            version: (3, 12),
            program: "/usr/bin/python3".into(),
        };
        Inputs::of(&python, &wanted, caller)
    }

    #[test]
    fn the_content_of_a_wheel_makes_the_environment_and_not_its_name() {
        let dirs = ["a", "b", "c"].map(|_| tempfile::tempdir().unwrap());
        for (dir, content) in dirs.iter().zip(["one", "one", "two"]) {
            std::fs::create_dir(dir.path().join("wheels")).unwrap();
            std::fs::write(dir.path().join("wheels/m.whl"), content).unwrap();
        }
        let [one, same, other] = dirs.each_ref().map(|dir| caller(dir.path(), &[]));
        let of = |caller: &Caller| inputs(caller, "./wheels/m.whl").unwrap();
        assert_eq!(of(&one).key("1.42.0"), of(&same).key("1.42.0"));
        assert_ne!(of(&one).key("1.42.0"), of(&other).key("1.42.0"));

        let before = of(&one);
        assert!(before.changes(&one).is_empty());
        std::fs::write(dirs[0].path().join("wheels/m.whl"), "rebuilt").unwrap();
        assert_ne!(of(&one).key("1.42.0"), before.key("1.42.0"));
        let words = before.changes(&one).join("; ");
        assert!(
            words.contains("\"./wheels/m.whl\" in `requirements` changed"),
            "{words}"
        );
        std::fs::remove_file(dirs[0].path().join("wheels/m.whl")).unwrap();
        assert!(before.changes(&one).is_empty(), "it is installed");
        let gone = inputs(&one, "./wheels/m.whl").unwrap_err();
        assert!(gone.to_string().contains("./wheels/m.whl"), "{gone}");
        let folder = inputs(&one, "./wheels").unwrap_err();
        assert!(folder.to_string().contains("is a folder"), "{folder}");
    }

    #[test]
    fn a_simulation_needs_an_environment_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let python = Interpreter {
            version: (3, 12),
            program: "/usr/bin/python3".into(),
        };
        let of = |simulation| {
            let wanted = PythonEnvironment {
                simulation,
                ..wanted("1.42.0", (3, 11), None)
            };
            let inputs = Inputs::of(&python, &wanted, &caller(dir.path(), &[])).unwrap();
            (super::super::installer::flower(&wanted), inputs.basis)
        };
        let (plain, simulated) = (of(false), of(true));
        assert_eq!(plain.0, "flwr==1.42.0");
        assert_eq!(simulated.0, "flwr[simulation]==1.42.0");
        assert_ne!(plain.1, simulated.1);
    }

    #[test]
    fn another_index_makes_another_environment_and_another_password_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().display().to_string();
        let of = |url: &str| {
            let caller = caller(dir.path(), &[("HOME", &home), ("PIP_INDEX_URL", url)]);
            (inputs(&caller, "numpy").unwrap(), caller)
        };
        let (one, first) = of("https://user:canary@one/simple");
        let (renewed, second) = of("https://user:renewed@one/simple");
        let (other, third) = of("https://two/simple");
        assert_eq!(one, renewed);
        assert!(one.changes(&first).is_empty() && one.changes(&second).is_empty());
        assert_ne!(one.key("1.42.0"), other.key("1.42.0"));
        let words = one.changes(&third).join("; ");
        assert!(words.contains("(PIP_INDEX_URL)"), "{words}");
        let unset = caller(dir.path(), &[("HOME", &home)]);
        assert!(
            one.changes(&unset).is_empty(),
            "another shell changes nothing"
        );
        let text = serde_json::to_string(&one).unwrap();
        assert!(
            !text.contains("canary") && !text.contains("simple"),
            "{text}"
        );

        let config = dir.path().join(".config/pip");
        std::fs::create_dir_all(&config).unwrap();
        std::fs::write(
            config.join("pip.conf"),
            "[global]\nindex-url = https://three\n",
        )
        .unwrap();
        let words = one.changes(&first).join("; ");
        assert!(words.contains("pip.conf"), "{words}");
    }
}
