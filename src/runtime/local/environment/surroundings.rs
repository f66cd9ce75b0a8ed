//! The variables of the caller that the programs get which find and install Python packages. These
//! programs run code of third parties (the `setup.py` of a dependency), so there is an allow-list:
//! the variables for indexes, proxies, certificates, caches, compilers and languages. It contains
//! neither cloud credentials, nor Terraform's variables, nor those that change the behaviour of
//! Python.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// In addition to `LC_*`.
const GENERAL: [&str; 32] = [
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "LANG",
    "LANGUAGE",
    "TZ",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_CONFIG_DIRS",
    "XDG_DATA_HOME",
    "LD_LIBRARY_PATH",
    "CC",
    "CXX",
    "CFLAGS",
    "CXXFLAGS",
    "CPPFLAGS",
    "LDFLAGS",
    "CPATH",
    "LIBRARY_PATH",
    "PKG_CONFIG_PATH",
    "CUDA_HOME",
    "MACOSX_DEPLOYMENT_TARGET",
    "SDKROOT",
];

/// Variables with paths, which may be relative to Terraform's working folder.
const PATHS: [&str; 17] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSL_CLIENT_CERT",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NETRC",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_CACHE_DIR",
    "PIP_CONFIG_FILE",
    "PIP_CONSTRAINT",
    "PIP_BUILD_CONSTRAINT",
    "UV_CACHE_DIR",
    "UV_CONFIG_FILE",
    "UV_CONSTRAINT",
    "UV_BUILD_CONSTRAINT",
    "UV_OVERRIDE",
];

/// Settings of pip, without `PIP_`, for the sources of packages and how pip reads them. Settings
/// for the target (`target`, `prefix`, `root`, `user`, `python`, `dry-run`) are not in the list.
const PIP: [&str; 19] = [
    "index-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "trusted-host",
    "proxy",
    "timeout",
    "default-timeout",
    "retries",
    "no-cache-dir",
    "pre",
    "only-binary",
    "no-binary",
    "prefer-binary",
    "keyring-provider",
    "no-build-isolation",
    "use-feature",
    "use-deprecated",
    "cert",
];

/// More of these settings, with paths.
const PIP_PATHS: [&str; 4] = ["client-cert", "cache-dir", "constraint", "build-constraint"];

const UV: [&str; 20] = [
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_NO_INDEX",
    "UV_NO_CACHE",
    "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_HTTP_TIMEOUT",
    "UV_HTTP_CONNECT_TIMEOUT",
    "UV_HTTP_RETRIES",
    "UV_REQUEST_TIMEOUT",
    "UV_LINK_MODE",
    "UV_OFFLINE",
    "UV_EXCLUDE_NEWER",
    "UV_PRERELEASE",
    "UV_RESOLUTION",
    "UV_NO_BUILD",
    "UV_TORCH_BACKEND",
];

/// The variables of version managers that replace `python3`. Only the search for Python gets them.
const MANAGERS: [&str; 4] = ["PYENV_", "ASDF_", "MISE_", "RTX_"];

pub(super) type Variables = BTreeMap<String, String>;

/// The caller's variables, and the folder for its relative paths.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub variables: Variables,
    pub here: PathBuf,
}

