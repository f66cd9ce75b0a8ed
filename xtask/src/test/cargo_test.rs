//! Runs one `cargo test`: streams and counts its output, and ends it if a test hangs.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use crate::Result;
use crate::process::{announce, run};
use crate::repository::Repository;

use super::report::Outcome;

/// Builds all tests at once.
///
/// It uses the same `--workspace` as each tier: another selection of packages would select other
/// features and build the dependencies again.
pub fn build_all(repository: &Repository) -> Result<()> {
    run(repository.cargo().args(["test", "--workspace", "--no-run"]))
}

/// Builds the programs that acceptance tests start. With `--test`, cargo builds the package's
/// binaries but not its examples.
pub fn build_examples(repository: &Repository) -> Result<()> {
    run(repository
        .cargo()
        .args(["build", "--workspace", "--examples"]))
}

/// Makes the test harness print the time of each test. This option is unstable, so this variable
/// allows it; setting it for the compiler, too, would rebuild everything.
const TIMED: [&str; 3] = ["-Z", "unstable-options", "--report-time"];
const RUNNER: &str = "env RUSTC_BOOTSTRAP=1";

/// A test run without output for this time hangs: the longest test takes a third of it, and a cold
/// build of one tier, which prints nothing either, takes less. The harness itself has no timeout.
const SILENCE: Duration = Duration::from_mins(15);

/// The variable with the program through which cargo starts tests on this platform.
fn runner_variable() -> Result<String> {
    let host = Repository::host()?;
    let host = host.replace(['-', '.'], "_").to_ascii_uppercase();
    Ok(format!("CARGO_TARGET_{host}_RUNNER"))
}

