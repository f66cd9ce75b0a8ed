//! Terraform's plugin protocol, major 6, served at minor 6.10. Nothing here knows Flower.
//!
//! A provider implements [`Provider`] and hands itself to [`serve`]; its resources, data sources,
//! functions and ephemeral resources implement the traits beside it. Everything in between, from
//! the go-plugin handshake to planning from a schema, lives in this folder.

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
