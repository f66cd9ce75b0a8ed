//! The control groups of all processes of the clusters.
//!
//! The kernel also uses them as the list of started processes: a process cannot leave its group by
//! a fork or by living longer than its parent. So `down` does not need recorded pids, which may
//! belong to other processes by now.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;

/// Our group in each hierarchy.
const ROOT: &str = "flower-cluster";
/// For the programs that xtask starts; the kubelets' pods are in groups beside it.
const PROGRAMS: &str = "programs";

/// A mounted hierarchy of groups.
struct Hierarchy {
    mount: PathBuf,
    unified: bool,
}

impl Hierarchy {
    fn all() -> Result<Vec<Self>> {
        let mounts = fs::read_to_string("/proc/mounts")?;
        Ok(mounts.lines().filter_map(Self::of_line).collect())
    }

    /// Reads `cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0`.
    fn of_line(line: &str) -> Option<Self> {
        let mut fields = line.split(' ').skip(1);
        let (mount, kind) = (fields.next()?, fields.next()?);
        ["cgroup", "cgroup2"].contains(&kind).then(|| Self {
            mount: mount.into(),
            unified: kind == "cgroup2",
        })
    }

    fn root(&self) -> PathBuf {
        self.mount.join(ROOT)
    }
}

/// Creates the group for the pods of a kubelet, and returns its name in the form that the kubelet
/// expects.
pub fn for_pods(letter: &str) -> Result<String> {
    for hierarchy in Hierarchy::all()? {
        make(&hierarchy.root())?;
        make(&hierarchy.root().join(letter))?;
    }
    Ok(format!("/{ROOT}/{letter}"))
}

/// Creates the group for the programs that xtask starts, and returns its folder.
pub fn for_programs() -> Result<PathBuf> {
    let folder = programs(&Hierarchy::all()?)?;
    fs::create_dir_all(&folder)
        .map_err(|e| format!("{} cannot be created: {e}", folder.display()))?;
    Ok(folder)
}

/// The processes of the clusters: xtask's own, and those of the kubelets' pods.
pub struct Members {
    pub programs: Vec<i32>,
    pub pods: Vec<i32>,
}

impl Members {
    /// The current processes.
    pub fn now() -> Result<Self> {
        let programs = programs(&Hierarchy::all()?)?;
        let mut found = Self {
            programs: below(&programs),
            pods: Vec::new(),
        };
        if let Some(root) = programs.parent() {
            found.pods = below(root);
            found.pods.retain(|pid| !found.programs.contains(pid));
        }
        Ok(found)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.programs.is_empty() && self.pods.is_empty()
    }
}

/// Removes all our groups, which must be empty.
pub fn remove() -> Result<()> {
    for hierarchy in Hierarchy::all()? {
        prune(&hierarchy.root())?;
    }
    Ok(())
}

/// One hierarchy is enough to list the processes. With version 1 it is `pids`, so that the memory
/// accounting stays unchanged.
fn programs(hierarchies: &[Hierarchy]) -> Result<PathBuf> {
    hierarchies
        .iter()
        .find(|one| one.mount.ends_with("pids"))
        .or_else(|| hierarchies.iter().find(|one| one.unified))
        .map(|one| one.root().join(PROGRAMS))
        .ok_or_else(|| "no control groups are mounted, but kubelets need them".into())
}

fn make(folder: &Path) -> Result<()> {
    let fail = |e| {
        format!(
            "the control group {} cannot be created: {e}",
            folder.display()
        )
    };
    fs::create_dir_all(folder).map_err(fail)?;
    let Some(parent) = folder.parent() else {
        return Ok(());
    };
    // A cpuset without processors accepts no processes.
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if let Ok(text) = fs::read(parent.join(file)) {
            // In version 2, an empty file inherits; the root group has no such file.
            fs::write(folder.join(file), text).map_err(fail)?;
        }
    }
    // Version 2 enables a controller in a child group only on request.
    for controller in fs::read_to_string(parent.join("cgroup.controllers"))
        .unwrap_or_default()
        .split_whitespace()
    {
        fs::write(
            parent.join("cgroup.subtree_control"),
            format!("+{controller}"),
        )
        .ok();
    }
    Ok(())
}

fn below(folder: &Path) -> Vec<i32> {
    let own = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    own.lines()
        .filter_map(|pid| pid.parse().ok())
        .chain(children(folder).iter().flat_map(|child| below(child)))
        .collect()
}

fn prune(folder: &Path) -> Result<()> {
    for child in children(folder) {
        prune(&child)?;
    }
    match fs::remove_dir(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(format!(
            "the control group {} cannot be removed: {e}",
            folder.display()
        )
        .into()),
        _ => Ok(()),
    }
}

fn children(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hierarchies(mounts: &str) -> Vec<Hierarchy> {
        mounts.lines().filter_map(Hierarchy::of_line).collect()
    }

    #[test]
    fn programs_are_counted_where_memory_is_not() {
        let mixed = hierarchies(
            "proc /proc proc rw 0 0\n\
             cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n\
             cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0\n\
             cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n",
        );
        assert_eq!(mixed.len(), 3);
        assert_eq!(
            programs(&mixed).unwrap(),
            Path::new("/sys/fs/cgroup/pids/flower-cluster/programs")
        );
    }

    #[test]
    fn with_version_2_alone_there_is_one_place() {
        let unified = hierarchies("cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid 0 0\n");
        assert_eq!(
            programs(&unified).unwrap(),
            Path::new("/sys/fs/cgroup/flower-cluster/programs")
        );
        assert!(programs(&[]).is_err());
    }
}
