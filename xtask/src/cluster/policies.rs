//! What makes NetworkPolicies hold: kube-router, as a firewall and nothing else.
//!
//! The bridge plugin knows no policies, so that a cluster of its own would take
//! them and let every packet through. kube-router keeps one chain for each pod
//! in the node's network namespace, and its rules are gone with that.

use std::process::Command;
use std::time::Duration;

use crate::Result;
use crate::process::output;

use super::control_plane::{Starter, flags};
use super::kubeconfig;
use super::network::namespace;
use super::program::{Program, wait_for};

/// The last of the chains that are there before the first policy is.
const CHAIN: &str = "KUBE-NWPLCY-DEFAULT";

impl Starter<'_> {
    /// Starts it on a node that is registered, and waits until it works.
    pub fn policies(&self, programs: &mut Vec<Program>) -> Result<()> {
        let tenant = self.tenant;
        kubeconfig::for_program(tenant, "kube-router")?;
        programs.push(self.start(
            "kube-router",
            &flags(&[
                ("run-firewall", "true"),
                ("run-router", "false"),
                ("run-service-proxy", "false"),
                ("kubeconfig", &tenant.text("kube-router.kubeconfig")),
                ("hostname-override", &tenant.node()),
                ("service-cluster-ip-range", &tenant.services()),
                ("health-port", "0"),
            ]),
        )?);
        wait_for(
            &format!("the network policies of {}", tenant.context()),
            Duration::from_secs(30),
            programs,
            || {
                let chain = ["iptables", "--wait", "--list-rules", CHAIN];
                let listed = output(Command::new("nsenter").arg(namespace(tenant)).args(chain))?;
                Ok(listed.status.success())
            },
        )
    }
}
