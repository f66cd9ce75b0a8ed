//! The processes of a folder (Terraform, its plugins and Flower), and ways to end them.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Workspace;

impl Workspace {
    /// Starts a command and ends it after a moment, like a kill of its provider or Ctrl-C.
    pub fn cut(&self, args: &[&str], milliseconds: u64, how: Cut) {
        let mut command = self.command(args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut cut = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        match how {
            Cut::Kill => kill_children(cut.id()),
            Cut::Interrupt => interrupt(&cut),
        }
        cut.wait().unwrap();
    }

    /// Kills all processes of Flower, like a failure of the machine.
    pub fn kill_processes(&self) {
        for pid in self.processes() {
            signal(pid, "-9");
        }
        eventually("the end of the processes", || self.processes().is_empty());
    }

    /// Kills the processes that run `program`.
    #[allow(dead_code)]
    pub fn kill_program(&self, program: &str) {
        for pid in self.processes() {
            if runs(pid, program) {
                signal(pid, "-9");
            }
        }
        eventually("the end of the program", || {
            self.command_lines(program).is_empty()
        });
    }

    /// The command lines of those [`Self::processes`] that run `program`.
    pub fn command_lines(&self, program: &str) -> Vec<String> {
        let all = self.processes().into_iter();
        let those = all.filter(|pid| runs(*pid, program));
        those.map(command_line).collect()
    }

    /// The processes of objects of this folder.
    pub fn processes(&self) -> Vec<u32> {
        let mark = format!(
            "TERRAFORM_PROVIDER_FLOWER_PROCESS={}",
            self.dir.path().display()
        );
        let all = fs::read_dir("/proc").unwrap();
        all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|pid: &u32| {
                let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                String::from_utf8_lossy(&environ)
                    .split('\0')
                    .any(|one| one.starts_with(&mark))
            })
            .collect()
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        for pid in self.processes() {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).output();
        }
    }
}

/// How a command is ended from outside.
#[derive(Clone, Copy)]
pub enum Cut {
    Kill,
    Interrupt,
}

fn command_line(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

fn runs(pid: u32, program: &str) -> bool {
    command_line(pid).contains(&format!("/{program} "))
}

/// The signal of Ctrl-C.
pub fn interrupt(process: &Child) {
    signal(process.id(), "-INT");
}

fn signal(pid: u32, signal: &str) {
    let pid = pid.to_string();
    Command::new("kill").args([signal, &pid]).output().unwrap();
}

/// Kills the plugin processes of a Terraform.
pub fn kill_children(parent: u32) {
    let parent = parent.to_string();
    Command::new("pkill")
        .args(["-9", "-P", &parent])
        .output()
        .unwrap();
}

/// Kills a Terraform, and waits until its plugin processes have noticed this and ended.
#[allow(dead_code)]
pub fn kill(mut terraform: Child) {
    let parent = terraform.id().to_string();
    let children = Command::new("pgrep").args(["-P", &parent]).output();
    let children = String::from_utf8(children.unwrap().stdout).unwrap();
    terraform.kill().unwrap();
    terraform.wait().unwrap();
    // A process that has ended but is not waited for has no command line.
    let lives = |pid: &str| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|it| !it.is_empty());
    eventually("the end of the plugins", || !children.lines().any(lives));
}

/// Waits until `there` returns true, for at most a minute.
#[track_caller]
pub fn eventually(what: &str, there: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_mins(1);
    while !there() {
        assert!(Instant::now() < until, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(100));
    }
}
