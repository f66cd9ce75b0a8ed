//! Terraform's plugin protocol, version 6.10. This module does not depend on Flower.
//!
//! A provider implements [`Provider`] and passes itself to [`serve`]; its resources, data sources,
//! functions and ephemeral resources implement the traits of this module. The module does
//! everything between, from the go-plugin handshake to the plan that follows from a schema.

mod call;
pub mod diagnostic;
mod duration;
mod ephemeral;
mod function;
mod handshake;
pub mod log;
pub mod path;
pub(crate) mod proto;
mod provider;
mod resource;
pub mod schema;
mod serve;
pub(crate) mod service;
mod tls;
pub mod value;

pub use call::{Call, Slot};
pub use duration::{GoDuration, NotADuration};
pub use ephemeral::{AnyEphemeral, Ephemeral, Opened, erase as ephemeral};
pub use function::{Function, FunctionError, Parameter, Signature};
pub use provider::{AnyDataSource, DataSource, Provider, data_source, data_source_schema};
pub use resource::{
    AnyResource, Import, Plan, PlanOutcome, Resource, erase as resource, schema_of,
};
pub use serve::{Mode, serve};
