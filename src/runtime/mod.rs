//! The places of Flower's processes and secrets. [`Runtime`] is one handle with a trait for each
//! concern, and each kind of place has its own runtime. A runtime knows processes, files, ports and
//! secrets; it knows neither Terraform nor the purpose of the processes.

pub mod artifacts;
mod claim;
mod diagnosis;
mod distrust;
mod environments;
mod error;
mod fault;
mod journal;
pub mod kubernetes;
pub mod local;
mod location;
#[cfg(test)]
pub(crate) mod memory;
mod name;
mod network;
mod objects;
mod observation;
mod pod;
mod python_fault;
mod secrets;
mod workload;

pub use artifacts::Artifacts;
pub use claim::{Claim, Claimed, Managed};
pub use diagnosis::{Diagnosis, Failure, WaitPolicy};
pub use distrust::Distrust;
pub use environments::Environments;
pub use error::RuntimeError;
pub use fault::{Concern, ErrorKind, Fault};
pub use journal::{Journal, JournalEntry};
pub use location::{Location, Whereabouts};
pub use name::{
    Kind, NameError, ObjectName, ObjectRef, Port, is_dns_label, is_dns_subdomain, is_entry_name,
};
pub use network::{Connection, HealthPorts, Layout, LayoutRequest, Network};
pub use objects::{Begun, Objects, Removal};
pub use observation::{Missing, Observation, Part, Readiness};
pub use pod::{
    Duty, Exposure, PodSettings, PullPolicy, Resources, ServiceKind, Storage, TaintEffect,
    Toleration, TolerationOperator, Volume, VolumeSource, check_affinity, is_own_label,
    is_own_mount,
};
pub use python_fault::{InstallFault, PythonFault};
pub use secrets::{SecretEntries, Secrets};
pub use workload::{Content, Health, Process, PythonEnvironment, Workload};

/// A place for Flower's processes and secrets.
pub trait Runtime:
    Location + Environments + Objects + Network + Diagnosis + Secrets + Journal + Artifacts
{
}

impl<T> Runtime for T where
    T: Location + Environments + Objects + Network + Diagnosis + Secrets + Journal + Artifacts
{
}
