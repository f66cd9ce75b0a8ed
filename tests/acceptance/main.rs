//! The acceptance tier: the real Terraform (or OpenTofu) drives the provider through plan, apply,
//! an empty second plan, changes, imports and destroy, on real Flower processes.
//!
//! One file for each resource and one for the data sources. The others are about what all of them
//! share: the plugin layer and who may call it (`plugin`, `automtls`), texts that nobody should write
//! (`garbage`), configurations by chance (`generated`), secrets that must be nowhere (`canary`), the pages'
//! examples (`examples`), states that earlier providers wrote (`earlier_state`) and Flower's older
//! releases (`eras`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc
)]

mod accounts;
mod app_run;
mod automtls;
mod canary;
mod data_sources;
mod earlier_state;
mod eras;
mod examples;
mod front_door;
mod garbage;
mod generated;
#[path = "../generator/mod.rs"]
mod generator;
mod plugin;
mod superlink;
mod supernode;
mod supernode_key;
mod workspace;
