//! The control client with a real SuperLink: with and without TLS, its replies, its refusals, and
//! faults of the network between them.
//!
//! Everything runs on loopback and is started with the command lines of `flower::launch`, so these
//! tests also check that Flower accepts these command lines.

mod accounts;
mod eras;
mod faults;
mod hub;
mod node_config;
mod nodes;
mod refusals;
mod rig;
mod runs;
