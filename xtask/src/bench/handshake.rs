//! How long a plugin takes until Terraform can talk to it, and what it then
//! holds.
//!
//! Terraform starts a provider three or four times per command, so this is
//! paid each time. The plugin is started as Terraform does it: with a client
//! certificate, which makes it create its own before it answers (AutoMTLS).

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Result;

use super::sides::{Binaries, Plugin};
use super::stats::{Series, cell, digits};
use super::table::Table;

const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// A P-521 certificate, the kind that Terraform makes. Nobody connects with
/// it, so its key was thrown away.
const CLIENT_CERTIFICATE: &str = include_str!("client_cert.pem");

/// Lets a plugin finish starting up before its memory is read.
const SETTLE: Duration = Duration::from_millis(50);

#[derive(Default)]
struct Figures {
    milliseconds: Series,
    resident_kib: Series,
    peak_kib: Series,
}

/// The table of all plugins.
pub fn measure(binaries: &Binaries, quick: bool) -> Result<Table> {
    let rounds = if quick { 10 } else { 40 };
    let plugins: Vec<&Plugin> = binaries.all().collect();
    let mut figures: Vec<Figures> = plugins.iter().map(|_| Figures::default()).collect();
    eprintln!("handshake: {rounds} rounds");
    for round in 0..=rounds {
        for (plugin, figures) in plugins.iter().zip(&mut figures) {
            // The first round only warms the page cache.
            let counted = (round > 0).then_some(figures);
            spawn_once(plugin, counted)
                .map_err(|e| format!("{} ({}): {e}", plugin.label, plugin.binary.display()))?;
        }
    }
    let peer = figures.last().map(|peer| peer.milliseconds.clone());
    let mut table = Table::new([
        &format!("plugin, {rounds} starts"),
        "exec → handshake, ms",
        "ratio to Go",
        "idle RSS, KiB",
        "peak, KiB",
    ]);
    let whole = |kib: f64| format!("{kib:.0}");
    for (plugin, figures) in plugins.iter().zip(&figures) {
        let base = peer.as_ref().unwrap_or(&figures.milliseconds);
        table.push([
            plugin.label,
            &cell(&figures.milliseconds, digits),
            &cell(&figures.milliseconds.over(base), digits),
            &cell(&figures.resident_kib, whole),
            &cell(&figures.peak_kib, whole),
        ]);
    }
    Ok(table)
}

fn spawn_once(plugin: &Plugin, figures: Option<&mut Figures>) -> Result<()> {
    // A plugin that is killed leaves its socket behind: let it be in here.
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
    let started = Instant::now();
    let mut child = command.spawn()?;
    let outcome = read_handshake(&mut child, started, figures);
    child.kill()?;
    child.wait()?;
    outcome
}

fn read_handshake(
    child: &mut Child,
    started: Instant,
    figures: Option<&mut Figures>,
) -> Result<()> {
    let stdout = child.stdout.take().ok_or("it has no standard output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let elapsed = started.elapsed();
    // CORE|APP|NETWORK|ADDRESS|PROTOCOL|SERVER_CERTIFICATE
    let with_certificate = line
        .trim_end()
        .split('|')
        .nth(5)
        .is_some_and(|certificate| !certificate.is_empty());
    if !with_certificate {
        return Err(format!("its handshake is not one with a certificate: {line:?}").into());
    }
    if let Some(figures) = figures {
        sleep(SETTLE);
        let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        figures.milliseconds.push(elapsed.as_secs_f64() * 1000.0);
        figures.resident_kib.push(kib(&status, "VmRSS:")?);
        figures.peak_kib.push(kib(&status, "VmHWM:")?);
    }
    Ok(())
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
