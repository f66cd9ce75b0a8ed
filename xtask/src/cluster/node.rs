//! The node of a cluster: containerd, kubelet and kube-proxy.
//!
//! They share their own mount namespace, so that all their mounts for pods disappear with the last
//! of their processes.

use std::time::Duration;

use serde_json::json;

use crate::Result;

use super::cgroups;
use super::control_plane::{Starter, flags};
use super::images::PAUSE;
use super::kubeconfig;
use super::layout::{REGISTRY, Tenant, make_folder, write};
use super::network::namespace;
use super::program::{Program, wait_for};

/// Folders that the programs always use, even if they are configured to write elsewhere. The node
/// gets empty ones in memory instead.
pub const COVERED: [&str; 5] = [
    "/etc/cni",
    "/run/containerd",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log/containers",
];

/// Kubernetes needs shared mounts within the node, but no mount may be shared with the host.
const COVER: &str = r#"
mount --make-rshared /
for folder in $0; do mkdir -p "$folder" && mount -t tmpfs tmpfs "$folder" || exit; done
exec "$@""#;

const CNI_PLUGINS: &str = "/usr/lib/cni";
const RUNC: &str = "/usr/sbin/runc";

impl Starter<'_> {
    /// Starts containerd, which the kubelet needs.
    pub fn containerd(&self) -> Result<Program> {
        let tenant = self.tenant;
        write(
            &tenant.path("registries/_default/hosts.toml"),
            format!(
                "server = \"http://{REGISTRY}\"\n\n\
                 [host.\"http://{REGISTRY}\"]\ncapabilities = [\"pull\", \"resolve\"]\n"
            ),
        )?;
        write(&tenant.path("cni/10-bridge.conflist"), cni(tenant))?;
        write(&tenant.path("containerd.toml"), self.containerd_config())?;
        // Images contain many small files: on a disk, unpacking them would delay the first pods,
        // and removing them would take up to a minute.
        let in_memory = format!("{} {}", COVERED.join(" "), tenant.text("containerd"));
        let wrapper = [
            "nsenter",
            &namespace(tenant),
            "unshare",
            "--mount",
            "--propagation=private",
            "sh",
            "-c",
            COVER,
            &in_memory,
        ]
        .map(str::to_owned);
        self.start_with(
            "containerd",
            &wrapper,
            &[format!("--config={}", tenant.text("containerd.toml"))],
        )
    }

    /// Starts the kubelet and kube-proxy.
    pub fn kubelet(&self, containerd: Program, programs: &mut Vec<Program>) -> Result<()> {
        let tenant = self.tenant;
        let mounts = format!("--mount=/proc/{}/ns/mnt", containerd.pid());
        programs.push(containerd);
        wait_for(
            &format!("containerd of {}", tenant.context()),
            Duration::from_secs(30),
            programs,
            || Ok(tenant.path("containerd.sock").exists()),
        )?;

        for name in ["kubelet", "proxy"] {
            kubeconfig::for_program(tenant, name)?;
        }
        write(
            &tenant.path("resolv.conf"),
            format!("nameserver {}\n", tenant.address()),
        )?;
        make_folder(&tenant.path("volumes"))?;
        write(&tenant.path("kubelet.json"), kubelet_config(tenant)?)?;
        programs.push(self.start_with(
            "kubelet",
            &["nsenter".into(), namespace(tenant), mounts],
            &flags(&[
                ("config", &tenant.text("kubelet.json")),
                ("kubeconfig", &tenant.text("kubelet.kubeconfig")),
                ("root-dir", &tenant.text("kubelet")),
                ("hostname-override", &tenant.node()),
                ("node-ip", &tenant.address()),
            ]),
        )?);

        write(&tenant.path("proxy.json"), proxy_config(tenant))?;
        programs.push(self.start(
            "kube-proxy",
            &[format!("--config={}", tenant.text("proxy.json"))],
        )?);
        Ok(())
    }

    fn containerd_config(&self) -> String {
        let tenant = self.tenant;
        format!(
            r#"version = 3
root = "{root}"
state = "{state}"

[grpc]
address = "{socket}"

[plugins."io.containerd.nri.v1.nri"]
disable = true

[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"
discard_unpacked_layers = true
pinned_images = {{ sandbox = "{PAUSE}" }}
registry = {{ config_path = "{registries}" }}

[plugins."io.containerd.cri.v1.runtime"]
# The processes of a container host may not have the right to lower a score.
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
cni = {{ bin_dirs = ["{CNI_PLUGINS}"], conf_dir = "{cni}" }}

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
runtime_path = "{shim}"
options = {{ BinaryName = "{RUNC}", SystemdCgroup = false }}
"#,
            root = tenant.text("containerd"),
            state = tenant.text("containerd-run"),
            socket = tenant.text("containerd.sock"),
            registries = tenant.text("registries"),
            cni = tenant.text("cni"),
            shim = self.binaries.path("containerd-shim-runc-v2").display(),
        )
    }
}

fn cni(tenant: &Tenant) -> String {
    json!({
        "cniVersion": "1.0.0",
        "name": "pods",
        "plugins": [{
            "type": "bridge",
            "bridge": "pods",
            "isDefaultGateway": true,
            "hairpinMode": true,
            "ipam": {
                "type": "host-local",
                "ranges": [[{ "subnet": tenant.pods() }]],
                "dataDir": tenant.text("cni-addresses"),
            },
        }],
    })
    .to_string()
}

fn kubelet_config(tenant: &Tenant) -> Result<String> {
    let config = json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": tenant.address(),
        "readOnlyPort": 0,
        "tlsCertFile": tenant.text("pki/kubelet-server.pem"),
        "tlsPrivateKeyFile": tenant.text("pki/kubelet-server.key"),
        "authentication": {
            "anonymous": { "enabled": false },
            "webhook": { "enabled": true },
            "x509": { "clientCAFile": tenant.text("pki/ca.pem") },
        },
        "authorization": { "mode": "Webhook" },
        "containerRuntimeEndpoint": format!("unix://{}", tenant.text("containerd.sock")),
        "clusterDNS": [tenant.address()],
        "clusterDomain": "cluster.local",
        "resolvConf": tenant.text("resolv.conf"),
        "podLogsDir": tenant.text("pod-logs"),
        "volumePluginDir": tenant.text("volume-plugins"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroups::for_pods(&tenant.letter())?,
        "failCgroupV1": false,
        "enforceNodeAllocatable": [],
        "failSwapOn": false,
        "makeIPTablesUtilChains": false,
        "oomScoreAdj": 0,
        "maxOpenFiles": 20_000,
        "serializeImagePulls": false,
        // The disk of a developer may be fuller than that of a server.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "1%",
            "nodefs.inodesFree": "1%",
            "imagefs.available": "1%",
        },
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    });
    Ok(config.to_string())
}

fn proxy_config(tenant: &Tenant) -> String {
    json!({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": { "kubeconfig": tenant.text("proxy.kubeconfig") },
        "clusterCIDR": tenant.pods(),
        "hostnameOverride": tenant.node(),
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        "oomScoreAdj": 0,
        // Zero does not change the connection tracking of the host.
        "conntrack": { "maxPerCore": 0, "min": 0 },
    })
    .to_string()
}
