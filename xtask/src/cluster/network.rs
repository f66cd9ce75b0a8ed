//! The bridge that the nodes are on, and the network namespace of each node.
//!
//! Nodes reach each other and the host over the bridge, and nothing else. Routes
//! to pods and Services are there before any pod is, else the host would send
//! such packets out by its default route.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::Result;
use crate::process::{capture, failed, output};

use super::layout::{HOST, Tenant};

const BRIDGE: &str = "flower0";
/// What comes from a node and is for neither another node nor the host goes
/// nowhere, even where the host forwards for other reasons.
const FORWARDED: &str = "iif flower0 priority 100 prohibit";
const NAMESPACES: &str = "/run/netns";
/// Pods of one node talk over its bridge, past the filter unless this is set.
const FILTER_BRIDGE: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";

const NO_BRIDGE_FILTER: &str = "\
the kernel cannot filter what crosses a bridge, so no NetworkPolicy would hold between pods.
Load the module that can: modprobe br_netfilter";

/// Makes the bridge, with the host on it.
pub fn make_bridge() -> Result<()> {
    if !std::fs::exists(FILTER_BRIDGE)? {
        return Err(NO_BRIDGE_FILTER.into());
    }
    ip(
        &[],
        &format!(
            "link add {BRIDGE} type bridge\n\
             addr add {HOST}/24 dev {BRIDGE}\n\
             link set {BRIDGE} up\n\
             rule add {FORWARDED}\n"
        ),
    )
}

/// Makes a node's namespace and plugs it into the bridge.
pub fn make_node(tenant: &Tenant) -> Result<()> {
    let (link, address) = (tenant.link(), tenant.address());
    let (pods, services) = (tenant.pods(), tenant.services());
    ip(
        &[],
        &format!(
            "netns add {link}\n\
             link add {link} type veth peer name eth0 netns {link}\n\
             link set {link} master {BRIDGE} up\n\
             route add {pods} via {address}\n\
             route add blackhole {services}\n"
        ),
    )?;
    ip(
        &["-n", &link],
        &format!(
            "link set lo up\n\
             addr add {address}/24 dev eth0\n\
             link set eth0 up\n\
             route add default via {HOST}\n"
        ),
    )?;
    let namespace = namespace(tenant);
    capture(Command::new("nsenter").args([
        &namespace,
        "sh",
        "-c",
        &format!("echo 1 > /proc/sys/net/ipv4/ip_forward && echo 1 > {FILTER_BRIDGE}"),
    ]))?;
    // The other nodes know no way back to a pod.
    pipe(
        Command::new("nsenter").args([&namespace, "nft", "-f", "-"]),
        &format!(
            "table ip flower {{\n\
               chain leave {{\n\
                 type nat hook postrouting priority srcnat;\n\
                 ip saddr {pods} ip daddr != {pods} masquerade\n\
               }}\n\
             }}\n"
        ),
    )
}

/// `nsenter`'s way into a node's namespace.
pub fn namespace(tenant: &Tenant) -> String {
    format!("--net={NAMESPACES}/{}", tenant.link())
}

/// Removes whatever is there of all this.
pub fn remove(tenants: &[Tenant]) -> Result<()> {
    let namespaces = capture(Command::new("ip").args(["netns", "list"]))?;
    for tenant in tenants {
        let link = tenant.link();
        if namespaces
            .lines()
            .any(|line| line.split(' ').next() == Some(&link))
        {
            capture(Command::new("ip").args(["netns", "delete", &link]))?;
        }
        remove_link(&link)?;
        // It goes by the way it was made, so another's route is never hit.
        output(Command::new("ip").args(["route", "del", "blackhole", &tenant.services()]))?;
    }
    remove_link(BRIDGE)?;
    output(
        Command::new("ip")
            .args(["rule", "del"])
            .args(FORWARDED.split(' ')),
    )?;
    // `ip` mounts this folder when it makes a first namespace, and leaves it.
    if std::fs::read_dir(NAMESPACES).is_ok_and(|mut left| left.next().is_none()) {
        output(Command::new("umount").arg(NAMESPACES))?;
        std::fs::remove_dir(NAMESPACES).ok();
    }
    Ok(())
}

fn remove_link(name: &str) -> Result<()> {
    if std::fs::exists(format!("/sys/class/net/{name}"))? {
        // With a namespace goes its cable, but a moment later.
        let removed = output(Command::new("ip").args(["link", "delete", name]))?;
        if !removed.status.success() && std::fs::exists(format!("/sys/class/net/{name}"))? {
            return Err(format!("the link {name} cannot be removed").into());
        }
    }
    Ok(())
}

fn ip(options: &[&str], commands: &str) -> Result<()> {
    pipe(
        Command::new("ip").args(options).args(["-batch", "-"]),
        commands,
    )
}

/// Runs a command with a text on its standard input.
fn pipe(command: &mut Command, text: &str) -> Result<()> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| {
            format!(
                "`{}` could not be started: {e}",
                crate::process::line_of(command)
            )
        })?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(text.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        Ok(())
    } else {
        Err(failed(command, &output).into())
    }
}
