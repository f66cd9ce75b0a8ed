//! The Python packages that an app needs, and missing modules in logs.

/// Flower's releases and its nightly builds.
const RELEASES: &str = "flwr";
const NIGHTLY: &str = "flwr-nightly";

/// Packages that every release of Flower installs, so that an app need not require them.
const WITH_FLOWER: &[&str] = &[
    RELEASES,
    NIGHTLY,
    "numpy",
    "grpcio",
    "protobuf",
    "cryptography",
    "typer",
    "tomli",
    "tomli-w",
    "pathspec",
    "rich",
    "pyyaml",
    "requests",
];

/// Modules whose name differs from that of their package.
const PACKAGES: &[(&str, &str)] = &[
    ("PIL", "pillow"),
    ("bs4", "beautifulsoup4"),
    ("cv2", "opencv-python-headless"),
    ("dateutil", "python-dateutil"),
    ("dotenv", "python-dotenv"),
    ("hydra", "hydra-core"),
    ("skimage", "scikit-image"),
    ("sklearn", "scikit-learn"),
    ("yaml", "pyyaml"),
];

/// A Python module that could not be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingModule(String);

impl MissingModule {
    /// The missing module in a line of a log, if there is one.
    pub fn in_line(line: &str) -> Option<Self> {
        let (_, after) = line.rsplit_once("No module named ")?;
        let after = after.trim_start_matches('\\');
        let quote = after.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        let name = after.get(1..)?.split([quote, '\\']).next()?;
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
        (!name.is_empty() && name.chars().all(is_name)).then(|| Self(name.to_owned()))
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    /// The top-level package or module.
    pub fn top(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }

    /// The requirement that installs it, as the app declares it if it does.
    pub fn requirement(&self, dependencies: &[String]) -> String {
        let package = PACKAGES.iter().find(|(module, _)| *module == self.top());
        let package = package.map_or(self.top(), |(_, package)| package);
        let wanted = normalized(package);
        let declared = dependencies
            .iter()
            .find(|one| name_of(one).as_deref() == Some(&wanted));
        declared.map_or(wanted, |one| one.trim().to_owned())
    }
}

/// The dependencies of an app that no requirement installs; empty if that is unknown, because a
/// requirement may be a folder or an archive with any name.
pub fn lacking<'a>(dependencies: &'a [String], requirements: &[String]) -> Vec<&'a str> {
    let named: Option<Vec<String>> = requirements.iter().map(|one| name_of(one)).collect();
    let Some(named) = named else {
        return Vec::new();
    };
    let lacks = |one: &&String| {
        // Whether a dependency with a condition is needed depends on the machine.
        !one.contains(';')
            && name_of(one)
                .is_some_and(|name| !named.contains(&name) && !WITH_FLOWER.contains(&name.as_str()))
    };
    let lacking = dependencies.iter().filter(lacks);
    lacking.map(|one| one.trim()).collect()
}

/// Whether a requirement installs Flower itself, such as `flwr[simulation]>=1.26`.
pub fn is_flower(requirement: &str) -> bool {
    name_of(requirement).is_some_and(|name| name == RELEASES || name == NIGHTLY)
}

/// Whether a requirement installs a nightly build of Flower. It has the same Python package as a
/// release: in one environment, each overwrites the files of the other.
pub fn is_nightly(requirement: &str) -> bool {
    name_of(requirement).is_some_and(|name| name == NIGHTLY)
}

/// The name of the package that a requirement installs, normalized for comparisons.
fn name_of(requirement: &str) -> Option<String> {
    let text = requirement.trim();
    let file = text.rsplit('/').next().unwrap_or(text);
    let is_wheel = std::path::Path::new(file)
        .extension()
        .is_some_and(|end| end == "whl");
    // The name before an `@` counts, not that of the file behind it.
    if is_wheel && !text.contains('@') {
        return file.split('-').next().map(normalized);
    }
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')));
    let (name, rest) = text.split_at_checked(end.unwrap_or(text.len()))?;
    let goes_on = rest.trim_start();
    let is_end = goes_on.is_empty()
        || goes_on.starts_with(['[', '(', '<', '>', '=', '!', '~', ';', '@', ',']);
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    (is_name && is_end).then(|| normalized(name))
}

