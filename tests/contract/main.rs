//! The contract tier: our code with the real Flower from PyPI, on loopback.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc
)]

mod control;
mod database;
mod fab;
mod fab_trees;
mod flower_env;
mod git;
mod refusal;
