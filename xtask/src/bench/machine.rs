//! Describes the machine: the figures mean nothing without it.

use std::fs;
use std::process::Command;

use crate::Result;
use crate::process::capture;
use crate::tools::Terraform;

/// A sentence for the beginning of the tables.
pub fn describe(terraform: &Terraform) -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "CPU unknown".into());
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .map_or_else(
            || "memory unknown".to_owned(),
            |kib| format!("{} GiB", (kib + (1 << 19)) >> 20),
        );
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").map_or_else(
        |_| "kernel unknown".to_owned(),
        |text| text.trim().to_owned(),
    );
    let rustc = first_words(&capture(Command::new("rustc").arg("-V"))?, 2);
    let go = capture(Command::new("go").arg("version"))
        .map_or_else(|_| "no Go".to_owned(), |text| first_words(&text, 3));
    Ok(format!(
        "Measured on {cores} cores ({processor}), {memory}, Linux {kernel}, with {}, {rustc}, {go}. \
         Cells are median (min–max) over the rounds; the sides take turns within a round, and \
         ratios are computed per round.\n",
        terraform.title()
    ))
}

/// The value of the first `key : value` line.
fn field(file: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim().to_owned())
    })
}

fn first_words(text: &str, count: usize) -> String {
    text.split_whitespace()
        .take(count)
        .collect::<Vec<_>>()
        .join(" ")
}
