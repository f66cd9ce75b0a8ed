//! `cargo xtask cluster status`: the programs and nodes, and whether all of them work.

use std::fs;

use serde_json::Value;

use crate::Result;

use super::api::Api;
use super::cgroups::Members;
use super::layout::{Folders, STORAGE_CLASS, Tenant, write};
use super::program::recorded;

/// Prints the status; returns whether everything is as `up` left it.
pub fn print(folders: &Folders) -> Result<bool> {
    let state = folders.state();
    let tenants = running(folders);
    let members = Members::now()?;
    if tenants.is_empty() {
        println!("no cluster is up");
        return Ok(members.is_empty());
    }
    let mut is_healthy = true;
    for (name, pid) in recorded(&state) {
        let runs = members.programs.contains(&pid);
        is_healthy &= runs;
        let word = if runs { "runs" } else { "ended" };
        println!("{name:<28} {word} (pid {pid})");
    }
    for tenant in &tenants {
        let ready = Api::new(tenant).is_ok_and(|api| api.takes_pods(&tenant.node()));
        is_healthy &= ready;
        let word = if ready { "ready" } else { "not ready" };
        println!(
            "{:<28} {word}, {} at {}",
            tenant.node(),
            tenant.context(),
            tenant.server()
        );
    }
    println!("{:<28} {}", "processes of pods", members.pods.len());
    println!("{:<28} {STORAGE_CLASS}", "storage class");
    println!("{:<28} {}", "kubeconfig", folders.kubeconfig().display());
    println!("{:<28} {}", "logs", state.join("logs").display());
    Ok(is_healthy)
}

/// Records the options of the last complete `up`.
pub fn record(folders: &Folders, plan: &Value) -> Result<()> {
    write(&folders.state().join("plan.json"), plan.to_string())
}

fn recorded_plan(folders: &Folders) -> Option<Value> {
    let text = fs::read(folders.state().join("plan.json")).ok()?;
    serde_json::from_slice(&text).ok()
}

/// The tenants that run according to the record.
pub fn running(folders: &Folders) -> Vec<Tenant> {
    let count = recorded_plan(folders)
        .and_then(|plan| u8::try_from(plan.get("tenants")?.as_u64()?).ok())
        .unwrap_or(0);
    Tenant::first(count, &folders.state())
}

/// Whether the clusters already run with these options, and work.
pub fn is_healthy(folders: &Folders, plan: &Value) -> Result<bool> {
    let members = Members::now()?;
    Ok(recorded_plan(folders).as_ref() == Some(plan)
        && recorded(&folders.state())
            .iter()
            .all(|(_, pid)| members.programs.contains(pid))
        && running(folders)
            .iter()
            .all(|tenant| Api::new(tenant).is_ok_and(|api| api.takes_pods(&tenant.node()))))
}
