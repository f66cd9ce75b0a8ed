//! Checks from inside pods.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::{AttachParams, LogParams};
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use crate::tenant::{Tenant, wait};
use crate::workspace::eventually;

/// Starts a pod that contains only Python.
pub fn start(tenant: &Tenant, name: &str, command: &[&str]) {
    let prefix = std::env::var("FLOWER_TEST_IMAGE_PREFIX").unwrap_or_default();
    let _: Pod = tenant.create(json!({
        "metadata": { "name": name, "labels": { "app.kubernetes.io/instance": name } },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": 49_999,
                "seccompProfile": { "type": "RuntimeDefault" },
            },
            "containers": [{
                "name": name,
                "image": format!("{prefix}flwr/python:1"),
                "command": command,
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": { "drop": ["ALL"] },
                },
            }],
        },
    }));
}

/// Runs a command in a new pod in the namespace of a tenant; returns its output.
pub fn run_in_a_pod(tenant: &Tenant, command: &[&str]) -> String {
    start(tenant, "probe", command);
    eventually("the end of the probe", || {
        let phase = tenant.get::<Pod>("probe").status.and_then(|one| one.phase);
        ["Succeeded", "Failed"].contains(&phase.unwrap_or_default().as_str())
    });
    let log = wait(tenant.all::<Pod>().logs("probe", &LogParams::default()));
    tenant.delete::<Pod>("probe");
    log.unwrap()
}

/// Runs a command in a container of an object's pod; returns its output.
pub fn run(tenant: &Tenant, object: &str, container: &str, command: &[&str]) -> String {
    let pod = tenant.pods(object).first().unwrap().name_any();
    wait(async {
        let params = AttachParams::default().container(container);
        let all = tenant.all::<Pod>();
        let words = command.iter().copied();
        let mut attached = all.exec(&pod, words, &params).await.unwrap();
        let mut text = String::new();
        let mut stdout = attached.stdout().unwrap();
        stdout.read_to_string(&mut text).await.unwrap();
        attached.join().await.unwrap();
        text
    })
}

/// Runs a shell command there; returns its output.
pub fn shell(tenant: &Tenant, object: &str, container: &str, script: &str) -> String {
    run(tenant, object, container, &["sh", "-c", script])
}

/// The ports at which an object's pod accepts connections.
pub fn listening(tenant: &Tenant, object: &str, container: &str) -> BTreeSet<u16> {
    const LISTEN: &str = "0A";
    let sockets = shell(
        tenant,
        object,
        container,
        "cat /proc/net/tcp /proc/net/tcp6",
    );
    let loopback = |address: &str| {
        // Words of four bytes in the byte order of the machine.
        address == "0100007F" || address == "00000000000000000000000001000000"
    };
    sockets
        .lines()
        .filter_map(|line| {
            let mut columns = line.split_whitespace().skip(1);
            let (address, port) = columns.next()?.split_once(':')?;
            let state = columns.nth(1)?;
            let port = u16::from_str_radix(port, 16).ok()?;
            (state == LISTEN && !loopback(address)).then_some(port)
        })
        .collect()
}