/// A selection of tests to run.
pub struct CargoTest {
    name: String,
    targets: Vec<String>,
    threads: Option<String>,
    only: Vec<String>,
    environment: Vec<(&'static str, OsString)>,
}

impl CargoTest {
    /// All tests of some of cargo's targets.
    pub fn new(name: &str, targets: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            targets: targets.iter().map(|&target| target.to_owned()).collect(),
            threads: None,
            only: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// The number of tests that run at the same time.
    pub fn threads(mut self, count: &str) -> Self {
        self.threads = Some(count.to_owned());
        self
    }

    /// Only tests whose names contain one of these texts.
    pub fn only(mut self, parts: &[&str]) -> Self {
        self.only = parts.iter().map(|&part| part.to_owned()).collect();
        self
    }

    /// Sets a variable that the tests read.
    pub fn environment(mut self, name: &'static str, value: OsString) -> Self {
        self.environment.push((name, value));
        self
    }

    /// Runs the tests. Every error is a failure in the outcome.
    pub fn run(self, repository: &Repository) -> Outcome {
        let started = Instant::now();
        let mut outcome = Outcome::new(&self.name);
        if let Err(error) = self.run_into(repository, &mut outcome) {
            outcome.fail(error.to_string());
        }
        if outcome.passed + outcome.failed == 0 {
            outcome.fail("no test ran".to_owned());
        }
        outcome.seconds = started.elapsed().as_secs_f64();
        outcome
    }

    fn run_into(self, repository: &Repository, outcome: &mut Outcome) -> Result<()> {
        let mut command = repository.cargo();
        command
            .args(["test", "--workspace", "--no-fail-fast"])
            .args(&self.targets);
        command.arg("--").args(&self.only).args(TIMED);
        command.env(runner_variable()?, RUNNER);
        if let Some(threads) = &self.threads {
            command.args(["--test-threads", threads]);
        }
        command.envs(self.environment);
        stream(&mut command, &mut std::io::stdout().lock(), outcome)
    }
}

fn stream(command: &mut Command, screen: &mut dyn Write, outcome: &mut Outcome) -> Result<()> {
    stream_for(command, SILENCE, screen, outcome)
}

fn stream_for(
    command: &mut Command,
    silence: Duration,
    screen: &mut dyn Write,
    outcome: &mut Outcome,
) -> Result<()> {
    announce(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("failed to start cargo: {e}"))?;
    let lines = child.stdout.take().map(lines_of);
    // The child must be waited for even if our own output fails.
    let copied = lines.map_or(Ok(()), |lines| copy(&lines, silence, screen, outcome));
    if let Err(StreamError::Silent(_)) = &copied {
        end(&mut child);
    }
    let status = child.wait()?;
    copied.map_err(|error| error.describe(silence))?;
    if !status.success() && outcome.failed == 0 {
        // The build failed, or a test ended the whole test process.
        return Err(format!("`cargo test` failed before all tests ended ({status})").into());
    }
    Ok(())
}

/// Why the output could not be read to its end.
enum StreamError {
    /// There was no output for too long. These tests were reported as slow and had not ended.
    Silent(Vec<String>),
    Output(std::io::Error),
}

impl StreamError {
    fn describe(self, silence: Duration) -> String {
        match self {
            Self::Output(error) => error.to_string(),
            Self::Silent(slow) => format!(
                "no test ended for {} s, so the tests were killed; still running: {}",
                silence.as_secs(),
                slow.join(", ")
            ),
        }
    }
}

/// Ends cargo and the test program that it started; cargo would wait for that program.
fn end(child: &mut Child) {
    let _ = Command::new("pkill")
        .args(["-KILL", "-P", &child.id().to_string()])
        .status();
    let _ = child.kill();
}

/// Sends the lines to a channel. The thread ends with the output, or when the receiver is gone.
fn lines_of(from: ChildStdout) -> Receiver<std::io::Result<Vec<u8>>> {
    let (to, lines) = sync_channel(64);
    std::thread::spawn(move || {
        let mut reader = BufReader::new(from);
        loop {
            let mut line = Vec::new();
            let read = reader.read_until(b'\n', &mut line);
            if matches!(read, Ok(0)) || to.send(read.map(|_| line)).is_err() {
                return;
            }
        }
    });
    lines
}

fn copy(
    lines: &Receiver<std::io::Result<Vec<u8>>>,
    silence: Duration,
    screen: &mut dyn Write,
    outcome: &mut Outcome,
) -> std::result::Result<(), StreamError> {
    let mut slow = Vec::new();
    loop {
        let line = match lines.recv_timeout(silence) {
            Ok(line) => line.map_err(StreamError::Output)?,
            Err(RecvTimeoutError::Timeout) => return Err(StreamError::Silent(slow)),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        screen.write_all(&line).map_err(StreamError::Output)?;
        screen.flush().map_err(StreamError::Output)?;
        let text = String::from_utf8_lossy(&line);
        slow.extend(is_slow(&text));
        if let Some((seconds, name)) = duration_of(&text) {
            slow.retain(|other| *other != name);
            outcome.durations.push((seconds, name));
        }
        if let Some(counts) = Counts::of_line(&text) {
            outcome.passed += counts.passed;
            outcome.failed += counts.failed;
            outcome.ignored += counts.ignored;
        }
    }
}

/// Reads `test superlink::starts has been running for over 60 seconds`.
fn is_slow(line: &str) -> Option<String> {
    let (name, _) = line
        .strip_prefix("test ")?
        .split_once(" has been running for over ")?;
    Some(name.to_owned())
}

/// Reads `test superlink::starts ... ok <12.345s>`.
fn duration_of(line: &str) -> Option<(f64, String)> {
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let seconds = rest.trim_end().strip_suffix("s>")?.rsplit_once('<')?.1;
    Some((seconds.parse().ok()?, name.to_owned()))
}

/// The result line of one test binary.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    /// Reads `test result: ok. 5 passed; 0 failed; 1 ignored; …`.
    fn of_line(line: &str) -> Option<Self> {
        let (_, list) = line.strip_prefix("test result: ")?.split_once(". ")?;
        let mut counts = Self::default();
        for part in list.split(';') {
            if let Some((number, word)) = part.trim().split_once(' ') {
                match word {
                    "passed" => counts.passed = number.parse().ok()?,
                    "failed" => counts.failed = number.parse().ok()?,
                    "ignored" => counts.ignored = number.parse().ok()?,
                    _ => {}
                }
            }
        }
        Some(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_harness_own_summary() {
        let line = "test result: FAILED. 5 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; finished in 1.05s";
        assert_eq!(
            Counts::of_line(line),
            Some(Counts {
                passed: 5,
                failed: 2,
                ignored: 1
            })
        );
        assert_eq!(Counts::of_line("test superlink::starts ... ok"), None);
        assert_eq!(Counts::of_line("a test result: ok. 5 passed;"), None);
    }

    #[test]
    fn reads_how_long_a_test_took() {
        assert_eq!(
            duration_of("test superlink::starts ... ok <12.345s>\n"),
            Some((12.345, "superlink::starts".to_owned()))
        );
        assert!(duration_of("test superlink::starts ... FAILED <1.000s>").is_some());
        assert_eq!(
            duration_of("test x has been running for over 60 seconds"),
            None
        );
        assert_eq!(duration_of("test x ... ok"), None);
    }

    #[test]
    fn counts_a_run_and_notices_one_that_died() {
        let mut outcome = Outcome::new("x");
        // Not the real standard output, where an outer run would count these lines.
        let mut screen = Vec::new();
        let mut good = Command::new("sh");
        good.args([
            "-c",
            "echo 'test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured'",
        ]);
        stream(&mut good, &mut screen, &mut outcome).unwrap();
        assert_eq!((outcome.passed, outcome.failed), (3, 0));
        assert!(screen.starts_with(b"test result: ok."));

        let mut dead = Command::new("sh");
        dead.args(["-c", "exit 101"]);
        let error = stream(&mut dead, &mut screen, &mut outcome)
            .unwrap_err()
            .to_string();
        assert!(error.contains("before all tests ended"), "{error}");
    }

    #[test]
    fn tests_that_hang_are_killed_and_named() {
        let mut outcome = Outcome::new("x");
        // As with cargo: the test that hangs is a child process and has the output.
        let mut hung = Command::new("sh");
        hung.args([
            "-c",
            "for test in a b; do echo \"test $test has been running for over 60 seconds\"; done; \
             echo 'test a ... ok <61.000s>'; sleep 300 & wait",
        ]);
        let started = Instant::now();
        let silence = Duration::from_secs(1);
        let error = stream_for(&mut hung, silence, &mut Vec::new(), &mut outcome)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "no test ended for 1 s, so the tests were killed; still running: b"
        );
        assert!(started.elapsed() < Duration::from_mins(1));
        assert_eq!(outcome.durations, [(61.0, "a".to_owned())]);
    }
}
