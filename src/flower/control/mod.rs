//! Flower's Control API: it starts, lists and stops runs, reads their logs and registers nodes. Up
//! to 1.36 it is gRPC, from 1.37 on protobuf over HTTP; one client supports both.
//!
//! An address is parsed once ([`ControlEndpoint`]), a client is created from it without any IO
//! ([`ControlClient`]), and one client for each address lives as long as the process
//! ([`ControlPool`]), so that a thousand resources share its connections and its replies
//! ([`SharedReads`]). Errors are grouped by their remedy ([`ControlError`]). They also tell whether
//! a request may have been executed although no reply arrived, which decides what [`submit`] does
//! next.

mod call;
mod client;
mod dial;
mod dialect;
mod either;
mod endpoint;
mod endpoint_error;
mod error;
mod federation;
mod framing;
mod grpc;
mod http;
mod location;
mod logs;
mod node;
mod pool;
mod refusal;
mod run;
mod run_id;
mod run_status;
mod scheme;
mod shared;
mod start_run;
mod submit;
mod submit_ledger;
mod tls;
mod token;
mod transport;
#[cfg(not(test))]
mod wire;
#[cfg(test)]
pub(crate) mod wire;

#[cfg(test)]
pub(crate) mod fake;

pub use super::link::Duplex;
pub use super::tls::TlsReason;
pub use call::Call;
pub use client::{ControlClient, Deadlines};
pub use dial::Dial;
pub use endpoint::{ControlEndpoint, Protocol};
pub use endpoint_error::EndpointError;
pub use error::{Answer, ControlError};
pub use federation::Federation;
pub use location::{Location, NotALocation};
pub use logs::{LogChunk, LogStream, LogTail};
pub use node::{NewNode, Node, NodeId, NodeStatus, NotANodeId};
pub use pool::ControlPool;
pub use run::{Run, RunListing, Timestamp, Usage, is_default_federation};
pub use run_id::{NotARunId, RunId};
pub use run_status::{RunStatus, SubStatus};
pub use shared::SharedReads;
pub use start_run::{SimulationConfig, StartRun};
pub use submit::{FindError, Submission, SubmitError, Submitted, find_lost, submit};
pub use token::AccountToken;
