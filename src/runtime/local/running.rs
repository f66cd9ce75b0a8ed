//! Information of the system about running processes: `/proc` on Linux, `ps` elsewhere.

#[cfg(target_os = "linux")]
use std::collections::BTreeSet;
#[cfg(target_os = "linux")]
use std::fs;
use std::path::Path;
#[cfg(not(target_os = "linux"))]
use std::process::Command;
#[cfg(target_os = "linux")]
use std::sync::LazyLock;

/// The variable that identifies the children of a process, also those that Flower starts in
/// sessions of their own.
pub(super) const MARK: &str = "TERRAFORM_PROVIDER_FLOWER_PROCESS";

/// A process that was running when the processes were listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Running {
    pub pid: u32,
    /// The start time, in the system's own format.
    started: String,
}

impl Running {
    pub(super) fn lives(&self) -> bool {
        start_of(self.pid).is_some_and(|started| started == self.started)
    }
}

/// The processes of a session, those whose mark has this prefix, and those in their sessions: a
/// process that changes its title, as Ray's do, overwrites its mark. An empty mark matches none.
#[cfg(target_os = "linux")]
pub(super) fn find(session: Option<u32>, mark: &str) -> Vec<Running> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let all: Vec<_> = entries
        .filter_map(|entry| {
            let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = Stat::of(pid).filter(|stat| stat.state != "Z")?;
            Some((pid, stat, carries(pid, mark)))
        })
        .collect();
    let leaders = all
        .iter()
        .filter(|(pid, stat, is_marked)| *is_marked && stat.session == *pid);
    let led: BTreeSet<u32> = leaders.map(|(pid, _, _)| *pid).collect();
    let ours = all.iter().filter(|(_, stat, is_marked)| {
        *is_marked || session == Some(stat.session) || led.contains(&stat.session)
    });
    ours.map(|(pid, stat, _)| Running {
        pid: *pid,
        started: stat.start.clone(),
    })
    .collect()
}

/// Whether the process works in this folder, even if it was deleted since. A folder that was moved
/// is a different one, and so is one with the same path in a container.
#[cfg(target_os = "linux")]
pub(super) fn works_in(pid: u32, folder: &Path) -> bool {
    let link = |who: &str, what: &str| fs::read_link(format!("/proc/{who}/{what}")).ok();
    let their = |what| link(&pid.to_string(), what);
    let real = folder.ancestors().find_map(|there| {
        let rest = folder.strip_prefix(there).ok()?;
        Some(fs::canonicalize(there).ok()?.join(rest))
    });
    let (Some(works), Some(folder)) = (their("cwd"), real) else {
        return false;
    };
    let deleted = format!("{} (deleted)", folder.display());
    (works.starts_with(&folder) || works.as_os_str() == deleted.as_str())
        && their("ns/mnt").is_some_and(|files| Some(files) == link("self", "ns/mnt"))
}

/// Whether the process runs the program of this name, or is the interpreter that runs it.
#[cfg(target_os = "linux")]
pub(super) fn runs(pid: u32, program: &str) -> bool {
    // A script is the second argument, after its interpreter.
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| {
        line.split(|byte| *byte == 0)
            .take(2)
            .any(|word| word.rsplit(|byte| *byte == b'/').next() == Some(program.as_bytes()))
    })
}

/// The start time of a living process; `None` if it has ended, even if its status is not yet
/// collected.
#[cfg(target_os = "linux")]
pub(super) fn start_of(pid: u32) -> Option<String> {
    let stat = Stat::of(pid)?;
    (stat.state != "Z").then_some(stat.start)
}

#[cfg(target_os = "linux")]
fn carries(pid: u32, mark: &str) -> bool {
    let wanted = format!("{MARK}={mark}");
    !mark.is_empty()
        && fs::read(format!("/proc/{pid}/environ")).is_ok_and(|all| {
            all.split(|byte| *byte == 0)
                .any(|one| one.starts_with(wanted.as_bytes()))
        })
}

/// The fields of `/proc/PID/stat` that identify a process.
#[cfg(target_os = "linux")]
struct Stat {
    state: String,
    session: u32,
    /// Ticks since boot, and the boot ID.
    start: String,
}

#[cfg(target_os = "linux")]
impl Stat {
    fn of(pid: u32) -> Option<Self> {
        static BOOT: LazyLock<String> = LazyLock::new(|| {
            fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
        });
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is a name in parentheses, which may contain any character.
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<_> = rest.split(' ').collect();
        Some(Self {
            state: (*fields.first()?).to_owned(),
            session: fields.get(3)?.parse().ok()?,
            start: format!("{}@{}", fields.get(19)?, BOOT.trim()),
        })
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn find(session: Option<u32>, mark: &str) -> Vec<Running> {
    let wanted = format!("{MARK}={mark}");
    let marked = |rest: &str| !mark.is_empty() && rest.contains(&wanted);
    // `-E` prints the environment after the command line.
    let text = ps(&["-axwwE", "-o", "pid=,pgid=,state=,lstart=,command="]);
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let pid = words.next()?.parse().ok()?;
            let group = words.next()?.parse::<u32>().ok()?;
            let living = !words.next()?.starts_with('Z');
            let started: Vec<_> = words.take(5).collect();
            (living && (session == Some(group) || marked(line))).then(|| Running {
                pid,
                started: started.join(" "),
            })
        })
        .collect()
}

#[cfg(not(target_os = "linux"))]
pub(super) const fn works_in(_pid: u32, _folder: &Path) -> bool {
    true
}

#[cfg(not(target_os = "linux"))]
pub(super) fn runs(pid: u32, program: &str) -> bool {
    let text = ps(&["-ww", "-o", "command=", "-p", &pid.to_string()]);
    let mut words = text.split_whitespace().take(2);
    words.any(|word| word.rsplit('/').next() == Some(program))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn start_of(pid: u32) -> Option<String> {
    let text = ps(&["-o", "state=,lstart=", "-p", &pid.to_string()]);
    let mut words = text.split_whitespace();
    let living = !words.next()?.starts_with('Z');
    let started: Vec<_> = words.collect();
    living.then(|| started.join(" "))
}

#[cfg(not(target_os = "linux"))]
fn ps(args: &[&str]) -> String {
    let output = Command::new("ps").args(args).output();
    let text = output.ok().and_then(|o| String::from_utf8(o.stdout).ok());
    text.unwrap_or_default()
}
