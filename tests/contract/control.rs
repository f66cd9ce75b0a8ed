//! The control client against a real SuperLink: plain and with TLS, its answers, its refusals, and the
//! faults of a network between the two.
//!
//! Everything runs on loopback and is started with the very command lines that `flower::launch` makes,
//! so these tests say as well that Flower takes those lines.

mod accounts;
mod eras;
mod faults;
mod node_config;
mod nodes;
mod refusals;
mod rig;
mod runs;
