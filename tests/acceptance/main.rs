//! The acceptance tier: the real Terraform (or OpenTofu) runs the provider through plan, apply, an
//! empty second plan, changes, imports and destroy, with real Flower processes.
//!
//! There is one file for each resource and one for the data sources. The other files are about all
//! of them: the plugin layer and its access control (`plugin`, `automtls`), invalid texts
//! (`garbage`), random configurations (`generated`), secrets that must not be visible (`canary`),
//! the examples of the documentation (`examples`), states of earlier versions of the provider
//! (`earlier_state`) and older Flower releases (`eras`).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc
)]

mod accounts;
mod app_run;
mod artifacts;
mod automtls;
mod browser;
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
mod simulation;
mod sources;
mod superlink;
mod supernode;
mod supernode_key;
mod training;
mod workspace;
