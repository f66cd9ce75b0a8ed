//! `cargo xtask quickstart`: from a checkout to a finished federated run.
//!
//! It builds the provider, applies `examples/quickstart` with it, shows what
//! stands, and proves that a second plan is empty. Everything it makes is in
//! `target/quickstart`, so nothing of the user's is touched.

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
  --keep           go on from what an earlier quickstart left; without it, that is destroyed first
  --auto-destroy   destroy everything at the end, and check that no process remains
";

/// The folder in which the example keeps processes' data, and which tells
/// its processes from others.
const DATA_FOLDER: &str = ".flower";

/// Where one quickstart lives.
struct Stage {
    terraform: Terraform,
    cli_config: PathBuf,
    work: PathBuf,
}

/// Entry of the command.
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
            "{e}\nWhat was made before that is still there. To destroy it:\n  {}",
            stage.destroy_line()
        )
    })?;
    stage.show_outcome()?;
    stage.prove_settled()?;
    if auto_destroy {
        stage.destroy()?;
        leftovers::none_remain(&stage.work.join(DATA_FOLDER))?;
        println!("\nDestroyed; no process remains.");
    } else {
        println!("\nTo destroy it:\n  {}", stage.destroy_line());
    }
    Ok(ExitCode::SUCCESS)
}

impl Stage {
    /// Makes the folders, with the fresh provider in one of its own.
    fn set(repository: &Repository, terraform: Terraform) -> Result<Self> {
        // Terraform reads relative paths from the folder it works in.
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
        // Terraform colours whatever it writes, into a file as well.
        if !std::io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some() {
            command.arg("-no-color");
        }
        command
    }

    /// Ends what an earlier quickstart left standing, then forgets it. A state
    /// that was only deleted would leave its processes behind.
    fn clear(&self) -> Result<()> {
        if self.work.join("terraform.tfstate").exists() {
            println!("Destroying what an earlier quickstart left (--keep goes on from it)");
            self.destroy()?;
        }
        fs::remove_dir_all(&self.work)?;
        fs::create_dir_all(&self.work)?;
        Ok(())
    }

    fn destroy(&self) -> Result<()> {
        run_command(&mut self.command(&["destroy", "-auto-approve", "-input=false"]))
    }

    fn show_outcome(&self) -> Result<()> {
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

    /// A plan right after the apply has to have nothing to do.
    fn prove_settled(&self) -> Result<()> {
        let mut plan = self.command(&["plan", "-detailed-exitcode", "-input=false"]);
        let planned = output(&mut plan)?;
        match planned.status.code() {
            Some(0) => {
                println!("\nA second plan is empty: what runs is what is written.");
                Ok(())
            }
            Some(2) => Err(format!(
                "a second plan is not empty, which is a bug of the provider:\n{}",
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

/// Copies the example without what someone's own use of it left there.
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
