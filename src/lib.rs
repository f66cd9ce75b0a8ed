//! The Terraform provider for Flower.
//!
//! Arrows point one way: `provider → data_sources → resources → {flower, runtime, pki}`, and resources speak to
//! Terraform through `tfplugin`, which knows no Flower.

pub mod data_sources;
pub mod docs;
pub mod flower;
pub mod pki;
pub mod provider;
pub mod resources;
pub mod runtime;
mod terminal;
pub mod tfplugin;
