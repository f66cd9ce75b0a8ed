//! The ports of processes in a pod.

use super::super::Port;

/// The Fleet API, behind the gateway or without it.
pub(super) const FLEET_PORT: u16 = 9092;

/// The file service for artifacts, on the loopback of the pod.
pub(super) const ARTIFACTS_PORT: u16 = 9095;

/// Every object has its own pod with its own loopback, so the ports are always the same.
pub(super) const fn port_number(port: Port) -> u16 {
    match port {
        Port::Api => 8000,
        Port::Fleet => FLEET_PORT,
        Port::Apps => 9091,
        Port::Runtime => 9094,
    }
}
