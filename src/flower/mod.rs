//! Flower: releases, command lines, node configuration, apps and the Control API. This module does
//! not depend on Terraform.

pub mod app_source;
pub mod control;
pub mod dependency;
pub mod exit_meaning;
pub mod fab;
pub mod launch;
pub(crate) mod link;
pub mod node_config;
pub mod progress;
pub mod run_config;
pub mod tls;
pub mod version;
