//! Apps from repositories of real servers on loopback: git's own HTTP backend and sshd.

mod content;
mod http;
mod http_faults;
mod local;
mod repository;
mod server;
mod ssh;
mod ssh_server;

/// The program that reads a repository in a process of its own.
fn program() -> std::path::PathBuf {
    // Cargo builds examples into another folder than binaries.
    let provider = std::path::Path::new(env!("CARGO_BIN_EXE_terraform-provider-flower"));
    provider.with_file_name("examples").join("git-read")
}
