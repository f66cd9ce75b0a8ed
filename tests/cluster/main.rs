//! The cluster tier: the real Terraform (or OpenTofu) drives the provider on a real Kubernetes, with
//! real pods that run real Flower.
//!
//! KUBECONFIG names the cluster: one that `cargo xtask cluster up` made, or any other. Tests make
//! namespaces of their own and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc
)]

mod access;
mod apps;
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
// Shared with the acceptance tier, which uses all of it.
#[allow(dead_code)]
#[path = "../acceptance/workspace.rs"]
mod workspace;
