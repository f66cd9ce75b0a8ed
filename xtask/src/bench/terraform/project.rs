//! A folder with a configuration for one side.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::Result;
use crate::bench::account::write_wrapper;
use crate::bench::sides::Side;
use crate::tools::{Terraform, dev_overrides};

const SOURCE: &str = "flower/echo";

/// All attributes of `echo_thing` that can be set, with values of a realistic size.
const ATTRIBUTES: &str = r#"
    s1 = "a string of some forty characters or so 1"
    s2 = "a string of some forty characters or so 2"
    s3 = "a string of some forty characters or so 3"
    s4 = "a string of some forty characters or so 4"
    s5 = "a string of some forty characters or so 5"
    s6 = "a string of some forty characters or so 6"
    s7 = "a string of some forty characters or so 7"
    s8 = "a string of some forty characters or so 8"
    i1 = 1
    i2 = 20000
    i3 = -3
    i4 = 4000000000
    f1 = 0.1
    f2 = 2.5
    b1 = true
    b2 = false
    b3 = true
    b4 = false
    l1 = ["one", "two", "three"]
    l2 = ["four"]
    m1 = { a = "1", b = "2", c = "3" }
    m2 = { d = "4" }
    nested = { a = "inside", b = 7 }
"#;

/// The folder of one side; removed on drop.
pub struct Project<'a> {
    terraform: &'a Terraform,
    folder: TempDir,
    environment: Vec<(&'static str, &'static str)>,
    has_plugin: bool,
    account: PathBuf,
}

impl<'a> Project<'a> {
    /// Writes the configuration, and the plugin folders with and without the wrapper script.
    pub fn write(terraform: &'a Terraform, side: &Side, instances: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let root = folder.path();
        let account = root.join("account");
        let mut environment = Vec::new();
        if let Side::Plugin {
            plugin,
            environment: wanted,
            ..
        } = side
        {
            environment.clone_from(wanted);
            for accounted in [false, true] {
                let plugins = root.join(plugin_folder(accounted));
                fs::create_dir(&plugins)?;
                let name = plugins.join("terraform-provider-echo");
                if accounted {
                    write_wrapper(&name, &plugin.binary, &account)?;
                } else {
                    std::os::unix::fs::symlink(&plugin.binary, &name)?;
                }
                fs::write(cli_config(root, accounted), dev_overrides(SOURCE, &plugins))?;
            }
        } else {
            for accounted in [false, true] {
                fs::write(cli_config(root, accounted), "")?;
            }
        }
        fs::write(root.join("main.tf"), configuration(side, instances))?;
        Ok(Self {
            terraform,
            environment,
            has_plugin: matches!(side, Side::Plugin { .. }),
            account,
            folder,
        })
    }

    /// A Terraform command in this folder, with or without the wrapper script.
    pub fn command(&self, accounted: bool) -> Command {
        let root = self.folder.path();
        let mut command = self.terraform.command(root, &cli_config(root, accounted));
        for name in ["TF_LOG", "TF_LOG_PROVIDER", "TF_LOG_CORE", "TF_LOG_SDK"] {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().copied());
        command
    }

    /// Deletes the state. An instance is nothing but its state.
    pub fn forget_state(&self) -> Result<()> {
        for name in ["terraform.tfstate", "terraform.tfstate.backup"] {
            let path = self.folder.path().join(name);
            if path.exists() {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Whether the side has a plugin process to measure.
    pub fn has_plugin(&self) -> bool {
        self.has_plugin
    }

    /// The file of the wrapper script.
    pub fn account(&self) -> &Path {
        &self.account
    }
}

fn plugin_folder(accounted: bool) -> &'static str {
    if accounted { "accounted" } else { "direct" }
}

fn cli_config(root: &Path, accounted: bool) -> PathBuf {
    root.join(plugin_folder(accounted)).with_extension("tfrc")
}

fn configuration(side: &Side, instances: usize) -> String {
    match side {
        Side::Plugin { .. } => format!(
            "terraform {{\n  required_providers {{\n    echo = {{ source = {SOURCE:?} }}\n  }}\n}}\n\n\
             resource \"echo_thing\" \"many\" {{\n  count = {instances}\n    \
             name = \"thing-${{count.index}}\"{ATTRIBUTES}}}\n"
        ),
        Side::BuiltIn => format!(
            "resource \"terraform_data\" \"many\" {{\n  count = {instances}\n  \
             input = \"thing-${{count.index}}\"\n}}\n"
        ),
    }
}
