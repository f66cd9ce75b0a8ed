//! Enforces NetworkPolicies: kube-router, only as a firewall.
//!
//! The bridge plugin does not implement policies, so a cluster without this would accept them and
//! let every packet through. kube-router adds one chain for each pod to the node's network
//! namespace; its rules disappear with the namespace.

use std::process::Command;
use std::time::Duration;

use crate::Result;
use crate::process::output;

use super::control_plane::{Starter, flags};
use super::kubeconfig;
use super::network::namespace;
use super::program::{Program, wait_for};

/// The last chain that exists before the first policy.
const CHAIN: &str = "KUBE-NWPLCY-DEFAULT";

impl Starter<'_> {
    /// Starts it on a registered node, and waits until it works.
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
