//! Ends all processes of the clusters and removes all their files.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Result;

use super::cgroups::{self, Members};
use super::layout::{Folders, Tenant, remove_folder};
use super::{MOST_TENANTS, network, node, sysctl};

/// No process has work to finish, so the grace period is short.
const GRACE: Duration = Duration::from_secs(2);
const DEATH: Duration = Duration::from_secs(20);

/// Removes the clusters, even incomplete ones.
pub fn clear(folders: &Folders) -> Result<()> {
    let state = folders.state();
    end_processes()?;
    network::remove(&Tenant::first(MOST_TENANTS, &state))?;
    cgroups::remove()?;
    sysctl::restore(&state)?;
    for folder in node::COVERED {
        // Removed only if it is empty, so only if it was created as a mount point.
        fs::remove_dir(folder).ok();
    }
    check_mounts(&state)?;
    remove_folder(&state)
}

fn end_processes() -> Result<()> {
    let started = Instant::now();
    // Otherwise, the kubelet would restart containers that end first, so our own programs end
    // first.
    send(&Members::now()?.programs, Signal::SIGTERM);
    while started.elapsed() < GRACE && !Members::now()?.is_empty() {
        std::thread::sleep(Duration::from_millis(50));
    }
    // A process that is about to fork needs a second pass.
    while started.elapsed() < DEATH {
        let members = Members::now()?;
        if members.is_empty() {
            return Ok(());
        }
        send(&members.programs, Signal::SIGKILL);
        send(&members.pods, Signal::SIGKILL);
        std::thread::sleep(Duration::from_millis(50));
    }
    let left = Members::now()?;
    Err(format!(
        "these processes did not end: {:?} {:?}",
        left.programs, left.pods
    )
    .into())
}

fn send(pids: &[i32], signal: Signal) {
    for &pid in pids {
        // It may have ended already.
        kill(Pid::from_raw(pid), signal).ok();
    }
}

/// Removing the folder would also remove the content of a mount.
fn check_mounts(state: &Path) -> Result<()> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let left: Vec<&str> = mounts
        .lines()
        .filter_map(|line| line.split(' ').nth(1))
        .filter(|mount| Path::new(mount).starts_with(state))
        .collect();
    if left.is_empty() {
        Ok(())
    } else {
        Err(format!("still mounted: {}", left.join(", ")).into())
    }
}
