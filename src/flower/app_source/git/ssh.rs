//! Git over SSH, with the user's own `ssh`.
//!
//! So the user's configuration, agent, hardware keys, jump hosts and known hosts work as they do for
//! git. The program never asks anything, accepts only host keys that it already knows, and opens
//! nothing but this one connection. It ends when the connection is dropped; if this process is killed,
//! it ends because its input does.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::access::SshAccess;
use super::error::GitError;
use super::session::Session;
use super::ssh_failure;
use super::url::SshUrl;

/// How much of what `ssh` prints is kept.
const KEPT: u64 = 16 * 1024;
/// How long `ssh` may take to end after it has closed its output.
const ENDING: Duration = Duration::from_secs(2);

/// A repository on an SSH server.
#[derive(Clone)]
pub(super) struct SshTransport {
    session: Arc<Session>,
    url: SshUrl,
}

impl SshTransport {
    pub(super) fn new(session: Arc<Session>, url: &SshUrl) -> Self {
        let url = url.clone();
        Self { session, url }
    }
}

impl SmartSubtransport for SshTransport {
    fn action(
        &self,
        _: &str,
        service: Service,
    ) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        if service != Service::UploadPackLs {
            return Err(git2::Error::from_str("nothing is ever pushed"));
        }
        let program = Program::start(self.session.clone(), self.url.clone());
        match program {
            Ok(program) => Ok(Box::new(program)),
            Err(error) => {
                let error = self.session.fail(error);
                Err(git2::Error::from_str(&error.to_string()))
            }
        }
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

/// A running `ssh`.
struct Program {
    session: Arc<Session>,
    url: SshUrl,
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    /// What it prints, until that is shown.
    printed: Option<JoinHandle<Vec<u8>>>,
    /// Whether the next bytes begin a response.
    first: bool,
}

impl Program {
    fn start(session: Arc<Session>, url: SshUrl) -> Result<Self, GitError> {
        let mut command = Command::new("ssh");
        command
            .args(arguments(&url, &session.access.ssh, session.limits.connect))
            .env("SSH_ASKPASS_REQUIRE", "never")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C reaches Terraform and us; we decide when `ssh` ends, with its helpers.
            .process_group(0)
            .kill_on_drop(true);
        let started = session.finish(async {
            let mut child = command.spawn()?;
            let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
            let (Some(input), Some(output), Some(errors)) = pipes else {
                return Err(io::ErrorKind::BrokenPipe.into());
            };
            Ok((child, input, output, tokio::spawn(collect(errors))))
        });
        let (child, input, output, printed) = started.map_err(|error| GitError::NoSsh {
            cause: error.to_string(),
        })?;
        Ok(Self {
            printed: Some(printed),
            session,
            url,
            child,
            input,
            output,
            first: true,
        })
    }

    fn receive(&mut self, buf: &mut [u8]) -> Result<usize, GitError> {
        let read = self
            .session
            .wait(self.session.limits.silence, self.output.read(buf))?;
        let size = read.unwrap_or(0);
        if size == 0 {
            return Err(self.ended());
        }
        let received = buf.get(..size).unwrap_or_default();
        self.session.receive(received, self.first)?;
        self.first = false;
        Ok(size)
    }

    fn send(&mut self, buf: &[u8]) -> Result<(), GitError> {
        self.first = true;
        let writing = async {
            self.input.write_all(buf).await?;
            self.input.flush().await
        };
        match self.session.wait(self.session.limits.silence, writing)? {
            Ok(()) => Ok(()),
            Err(_) => Err(self.ended()),
        }
    }

    /// Why `ssh` ended before the operation did.
    fn ended(&mut self) -> GitError {
        let printed = self.printed.take();
        let ending = async {
            let status = self.child.wait().await;
            let printed = match printed {
                Some(printed) => printed.await.unwrap_or_default(),
                None => Vec::new(),
            };
            (status.ok(), printed)
        };
        let ended = self.session.wait(ENDING, ending);
        let (status, printed) = ended.unwrap_or_default();
        let printed = String::from_utf8_lossy(&printed);
        ssh_failure::reason(&self.session, &self.url, &printed, status)
    }
}

/// Reads all that is printed, so that the program is never blocked, and keeps the beginning.
async fn collect(mut errors: ChildStderr) -> Vec<u8> {
    let mut kept = Vec::new();
    let _ = (&mut errors).take(KEPT).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut errors, &mut tokio::io::sink()).await;
    kept
}

impl Read for Program {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let received = self.receive(buf);
        received.map_err(|error| self.session.fail(error))
    }
}

impl Write for Program {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let sent = self.send(buf);
        sent.map_err(|error| self.session.fail(error))?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let pid = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(pid) = pid {
            let _ = kill_process_group(pid, Signal::KILL);
            let _ = self.session.finish(self.child.wait());
        }
    }
}

/// The arguments of `ssh`. Host and user were checked when the address was parsed: neither can begin
/// with a hyphen.
fn arguments(url: &SshUrl, access: &SshAccess, connect: Duration) -> Vec<OsString> {
    let mut options = [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "UpdateHostKeys=no",
        "ClearAllForwardings=yes",
        "ForwardAgent=no",
        "ForwardX11=no",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "RequestTTY=no",
        // A master connection would outlive the operation. One that already exists is used.
        "ControlMaster=no",
        "LogLevel=ERROR",
    ]
    .map(str::to_owned)
    .to_vec();
    options.push(format!("ConnectTimeout={}", connect.as_secs().max(1)));
    // `ssh` replaces `%` in names of files.
    let escaped = |path: &std::path::Path| path.to_string_lossy().replace('%', "%%");
    if let Some(file) = &access.known_hosts {
        options.push(format!("UserKnownHostsFile=\"{}\"", escaped(file)));
        options.push("GlobalKnownHostsFile=/dev/null".to_owned());
        options.push("VerifyHostKeyDNS=no".to_owned());
    }
    if let Some(file) = &access.key_file {
        options.push(format!("IdentityFile=\"{}\"", escaped(file)));
        options.push("IdentitiesOnly=yes".to_owned());
    }
    let mut arguments: Vec<OsString> = vec!["-T".into()];
    for option in options {
        arguments.push("-o".into());
        arguments.push(option.into());
    }
    if let Some(port) = url.port {
        arguments.push("-p".into());
        arguments.push(port.to_string().into());
    }
    if let Some(user) = &url.user {
        arguments.push("-l".into());
        arguments.push(user.into());
    }
    arguments.push("--".into());
    arguments.push(url.host.as_str().into());
    arguments.push(format!("git-upload-pack {}", quoted(&url.path)).into());
    arguments
}

/// The path for the shell of the server, quoted as git does it.
fn quoted(path: &str) -> String {
    let path = path.replace('\'', "'\\''").replace('!', "'\\!'");
    format!("'{path}'")
}

#[cfg(test)]
#[path = "ssh_tests.rs"]
mod tests;
