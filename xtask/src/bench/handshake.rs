//! Measures how long a plugin takes until Terraform has its schema, and how much memory it then
//! uses.
//!
//! Terraform starts a provider three or four times per command, so this time counts each time. The
//! bench starts a plugin as Terraform does: with a client certificate, so that the plugin creates
//! its own before it responds (AutoMTLS).

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::Result;
use crate::process::capture;

use super::sides::{Binaries, Plugin};
use super::stats::{Series, cell, digits};
use super::table::Table;

const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// A P-521 certificate, as Terraform creates it. `benches/host` has its key.
const CLIENT_CERTIFICATE: &str = include_str!("../../../src/tfplugin/testdata/host.p521.crt");

/// Lets a plugin finish its start before its memory is read.
const SETTLE: Duration = Duration::from_millis(50);

#[derive(Default)]
struct Figures {
    milliseconds: Series,
    schema_milliseconds: Series,
    resident_kib: Series,
    peak_kib: Series,
}

/// Measures all plugins and returns the table.
pub fn measure(binaries: &Binaries, quick: bool) -> Result<Table> {
    let rounds = if quick { 10 } else { 40 };
    let plugins: Vec<&Plugin> = binaries.all().collect();
    let mut figures: Vec<Figures> = plugins.iter().map(|_| Figures::default()).collect();
    eprintln!("handshake: {rounds} rounds");
    for round in 0..=rounds {
        for (plugin, figures) in plugins.iter().zip(&mut figures) {
            // The first round only fills the page cache.
            let mut uncounted = Figures::default();
            let figures = if round > 0 { figures } else { &mut uncounted };
            one_round(plugin, binaries.host.as_deref(), figures)
                .map_err(|e| format!("{} ({}): {e}", plugin.label, plugin.binary.display()))?;
        }
    }
    let peer = figures.last();
    let mut table = Table::new([
        &format!("plugin, {rounds} starts"),
        "exec → handshake, ms",
        "ratio to Go",
        "handshake → schema, ms",
        "ratio to Go",
        "idle RSS, KiB",
        "peak, KiB",
    ]);
    let whole = |kib: f64| format!("{kib:.0}");
    for (plugin, figures) in plugins.iter().zip(&figures) {
        let base = peer.unwrap_or(figures);
        let ratio = |of: fn(&Figures) -> &Series| cell(&of(figures).over(of(base)), digits);
        table.push([
            plugin.label,
            &cell(&figures.milliseconds, digits),
            &ratio(|figures| &figures.milliseconds),
            &cell(&figures.schema_milliseconds, digits),
            &ratio(|figures| &figures.schema_milliseconds),
            &cell(&figures.resident_kib, whole),
            &cell(&figures.peak_kib, whole),
        ]);
    }
    Ok(table)
}

/// Starts a plugin twice: one runs idle until its memory is read; the other one must send its
/// schema at once.
fn one_round(plugin: &Plugin, host: Option<&Path>, figures: &mut Figures) -> Result<()> {
    let idle = Started::new(plugin)?;
    sleep(SETTLE);
    let status = fs::read_to_string(format!("/proc/{}/status", idle.child.id()))?;
    figures.milliseconds.push(milliseconds(idle.after));
    figures.resident_kib.push(kib(&status, "VmRSS:")?);
    figures.peak_kib.push(kib(&status, "VmHWM:")?);
    drop(idle);
    let Some(host) = host else {
        return Ok(());
    };
    let asked = Started::new(plugin)?;
    let microseconds: u32 = capture(Command::new(host).arg(&asked.address))?
        .trim()
        .parse()
        .map_err(|e| format!("{} printed no number: {e}", host.display()))?;
    let taken = Duration::from_micros(microseconds.into());
    figures.schema_milliseconds.push(milliseconds(taken));
    Ok(())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// A plugin that has printed its address; killed on drop.
struct Started {
    child: Child,
    address: String,
    after: Duration,
    /// A killed plugin does not delete its socket, so this folder contains it.
    _folder: TempDir,
}

impl Started {
    fn new(plugin: &Plugin) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(&plugin.binary);
        command
            .env("TF_PLUGIN_MAGIC_COOKIE", COOKIE)
            .env("PLUGIN_PROTOCOL_VERSIONS", "6")
            .env("PLUGIN_CLIENT_CERT", CLIENT_CERTIFICATE)
            .env("PLUGIN_UNIX_SOCKET_DIR", folder.path())
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let began = Instant::now();
        let mut started = Self {
            child: command.spawn()?,
            address: String::new(),
            after: Duration::ZERO,
            _folder: folder,
        };
        let stdout = started.child.stdout.take();
        let mut line = String::new();
        BufReader::new(stdout.ok_or("it has no standard output")?).read_line(&mut line)?;
        started.after = began.elapsed();
        // CORE|APP|NETWORK|ADDRESS|PROTOCOL|SERVER_CERTIFICATE
        let parts: Vec<&str> = line.trim_end().split('|').collect();
        let [_, _, "unix", address, _, certificate] = parts[..] else {
            return Err(format!("its handshake has no Unix socket: {line:?}").into());
        };
        if certificate.is_empty() {
            return Err(format!("its handshake has no certificate: {line:?}").into());
        }
        address.clone_into(&mut started.address);
        Ok(started)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kib(status: &str, field: &str) -> Result<f64> {
    status
        .lines()
        .find_map(|line| {
            line.strip_prefix(field)?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .ok_or_else(|| format!("its /proc status has no {field}").into())
}
