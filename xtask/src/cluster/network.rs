//! The bridge between the nodes, and the network namespace of each node.
//!
//! Over the bridge, nodes can connect only to each other and to the host. The routes to pods and
//! Services exist before the first pod; otherwise, the host would send such packets to its default
//! route.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::Result;
use crate::process::{capture, failed, output};

use super::layout::{HOST, Tenant};

const BRIDGE: &str = "flower0";
/// Packets from a node to anything but another node or the host are dropped, even if the host
/// forwards packets for other reasons.
const FORWARDED: &str = "iif flower0 priority 100 prohibit";
const NAMESPACES: &str = "/run/netns";
/// Without this setting, packets between pods of one node cross its bridge without the filter.
const FILTER_BRIDGE: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";

const NO_BRIDGE_FILTER: &str = "\
the kernel cannot filter packets on a bridge, so a NetworkPolicy would have no effect between pods.
Load the module for this: modprobe br_netfilter";

/// Creates the bridge and connects the host to it.
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

/// Creates the namespace of a node and connects it to the bridge.
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
    // The other nodes have no route back to a pod.
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

/// The `nsenter` command for the namespace of a node.
pub fn namespace(tenant: &Tenant) -> String {
    format!("--net={NAMESPACES}/{}", tenant.link())
}

/// Removes all of this, as far as it exists.
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
        // Deleted exactly as it was created, so this never deletes another route.
        output(Command::new("ip").args(["route", "del", "blackhole", &tenant.services()]))?;
    }
    remove_link(BRIDGE)?;
    output(
        Command::new("ip")
            .args(["rule", "del"])
            .args(FORWARDED.split(' ')),
    )?;
    // `ip` mounts this folder when it creates the first namespace, and does not unmount it.
    if std::fs::read_dir(NAMESPACES).is_ok_and(|mut left| left.next().is_none()) {
        output(Command::new("umount").arg(NAMESPACES))?;
        std::fs::remove_dir(NAMESPACES).ok();
    }
    Ok(())
}

fn remove_link(name: &str) -> Result<()> {
    if std::fs::exists(format!("/sys/class/net/{name}"))? {
        // The veth pair disappears with its namespace, but a moment later.
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
                "failed to start `{}`: {e}",
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
