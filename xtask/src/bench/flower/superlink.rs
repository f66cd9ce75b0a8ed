//! A real SuperLink for the bench.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::Result;

use super::flower_command;

/// Its name for `flwr run`.
pub const NAME: &str = "bench";

const PATIENCE: u32 = 300;
const STEP: Duration = Duration::from_millis(100);

/// The process is killed on drop.
pub struct SuperLink {
    child: Child,
    address: SocketAddr,
    log: PathBuf,
}

impl SuperLink {
    /// Starts it on a free port of the loopback, adds it to the configuration of `flwr`, and waits
    /// until it is healthy.
    pub fn start(program: &Path, folder: &Path) -> Result<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let home = folder.join("home");
        fs::create_dir_all(&home)?;
        fs::write(
            home.join("config.toml"),
            format!(
                "[superlink]\ndefault = \"{NAME}\"\n\n[superlink.{NAME}]\naddress = \"{address}\"\ninsecure = true\n"
            ),
        )?;
        let log = folder.join("superlink.log");
        let child = flower_command(program, folder)
            .args(["--insecure", "--isolation", "process"])
            .arg("--disable-runtime-dependency-installation")
            .args(["--host", &address.ip().to_string()])
            .args(["--port", &address.port().to_string()])
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?)
            .spawn()?;
        let mut link = Self {
            child,
            address,
            log,
        };
        link.wait_until_healthy()?;
        Ok(link)
    }

    /// The URL of its Control API.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn wait_until_healthy(&mut self) -> Result<()> {
        for _ in 0..PATIENCE {
            if is_healthy(self.address) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(self.failure(&format!("ended ({status})")).into());
            }
            sleep(STEP);
        }
        Err(self.failure("did not become healthy").into())
    }

    fn failure(&self, what: &str) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        format!("flower-superlink {what}; its log:\n{log}")
    }
}

impl Drop for SuperLink {
    fn drop(&mut self) {
        // It may have ended already, so errors are ignored.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is_healthy(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, STEP)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(
            stream,
            "GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}
