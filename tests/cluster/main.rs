//! The cluster tier: the real Terraform (or OpenTofu) runs the provider on a real Kubernetes, with
//! real pods that run real Flower.
//!
//! KUBECONFIG selects the cluster: one of `cargo xtask cluster up`, or any other. Tests create only
//! their own namespaces.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc
)]

mod access;
mod apps;
mod artifacts;
mod changes;
mod claims;
mod cost;
mod cuts;
mod drift;
mod examples;
mod failures;
mod federation;
mod forwards;
mod gateway;
mod inside;
mod parts;
mod pods;
mod policies;
mod releases;
mod removal;
mod retries;
mod runs;
mod services;
mod tenant;
mod training;
// Shared with the acceptance tier, which uses all of it.
#[allow(dead_code)]
#[path = "../acceptance/workspace.rs"]
mod workspace;