/// The name as Python compares it: in lower case, with one hyphen for each run of separators.
fn normalized(name: &str) -> String {
    let words = name.split(['-', '_', '.']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_missing_module_is_found_in_the_words_of_python_and_of_flower() {
        for (line, module) in [
            (
                "ModuleNotFoundError: No module named 'torch'",
                Some("torch"),
            ),
            (
                "INFO : > Received error in reply from node 7: <class 'ModuleNotFoundError'>:<'No module named 'sklearn.svm''>",
                Some("sklearn.svm"),
            ),
            (r"details: 'No module named \'pandas\''", Some("pandas")),
            ("No module named \"x\"", Some("x")),
            ("No module named ''", None),
            ("No module named torch", None),
            ("ImportError: cannot import name 'a' from 'b'", None),
        ] {
            let found = MissingModule::in_line(line);
            assert_eq!(found.as_ref().map(MissingModule::name), module, "{line}");
        }
    }

    #[test]
    fn what_to_require_is_what_the_app_requires() {
        let dependencies = owned(&["torch==2.7.1", "scikit_learn >= 1.5 "]);
        for (module, requirement) in [
            ("torch.nn", "torch==2.7.1"),
            ("sklearn", "scikit_learn >= 1.5"),
            ("cv2", "opencv-python-headless"),
            ("flwr_datasets", "flwr-datasets"),
        ] {
            let module = MissingModule(module.to_owned());
            assert_eq!(module.requirement(&dependencies), requirement);
        }
    }

    #[test]
    fn dependencies_that_nothing_installs_are_told() {
        let dependencies = owned(&[
            "flwr[simulation]>=1.26",
            "numpy>=2",
            "torch==2.7.1",
            "flwr_datasets[vision]",
            "uvloop; sys_platform != 'win32'",
        ]);
        for (requirements, expected) in [
            (&[][..], &["torch==2.7.1", "flwr_datasets[vision]"][..]),
            (&["Torch"], &["flwr_datasets[vision]"]),
            (&["torch>=2", "flwr-datasets"], &[]),
            (
                &["./wheels/torch-2.7.1-cp311-any.whl"],
                &["flwr_datasets[vision]"],
            ),
            (
                &["torch @ https://example.org/t.zip"],
                &["flwr_datasets[vision]"],
            ),
            // The content does not matter.
            (&["./vendored"], &[]),
            (&["https://example.org/t.zip"], &[]),
        ] {
            assert_eq!(
                lacking(&dependencies, &owned(requirements)),
                expected,
                "{requirements:?}"
            );
        }
    }

    #[test]
    fn flower_is_told_from_packages_that_start_like_it() {
        for release in [
            "flwr",
            "flwr[simulation]>=1.26",
            " FLWR ==1.42.0",
            "flwr; python_version>'3'",
            "flwr @ https://example.org/flwr.whl",
            "./wheels/flwr-1.42.0-py3-none-any.whl",
        ] {
            assert!(is_flower(release) && !is_nightly(release), "{release}");
        }
        for nightly in [
            "flwr-nightly",
            "flwr_nightly[simulation]>=1.40",
            " FLWR.Nightly ==1.42.0.dev20260101",
            "flwr--nightly; python_version>'3'",
            "flwr-nightly@https://example.org/x.whl",
            "wheels/flwr_nightly-1.42.0.dev1-py3-none-any.whl",
        ] {
            assert!(is_flower(nightly) && is_nightly(nightly), "{nightly}");
        }
        for other in [
            "flwr-datasets",
            "flwr_datasets[vision]",
            "flwr-nightly-tools",
            "flwrnightly",
            "numpy",
            "./flwr",
            "",
        ] {
            assert!(!is_flower(other), "{other}");
        }
    }
}
