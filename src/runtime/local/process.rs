//! Processes that outlive the provider: each the leader of a session of its own, known again by pid
//! and start time, so that a pid that was given to someone else is never touched. Those that no record
//! knows of, since we were killed before it was written, are known by the mark that they carry.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{BorrowedFd, RawFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::Mode;
use rustix::io::FdFlags;
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::super::RuntimeError;
use super::running::{self, MARK, Running, start_of};

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

/// What the processes that we started ended with, for those that ended while we ran.
static ENDED: LazyLock<Mutex<BTreeMap<u32, String>>> = LazyLock::new(Mutex::default);

const POLL: Duration = Duration::from_millis(50);
/// How long what was killed may take to be gone.
const LAST: Duration = Duration::from_secs(10);

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

    /// Words for a file name that no other process has, which [`Self::lives_by`] understands.
    pub(super) fn label(&self) -> String {
        let started = Sha256::digest(&self.started);
        let started: String = hex::encode(started).chars().take(16).collect();
        format!("{}-{started}", self.pid)
    }

    /// Whether the process with this label lives.
    pub(super) fn lives_by(label: &str) -> bool {
        let pid = label.split_once('-').and_then(|(pid, _)| pid.parse().ok());
        let found = pid.and_then(|pid| Self::of(pid, String::new()));
        found.is_some_and(|found| found.label() == label)
    }

    /// The folder that it was started in.
    pub(super) fn home(&self) -> Option<PathBuf> {
        // Behind it stand a pid and a time.
        let home = self.mark.rsplitn(3, ':').nth(2)?;
        Some(PathBuf::from(home))
    }

    /// How it ended, when that is known.
    pub(super) fn end(&self) -> String {
        let ended = ENDED.lock().unwrap_or_else(PoisonError::into_inner);
        ended
            .get(&self.pid)
            .cloned()
            .unwrap_or_else(|| "it ended".to_owned())
    }

    /// Whether this program runs among those that it leads.
    pub(super) fn has_beside(&self, program: &str) -> bool {
        let mut family = self.family().into_iter();
        family.any(|one| running::runs(one.pid, program))
    }

    /// Asks it and all of its session to end, and kills what has not after `grace`.
    pub(super) async fn stop(&self, process: &str, grace: Duration) -> Result<(), RuntimeError> {
        // Once the leader is gone, what it left behind gets no more time.
        end(process, grace, || self.family(), || self.lives()).await
    }

    /// The living processes that it leads or led: those of its session, and those that went into
    /// a session of their own but carry its mark.
    fn family(&self) -> Vec<Running> {
        // Once it has ended, its session's number may be that of someone else's session.
        running::find(self.lives().then_some(self.pid), &self.mark)
    }
}

/// Asks the processes to end that were started for an object in one of these `homes`, which are all
/// the same folder, except for those that are `known` and what they started, and kills what has not
/// ended after `grace`.
pub(super) async fn stop_strays<'a>(
    homes: &[&Path],
    known: impl Iterator<Item = &'a Identity> + Clone,
    grace: Duration,
) -> Result<(), RuntimeError> {
    let strays = || {
        let marked = homes
            .iter()
            .flat_map(|home| running::find(None, &mark_of(home)));
        let mut found: Vec<_> = marked.collect();
        let kept: Vec<_> = known.clone().flat_map(Identity::family).collect();
        let works = |pid| homes.iter().any(|home| running::works_in(pid, home));
        found.retain(|one| !kept.contains(one) && works(one.pid));
        found
    };
    end("unrecorded", grace, strays, || true).await
}

/// Asks all that `find` finds to end, and kills what has not after `grace`, or when nobody `hopes`
/// for it any more. What was found once is followed to its end: a child without the mark is known as
/// long as its leader lives, and no longer.
async fn end(
    process: &str,
    grace: Duration,
    find: impl Fn() -> Vec<Running>,
    hopes: impl Fn() -> bool,
) -> Result<(), RuntimeError> {
    let begun = Instant::now();
    let mut left: Vec<Running> = Vec::new();
    let mut asked = false;
    loop {
        left.retain(Running::lives);
        let news = find().into_iter();
        let news: Vec<_> = news.filter(|one| !left.contains(one)).collect();
        left.extend(news);
        let Some(first) = left.first() else {
            return Ok(());
        };
        let waited = begun.elapsed();
        if waited > grace + LAST {
            return Err(RuntimeError::Unkillable {
                process: process.to_owned(),
                pid: first.pid,
            });
        }
        if waited > grace || !hopes() {
            signal(&left, Signal::KILL);
        } else if !asked {
            signal(&left, Signal::TERM);
            asked = true;
        }
        tokio::time::sleep(POLL).await;
    }
}

fn signal(processes: &[Running], signal: Signal) {
    for one in processes {
        if let Some(pid) = i32::try_from(one.pid).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, signal);
        }
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
    inherit_nothing();
    on_its_own(&mut command);
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
fn new_mark(home: &Path) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap_or_default().as_nanos();
    format!("{}{}:{now}", mark_of(home), std::process::id())
}

/// The processes that were started with this home, whatever became of it.
pub(super) fn of_home(home: &Path) -> Vec<u32> {
    let left = running::find(None, &mark_of(home));
    left.into_iter().map(|one| one.pid).collect()
}

/// How the marks of all processes with this home begin.
fn mark_of(home: &Path) -> String {
    format!("{}:", home.display())
}

/// Gives it a session of its own, and what it writes to its user alone.
#[allow(unsafe_code)]
fn on_its_own(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; setsid and umask are,
    // and the closure neither allocates nor takes locks.
    unsafe {
        command.pre_exec(|| {
            rustix::process::setsid()?;
            rustix::process::umask(Mode::RWXG | Mode::RWXO);
            Ok(())
        });
    }
}

/// Closes to programs that we start what we were started with. Our own files are closed to them
/// already; those that a shell or Terraform left open to us are not.
#[allow(unsafe_code)]
fn inherit_nothing() {
    let open = std::fs::read_dir("/dev/fd").into_iter().flatten().flatten();
    let numbers = open.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    for number in numbers
        .filter(|number: &RawFd| *number > 2)
        .collect::<Vec<_>>()
    {
        // SAFETY: it is used for this call alone, which does no harm to a file that was closed
        // meanwhile, nor to another one of ours that has its number.
        let file = unsafe { BorrowedFd::borrow_raw(number) };
        let _ = rustix::io::fcntl_setfd(file, FdFlags::CLOEXEC);
    }
}