impl Caller {
    pub(super) fn of_this_process() -> Self {
        let text = |text: OsString| text.into_string().ok();
        Self {
            variables: std::env::vars_os()
                .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
                .collect(),
            here: std::env::current_dir().unwrap_or_default(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    /// The variables for pip and uv.
    pub(super) fn for_installers(&self) -> Variables {
        let mut kept: Variables = self
            .variables
            .iter()
            .filter(|(name, _)| is_for_installers(name))
            .map(|(name, value)| (name.clone(), self.resolved(name, value)))
            .collect();
        kept.insert("PATH".to_owned(), self.path());
        // Packages in the user's own site folder are not part of the environment.
        kept.insert("PYTHONNOUSERSITE".to_owned(), "1".to_owned());
        kept
    }

    /// The variables for a Python that is asked for its version.
    pub(super) fn for_python(&self) -> Variables {
        let managers = self.variables.iter().filter(|(name, _)| {
            let known = MANAGERS.iter().any(|prefix| name.starts_with(prefix));
            known
                && !["TOKEN", "SECRET", "PASSWORD", "KEY"]
                    .iter()
                    .any(|word| name.contains(word))
        });
        let mut kept = self.for_installers();
        kept.extend(managers.map(|(name, value)| (name.clone(), value.clone())));
        kept
    }

    /// The search path for programs, independent of the working folder.
    pub(super) fn path(&self) -> String {
        let path = self.get("PATH").unwrap_or("/usr/local/bin:/usr/bin:/bin");
        let absolute: Vec<_> = path.split(':').filter(|one| one.starts_with('/')).collect();
        absolute.join(":")
    }

    /// Makes a path absolute: installers run in a folder of ours, but relative paths start in
    /// Terraform's working folder.
    fn resolved(&self, name: &str, value: &str) -> String {
        let absolute = |one: &str| self.here.join(one).display().to_string();
        if value.is_empty() {
            String::new()
        } else if PATHS.contains(&name) {
            absolute(value)
        } else if name.ends_with("_FIND_LINKS") {
            let is_path = |one: &str| !one.contains(':') && self.here.join(one).exists();
            let each = value.split_whitespace();
            let each: Vec<_> = each
                .map(|one| {
                    if is_path(one) {
                        absolute(one)
                    } else {
                        one.to_owned()
                    }
                })
                .collect();
            each.join(" ")
        } else {
            value.to_owned()
        }
    }
}

fn is_for_installers(name: &str) -> bool {
    let pip = name
        .strip_prefix("PIP_")
        .map(|setting| setting.to_ascii_lowercase().replace('_', "-"));
    GENERAL.contains(&name)
        || PATHS.contains(&name)
        || name.starts_with("LC_")
        || UV.contains(&name)
        // These contain the user names and passwords of indexes.
        || name.starts_with("UV_INDEX")
        || pip.is_some_and(|setting| is_pip_source(&setting))
}

/// Whether a setting of pip selects package sources.
pub(super) fn is_pip_source(setting: &str) -> bool {
    PIP.contains(&setting) || PIP_PATHS.contains(&setting)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(variables: &[(&str, &str)]) -> Caller {
        let variables = variables.iter();
        Caller {
            variables: variables
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            here: PathBuf::from("/here"),
        }
    }

    #[test]
    fn installers_get_what_leads_to_an_index_and_nothing_else() {
        let kept = [
            ("HOME", "/home/a"),
            ("https_proxy", "http://proxy:1"),
            ("NO_PROXY", "a"),
            ("LC_ALL", "C"),
            ("PIP_INDEX_URL", "https://u:p@index/simple"),
            ("PIP_DEFAULT_TIMEOUT", "180"),
            ("UV_INDEX_OURS_PASSWORD", "p"),
            ("UV_CACHE_DIR", "/cache"),
            ("REQUESTS_CA_BUNDLE", "/ca.pem"),
        ];
        let dropped = [
            ("AWS_SECRET_ACCESS_KEY", "s"),
            ("TF_VAR_x", "s"),
            ("TF_TOKEN_app_terraform_io", "s"),
            ("GITHUB_TOKEN", "s"),
            ("PYTHONPATH", "/p"),
            ("PYTHONHOME", "/p"),
            ("PYTHONUSERBASE", "/p"),
            ("PYTHONSTARTUP", "/p"),
            ("VIRTUAL_ENV", "/p"),
            ("PIP_TARGET", "/p"),
            ("PIP_PREFIX", "/p"),
            ("PIP_USER", "1"),
            ("PIP_PYTHON", "/p"),
            ("PIP_REQUIREMENT", "r.txt"),
            ("UV_PYTHON", "3.9"),
            ("UV_SYSTEM_PYTHON", "1"),
            ("UV_PROJECT_ENVIRONMENT", "/p"),
            ("UV_PUBLISH_TOKEN", "s"),
            ("PYENV_VERSION", "3.12.1"),
            ("LD_PRELOAD", "/x.so"),
        ];
        let all: Vec<_> = kept.iter().chain(&dropped).copied().collect();
        let mut found = caller(&all).for_installers();
        assert_eq!(
            found.remove("PATH").as_deref(),
            Some("/usr/local/bin:/usr/bin:/bin")
        );
        assert_eq!(found.remove("PYTHONNOUSERSITE").as_deref(), Some("1"));
        assert_eq!(found, caller(&kept).variables);
        let python = caller(&[("PYENV_VERSION", "3"), ("MISE_GITHUB_TOKEN", "s")]).for_python();
        assert!(python.contains_key("PYENV_VERSION") && !python.contains_key("MISE_GITHUB_TOKEN"));
    }

    #[test]
    fn what_is_relative_starts_where_terraform_runs() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("wheels")).unwrap();
        let mut caller = caller(&[
            ("PATH", "bin:/usr/bin::."),
            ("PIP_CERT", "ca.pem"),
            ("PIP_FIND_LINKS", "wheels https://index/links gone"),
            ("PIP_CONFIG_FILE", ""),
        ]);
        caller.here = dir.path().to_owned();
        let found = caller.for_installers();
        let at = |name: &str| dir.path().join(name).display().to_string();
        assert_eq!(found["PATH"], "/usr/bin");
        assert_eq!(found["PIP_CERT"], at("ca.pem"));
        assert_eq!(
            found["PIP_FIND_LINKS"],
            format!("{} https://index/links gone", at("wheels"))
        );
        assert_eq!(found["PIP_CONFIG_FILE"], "");
    }
}
