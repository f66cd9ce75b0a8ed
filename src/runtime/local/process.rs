//! Processes that outlive the provider: each the leader of a session of its own, known again by pid
//! and start time, so that a pid that was given to someone else is never touched.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

use super::super::RuntimeError;

/// A process, for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub pid: u32,
    /// When it started, in the system's own words.
    started: String,
    /// The value of [`MARK`] in its environment, which its children inherit; empty for ourselves.
    #[serde(default)]
    mark: String,
}

/// By this variable the children of a process are known, also those that Flower starts in sessions
/// of their own.
const MARK: &str = "TERRAFORM_PROVIDER_FLOWER_PROCESS";

/// What the processes that we started ended with, for those that ended while we ran.
static ENDED: LazyLock<Mutex<BTreeMap<u32, String>>> = LazyLock::new(Mutex::default);

const POLL: Duration = Duration::from_millis(50);

impl Identity {
    fn of(pid: u32, mark: String) -> Option<Self> {
        Some(Self {
            pid,
            started: start_of(pid)?,
            mark,
        })
    }

    pub(super) fn own() -> Self {
        let pid = std::process::id();
        Self::of(pid, String::new()).unwrap_or(Self {
            pid,
            started: String::new(),
            mark: String::new(),
        })
    }

    pub(super) fn lives(&self) -> bool {
        start_of(self.pid).is_some_and(|started| started == self.started)
    }

    /// How it ended, when that is known.
    pub(super) fn end(&self) -> String {
        let ended = ENDED.lock().unwrap_or_else(PoisonError::into_inner);
        ended
            .get(&self.pid)
            .cloned()
            .unwrap_or_else(|| "it ended".to_owned())
    }

    /// Asks it and all of its session to end, and kills what has not after `grace`.
    pub(super) async fn stop(&self, process: &str, grace: Duration) -> Result<(), RuntimeError> {
        if self.lives() {
            self.signal(Signal::TERM);
        }
        if self.ended_within(grace).await {
            return Ok(());
        }
        self.signal(Signal::KILL);
        if self.ended_within(Duration::from_secs(10)).await {
            return Ok(());
        }
        Err(RuntimeError::Unkillable {
            process: process.to_owned(),
            pid: self.pid,
        })
    }

    async fn ended_within(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        loop {
            let left = !self.session().is_empty();
            if !left || Instant::now() > until {
                return !left;
            }
            if !self.lives() {
                // The leader is gone; what it left behind gets no more time.
                self.signal(Signal::KILL);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn signal(&self, signal: Signal) {
        for pid in self.session() {
            if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, signal);
            }
        }
    }

    /// The living processes that it leads or led: those of its session, and those that went into
    /// a session of their own but carry its mark.
    fn session(&self) -> Vec<u32> {
        let mut found: Vec<u32> = session_members(self.pid, &self.mark);
        // The session's number may have been given anew: then its leader is someone else.
        if start_of(self.pid).is_some_and(|started| started != self.started) {
            found.clear();
        }
        found
    }
}

/// Starts a process that does not end with us.
pub(super) fn spawn(
    program: &Path,
    args: &[String],
    env: &BTreeMap<String, String>,
    dir: &Path,
    log: &File,
) -> Result<Identity, RuntimeError> {
    let failed = |cause: String| RuntimeError::Spawn {
        program: program.display().to_string(),
        cause,
    };
    let clone = || log.try_clone().map_err(|error| failed(error.to_string()));
    let mark = new_mark(dir);
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .envs(env)
        .env(MARK, &mark)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(clone()?)
        .stderr(clone()?);
    own_session(&mut command);
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let pid = child.id();
    let identity = Identity::of(pid, mark).ok_or_else(|| failed("it ended at once".to_owned()))?;
    // Whoever starts a process must collect its end; nobody waits for this thread.
    std::thread::spawn(move || {
        if let Ok(status) = child.wait() {
            let mut ended = ENDED.lock().unwrap_or_else(PoisonError::into_inner);
            ended.insert(pid, format!("it ended with {status}"));
        }
    });
    Ok(identity)
}

/// A text that no other process carries.
fn new_mark(dir: &Path) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap_or_default().as_nanos();
    format!("{}:{}:{now}", dir.display(), std::process::id())
}

#[cfg(unix)]
#[allow(unsafe_code)]
fn own_session(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; setsid is one, and
    // the closure neither allocates nor takes locks.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            Ok(())
        });
    }
}

/// When a living process started; `None` for one that ended, also if nobody has collected it.
#[cfg(target_os = "linux")]
fn start_of(pid: u32) -> Option<String> {
    let stat = Stat::of(pid)?;
    (stat.state != "Z").then_some(stat.start)
}

#[cfg(not(target_os = "linux"))]
fn start_of(pid: u32) -> Option<String> {
    let output = Command::new("ps")
        .args(["-o", "state=,lstart=", "-p", &pid.to_string()])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (state, start) = text.trim().split_once(' ')?;
    (!state.starts_with('Z')).then(|| start.trim().to_owned())
}

#[cfg(target_os = "linux")]
fn session_members(session: u32, mark: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            Stat::of(*pid).is_some_and(|stat| {
                stat.state != "Z" && (stat.session == session || carries(*pid, mark))
            })
        })
        .collect()
}

#[cfg(target_os = "linux")]
fn carries(pid: u32, mark: &str) -> bool {
    let wanted = format!("{MARK}={mark}");
    !mark.is_empty()
        && fs::read(format!("/proc/{pid}/environ")).is_ok_and(|all| {
            all.split(|byte| *byte == 0)
                .any(|one| one == wanted.as_bytes())
        })
}

#[cfg(not(target_os = "linux"))]
fn session_members(session: u32, _mark: &str) -> Vec<u32> {
    let output = Command::new("ps")
        .args(["-axo", "pid=,sess=,pgid=,state="])
        .output();
    let text = output.ok().and_then(|o| String::from_utf8(o.stdout).ok());
    text.unwrap_or_default()
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let pid = words.next()?.parse().ok()?;
            let group = words.nth(1)?.parse::<u32>().ok()?;
            let living = !words.next()?.starts_with('Z');
            (group == session && living).then_some(pid)
        })
        .collect()
}

/// The parts of `/proc/PID/stat` that identify a process.
#[cfg(target_os = "linux")]
struct Stat {
    state: String,
    session: u32,
    /// Ticks since boot, and which boot.
    start: String,
}

#[cfg(target_os = "linux")]
impl Stat {
    fn of(pid: u32) -> Option<Self> {
        static BOOT: LazyLock<String> = LazyLock::new(|| {
            fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default()
        });
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is a name in parentheses that may hold anything.
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<_> = rest.split(' ').collect();
        Some(Self {
            state: (*fields.first()?).to_owned(),
            session: fields.get(3)?.parse().ok()?,
            start: format!("{}@{}", fields.get(19)?, BOOT.trim()),
        })
    }
}
