//! Creates an environment with uv or pip. Both run code of third parties, so they get only the
//! variables of the caller that they need, and run in a folder of ours: Python searches for modules
//! in its working folder.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::super::super::{InstallFault, PythonEnvironment, RuntimeError};
use super::faults;
use super::marker::PROGRAMS;
use super::pip_config::pip_settings;
use super::python::Interpreter;
use super::requirement::Requirement;
use super::surroundings::{Caller, Variables};

/// Loads the same modules as Flower's programs. The compiled files are then ready for them.
const LOADS: &str = "import sys\n\
    from importlib.metadata import entry_points\n\
    found = entry_points()\n\
    named = found.select(group='console_scripts') if hasattr(found, 'select') else found['console_scripts']\n\
    [one.load() for one in named if one.name in ('flower-superlink', 'flower-supernode')]";

/// The requirement of Flower, in pip's format.
pub(super) fn flower(wanted: &PythonEnvironment) -> String {
    // The extra installs Ray, which the simulation runtime starts.
    let extra = if wanted.simulation {
        "[simulation]"
    } else {
        ""
    };
    format!("flwr{extra}=={}", wanted.flower_version)
}

/// The creation of one environment.
pub(super) struct Installer<'a> {
    pub dir: &'a Path,
    /// An empty folder.
    pub work: &'a Path,
    pub python: &'a Interpreter,
    pub wanted: &'a PythonEnvironment,
    pub caller: &'a Caller,
    /// The variables of the processes that will run in it.
    pub process: &'a Variables,
}

impl Installer<'_> {
    /// Creates the environment; an error unless Flower can be loaded in it.
    pub(super) async fn install(&self) -> Result<(), RuntimeError> {
        let version = &self.wanted.flower_version;
        tracing::info!(version, dir = %self.dir.display(), "creating a Python environment");
        let blamed = |words: String| {
            let fault = faults::fault(&self.wanted.requirements, &words);
            faults::failed(version, fault, &words)
        };
        self.packages().await.map_err(blamed)?;
        let programs = self.dir.join("bin");
        let missing = PROGRAMS
            .into_iter()
            .find(|one| !programs.join(one).exists());
        if let Some(program) = missing {
            let folder = programs.display().to_string();
            return Err(faults::failed(
                version,
                InstallFault::Incomplete(program),
                &folder,
            ));
        }
        let python = programs.join("python");
        let mut loads = LOADS.to_owned();
        if self.wanted.simulation {
            // On a Python for which Ray has no wheels, the extra installs nothing.
            loads.push_str("\nimport ray");
        }
        let loaded = self.run(&python, self.process, ["-c", loads.as_str()]);
        loaded
            .await
            .map(drop)
            .map_err(|words| faults::failed(version, InstallFault::Unusable, &words))
    }

    async fn packages(&self) -> Result<(), String> {
        let flower = flower(self.wanted);
        let each = self.wanted.requirements.iter();
        let each = each.map(|one| Requirement::read(one, &self.caller.here).argument());
        let packages: Vec<_> = [flower].into_iter().chain(each).collect();
        let variables = self.caller.for_installers();
        let inner = self.dir.join("bin/python");
        let (dir, inner_text) = (self.dir.display().to_string(), inner.display().to_string());
        let python = self.python.program.display().to_string();
        let uv = Path::new("uv");
        if self.run(uv, &variables, ["--version"]).await.is_ok() {
            // uv uses the nearest settings of a project, and this is not a project.
            std::fs::write(self.work.join("uv.toml"), "").map_err(|error| error.to_string())?;
            let venv = [
                "venv",
                "--quiet",
                "--no-project",
                "--python",
                python.as_str(),
                dir.as_str(),
            ];
            self.run(uv, &variables, venv).await?;
            let install = ["pip", "install", "--quiet", "--python", inner_text.as_str()];
            let install = install
                .into_iter()
                .chain(packages.iter().map(String::as_str));
            return self.run(uv, &variables, install).await.map(drop);
        }
        self.run(
            &self.python.program,
            &variables,
            ["-I", "-m", "venv", dir.as_str()],
        )
        .await?;
        let variables = self.without_pips_files(&inner, variables).await?;
        let install = ["-I", "-m", "pip", "install", "--quiet", "--no-input"];
        let install = install.into_iter().chain(["--disable-pip-version-check"]);
        let install = install.chain(packages.iter().map(String::as_str));
        self.run(&inner, &variables, install).await.map(drop)
    }

    /// Adds the settings from pip's own files that select package sources, and disables the files
    /// themselves: they could also change the target of the installation, which an empty option
    /// does not reset.
    async fn without_pips_files(
        &self,
        inner: &Path,
        mut variables: Variables,
    ) -> Result<Variables, String> {
        let list = [
            "-I",
            "-m",
            "pip",
            "--disable-pip-version-check",
            "config",
            "list",
        ];
        let list = self.run(inner, &variables, list).await?;
        let home = self.caller.get("HOME").map(PathBuf::from);
        for (name, value) in pip_settings(&list, home.as_deref()) {
            variables.entry(name).or_insert(value);
        }
        variables.insert("PIP_CONFIG_FILE".to_owned(), "/dev/null".to_owned());
        Ok(variables)
    }

    /// Runs a program to its end. Returns its output, or all of its messages if it failed.
    async fn run(
        &self,
        program: &Path,
        variables: &Variables,
        args: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Result<String, String> {
        let output = Command::new(program)
            .args(args)
            .env_clear()
            .envs(variables)
            .current_dir(self.work)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        Err(text(&[output.stdout, output.stderr].concat()))
    }
}
