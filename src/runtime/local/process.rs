//! Processes that outlive the provider. Each is the leader of its own session and is identified by
//! pid and start time, so that a pid that was reused is never signalled. Processes without a
//! record, because the provider was killed before it wrote one, are identified by their mark.

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

/// The permanent identity of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub pid: u32,
    /// The start time, in the system's own format.
    started: String,
    /// The value of [`MARK`] in its environment, which its children inherit; empty for our own
    /// process.
    #[serde(default)]
    mark: String,
}

/// The exit statuses of the processes that we started and that ended while we ran.
static ENDED: LazyLock<Mutex<BTreeMap<u32, String>>> = LazyLock::new(Mutex::default);

const POLL: Duration = Duration::from_millis(50);
/// How long a killed process may take to end.
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

    /// A unique text for file names, which [`Self::lives_by`] can parse.
    pub(super) fn label(&self) -> String {
        let started = Sha256::digest(&self.started);
        let started: String = hex::encode(started).chars().take(16).collect();
        format!("{}-{started}", self.pid)
    }

    /// Whether the process with this label is alive.
    pub(super) fn lives_by(label: &str) -> bool {
        let pid = label.split_once('-').and_then(|(pid, _)| pid.parse().ok());
        let found = pid.and_then(|pid| Self::of(pid, String::new()));
        found.is_some_and(|found| found.label() == label)
    }

    /// The folder in which the process was started.
    pub(super) fn home(&self) -> Option<PathBuf> {
        // A pid and a time follow the folder.
        let home = self.mark.rsplitn(3, ':').nth(2)?;
        Some(PathBuf::from(home))
    }

    /// How the process ended, if that is known.
    pub(super) fn end(&self) -> String {
        let ended = ENDED.lock().unwrap_or_else(PoisonError::into_inner);
        ended
            .get(&self.pid)
            .cloned()
            .unwrap_or_else(|| "it ended".to_owned())
    }

    /// Whether one of the processes that it leads runs this program.
    pub(super) fn has_beside(&self, program: &str) -> bool {
        let mut family = self.family().into_iter();
        family.any(|one| running::runs(one.pid, program))
    }

    /// Sends SIGTERM to the process and all of its session, and kills those that have not ended
    /// after `grace`.
    pub(super) async fn stop(&self, process: &str, grace: Duration) -> Result<(), RuntimeError> {
        // Once the leader has ended, its remaining processes get no more time.
        end(process, grace, || self.family(), || self.lives()).await
    }

    /// The living processes that it leads or led: those of its session, and those that moved to a
    /// session of their own but carry its mark.
    fn family(&self) -> Vec<Running> {
        // Once it has ended, the number of its session may be reused.
        running::find(self.lives().then_some(self.pid), &self.mark)
    }
}

/// Sends SIGTERM to the processes that were started for an object in one of these `homes`, which
/// are all the same folder, except those that are `known` and their children, and kills those that
/// have not ended after `grace`.
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

/// Sends SIGTERM to all processes from `find`, and kills those that have not ended after `grace`,
/// or once `hopes` is false. A process that was found once is followed until it ends: a child
/// without the mark can be found only while its leader is alive.
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

/// Starts a process that outlives the provider.
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
    // The parent must collect the exit status; nothing waits for this thread.
    std::thread::spawn(move || {
        if let Ok(status) = child.wait() {
            let mut ended = ENDED.lock().unwrap_or_else(PoisonError::into_inner);
            ended.insert(pid, format!("it ended with {status}"));
        }
    });
    Ok(identity)
}

/// A mark that no other process has.
fn new_mark(home: &Path) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap_or_default().as_nanos();
    format!("{}{}:{now}", mark_of(home), std::process::id())
}

/// The processes that were started with this home, even if it was moved or removed.
pub(super) fn of_home(home: &Path) -> Vec<u32> {
    let left = running::find(None, &mark_of(home));
    left.into_iter().map(|one| one.pid).collect()
}

/// The prefix of the marks of all processes with this home.
fn mark_of(home: &Path) -> String {
    format!("{}:", home.display())
}

/// Gives the process its own session, and makes the files that it writes private to its user.
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

/// Closes inherited files for the programs that we start. Our own files already have close-on-exec;
/// the files that a shell or Terraform left open for us do not.
#[allow(unsafe_code)]
fn inherit_nothing() {
    let open = std::fs::read_dir("/dev/fd").into_iter().flatten().flatten();
    let numbers = open.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    for number in numbers
        .filter(|number: &RawFd| *number > 2)
        .collect::<Vec<_>>()
    {
        // SAFETY: it is used only for this call, which does no harm if the file was closed
        // meanwhile, or if another file of ours has its number.
        let file = unsafe { BorrowedFd::borrow_raw(number) };
        let _ = rustix::io::fcntl_setfd(file, FdFlags::CLOEXEC);
    }
}
