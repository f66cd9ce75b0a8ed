//! The Terraform provider for Flower.
//!
//! Arrows point one way: `provider → data_sources → resources → {report, flower, runtime, pki}` and `report →
//! flower`, and resources speak to Terraform through `tfplugin`, which knows no Flower. All of them may know `beneath`,
//! `error_chain`, `masking`, `pod_address`, `secret_file` and `terminal`, which know none of them.

mod beneath;
pub mod data_sources;
pub mod docs;
mod error_chain;
pub mod flower;
pub mod masking;
pub mod pki;
pub mod pod_address;
pub mod provider;
pub mod report;
pub mod resources;
pub mod runtime;
mod secret_file;
mod terminal;
pub mod tfplugin;

#[cfg(test)]
mod earlier_state_tests;
#[cfg(test)]
mod generated_tests;
#[cfg(test)]
#[path = "../tests/generator/mod.rs"]
mod generator;
#[cfg(test)]
mod life_tests;
