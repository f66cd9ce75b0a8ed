//! The control groups that everything of the clusters runs in.
//!
//! They are also the kernel's own list of what was started: a process cannot
//! leave its group by forking or by outliving its parent, so `down` needs no
//! trust in recorded pids that may have been given to somebody else since.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;

/// Our group in every hierarchy.
const ROOT: &str = "flower-cluster";
/// What we start ourselves is here, what kubelets start is beside it.
const PROGRAMS: &str = "programs";

/// One mounted tree of groups.
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
        let mut words = line.split(' ').skip(1);
        let (mount, kind) = (words.next()?, words.next()?);
        ["cgroup", "cgroup2"].contains(&kind).then(|| Self {
            mount: mount.into(),
            unified: kind == "cgroup2",
        })
    }

    fn root(&self) -> PathBuf {
        self.mount.join(ROOT)
    }
}

/// Makes the group that a kubelet puts its pods into, and returns its name as
/// the kubelet wants it.
pub fn for_pods(letter: &str) -> Result<String> {
    for hierarchy in Hierarchy::all()? {
        make(&hierarchy.root())?;
        make(&hierarchy.root().join(letter))?;
    }
    Ok(format!("/{ROOT}/{letter}"))
}

/// Makes the group for the programs that we start, and returns its folder.
pub fn for_programs() -> Result<PathBuf> {
    let folder = programs(&Hierarchy::all()?)?;
    fs::create_dir_all(&folder).map_err(|e| format!("{} cannot be made: {e}", folder.display()))?;
    Ok(folder)
}

/// The processes of the clusters: ours, and those of the kubelets' pods.
pub struct Members {
    pub programs: Vec<i32>,
    pub pods: Vec<i32>,
}

impl Members {
    /// As of now.
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

    /// Whether none is left.
    pub fn is_empty(&self) -> bool {
        self.programs.is_empty() && self.pods.is_empty()
    }
}

/// Removes every group of ours. They must be empty.
pub fn remove() -> Result<()> {
    for hierarchy in Hierarchy::all()? {
        prune(&hierarchy.root())?;
    }
    Ok(())
}

/// One hierarchy is enough to keep count in. It is `pids` where there is
/// version 1, so that memory stays accounted to whoever accounts for it now.
fn programs(hierarchies: &[Hierarchy]) -> Result<PathBuf> {
    hierarchies
        .iter()
        .find(|one| one.mount.ends_with("pids"))
        .or_else(|| hierarchies.iter().find(|one| one.unified))
        .map(|one| one.root().join(PROGRAMS))
        .ok_or_else(|| "no control groups are mounted, and kubelets need them".into())
}

fn make(folder: &Path) -> Result<()> {
    let fail = |e| format!("the control group {} cannot be made: {e}", folder.display());
    fs::create_dir_all(folder).map_err(fail)?;
    let Some(parent) = folder.parent() else {
        return Ok(());
    };
    // A cpuset that names no processors takes no processes.
    for file in ["cpuset.cpus", "cpuset.mems"] {
        if let Ok(text) = fs::read(parent.join(file)) {
            // Of version 2, where an empty one inherits, the root has none.
            fs::write(folder.join(file), text).map_err(fail)?;
        }
    }
    // Version 2 hands a controller down only where it is told to.
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
