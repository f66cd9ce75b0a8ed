//! The resources, all of the same shape: `model` is the schema, `mod` the life of one object, and
//! what else a folder holds is named for what it does. Resources know Terraform and the domain;
//! the domain knows neither of them.

pub mod app_run;
mod choices;
mod config_values;
mod failure;
pub(crate) mod handover;
mod memory;
mod processes;
mod reach;
pub(crate) mod report;
pub mod superlink;
pub mod supernode;
pub mod supernode_key;
mod timeouts;

use std::sync::Arc;

use crate::flower::control::ControlPool;
use crate::runtime::Runtime;

/// What the provider's configuration comes to: where objects live, and one client for each
/// SuperLink that is talked to.
pub struct Configured {
    pub runtime: Arc<dyn Runtime>,
    pub controls: ControlPool,
}
