//! `cargo xtask quickstart`: from a checkout to a finished federated run.
//!
//! It builds the provider, applies `examples/quickstart` with it, shows the result, and checks that
//! a second plan is empty. All its files are in `target/quickstart`, so nothing of the user's is
//! changed.

mod leftovers;
mod outcome;

use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use lexopt::Arg::Long;
use lexopt::Parser;

use crate::Result;
use crate::arguments::help_or_refuse;
use crate::process::{failed, line_of, output, quoted, run as run_command};
use crate::repository::{PROVIDER, PROVIDER_SOURCE, Repository};
use crate::tools::{Terraform, dev_overrides, python_or_install};

const HELP: &str = "\
Builds the provider and applies examples/quickstart with it, in target/quickstart.

Usage: cargo xtask quickstart [options]

Options:
  --keep           continue with the resources of an earlier quickstart (default: destroy them first)
  --auto-destroy   destroy everything at the end, and check that no process remains
";

/// The folder in which the example stores the data of its processes; it also identifies these
/// processes.
const DATA_FOLDER: &str = ".flower";

/// The folders and the program of a quickstart.
struct Stage {
    terraform: Terraform,
    cli_config: PathBuf,
    work: PathBuf,
}

/// Runs the command.
pub fn run(mut arguments: Parser) -> Result<ExitCode> {
    let (mut keep, mut auto_destroy) = (false, false);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("keep") => keep = true,
            Long("auto-destroy") => auto_destroy = true,
            other => return help_or_refuse(other, HELP),
        }
    }

    let repository = Repository::find()?;
    let (python, version) = python_or_install()?;
    println!("Python {version} ({})", python.display());
    let terraform = Terraform::find_or_build(&repository)?;
    println!("{} ({})", terraform.title(), terraform.binary.display());
    run_command(repository.cargo().args([
        "build",
        "--release",
        "-p",
        PROVIDER,
        "--bin",
        PROVIDER,
    ]))?;

    let stage = Stage::set(&repository, terraform)?;
    if !keep {
        stage.clear()?;
    }
    copy_example(&repository.path("examples/quickstart"), &stage.work)?;
    run_command(&mut stage.command(&["apply", "-auto-approve", "-input=false"])).map_err(|e| {
        format!(
            "{e}\nThe resources that were created before still exist. To destroy them:\n  {}",
            stage.destroy_line()
        )
    })?;
    stage.print_outcome()?;
    stage.check_second_plan()?;
    if auto_destroy {
        stage.destroy()?;
        leftovers::none_remain(&stage.work.join(DATA_FOLDER))?;
        println!("\nDestroyed. No process remains.");
    } else {
        println!("\nTo destroy the resources:\n  {}", stage.destroy_line());
    }
    Ok(ExitCode::SUCCESS)
}

impl Stage {
    /// Creates the folders, with the new provider in its own folder.
    fn set(repository: &Repository, terraform: Terraform) -> Result<Self> {
        // Terraform resolves relative paths from its working folder.
        let target = std::path::absolute(repository.target())?;
        let folder = target.join("quickstart");
        let work = folder.join("work");
        fs::create_dir_all(&work).map_err(|e| format!("{}: {e}", work.display()))?;
        let cli_config = folder.join("dev.tfrc");
        fs::write(
            &cli_config,
            dev_overrides(PROVIDER_SOURCE, &target.join("release")),
        )
        .map_err(|e| format!("{}: {e}", cli_config.display()))?;
        Ok(Self {
            terraform,
            cli_config,
            work,
        })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.terraform.command(&self.work, &self.cli_config);
        command.args(arguments);
        // Terraform also colours its output in files.
        if !std::io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some() {
            command.arg("-no-color");
        }
        command
    }

    /// Destroys the resources of an earlier quickstart, then deletes its state. Deleting only the
    /// state would leave its processes running.
    fn clear(&self) -> Result<()> {
        if self.work.join("terraform.tfstate").exists() {
            println!(
                "Destroying the resources of an earlier quickstart (use --keep to continue with them)"
            );
            self.destroy()?;
        }
        fs::remove_dir_all(&self.work)?;
        fs::create_dir_all(&self.work)?;
        Ok(())
    }

    fn destroy(&self) -> Result<()> {
        run_command(&mut self.command(&["destroy", "-auto-approve", "-input=false"]))
    }

    fn print_outcome(&self) -> Result<()> {
        let mut show = self.command(&["show", "-json"]);
        let shown = output(&mut show)?;
        if !shown.status.success() {
            return Err(failed(&show, &shown).into());
        }
        print!(
            "\n{}",
            outcome::describe(&serde_json::from_slice(&shown.stdout)?)
        );
        Ok(())
    }

    /// Checks that a plan right after the apply is empty.
    fn check_second_plan(&self) -> Result<()> {
        let mut plan = self.command(&["plan", "-detailed-exitcode", "-input=false"]);
        let planned = output(&mut plan)?;
        match planned.status.code() {
            Some(0) => {
                println!("\nA second plan is empty: the processes match the configuration.");
                Ok(())
            }
            Some(2) => Err(format!(
                "the second plan is not empty; this is a bug in the provider:\n{}",
                String::from_utf8_lossy(&planned.stdout)
            )
            .into()),
            _ => Err(failed(&plan, &planned).into()),
        }
    }

    /// The destroy command as one line for a shell, from any folder.
    fn destroy_line(&self) -> String {
        format!(
            "cd {} && TF_CLI_CONFIG_FILE={} {}",
            quoted(&self.work.to_string_lossy()),
            quoted(&self.cli_config.to_string_lossy()),
            line_of(Command::new(&self.terraform.binary).arg("destroy"))
        )
    }
}

/// Copies the example, without the files of an earlier use of it.
fn copy_example(from: &Path, to: &Path) -> Result<()> {
    let entries =
        fs::read_dir(from).map_err(|e| format!("{} cannot be read: {e}", from.display()))?;
    fs::create_dir_all(to)?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let text = name.to_string_lossy();
        if text.starts_with('.') || text.contains(".tfstate") || text == "__pycache__" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy_example(&entry.path(), &to.join(&name))?;
        } else {
            fs::copy(entry.path(), to.join(&name))
                .map_err(|e| format!("{} cannot be copied: {e}", entry.path().display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_leaves_state_and_data_behind() {
        let folder = tempfile::tempdir().unwrap();
        let example = folder.path().join("example");
        fs::create_dir_all(example.join(".flower")).unwrap();
        fs::create_dir_all(example.join("app")).unwrap();
        for file in ["main.tf", "terraform.tfstate.backup", "app/client.py"] {
            fs::write(example.join(file), file).unwrap();
        }
        let work = folder.path().join("work");
        copy_example(&example, &work).unwrap();
        assert!(work.join("main.tf").exists() && work.join("app/client.py").exists());
        assert!(!work.join(".flower").exists());
        assert!(!work.join("terraform.tfstate.backup").exists());
    }
}
