//! The control plane of a cluster: etcd, the API server and the controllers.

use std::path::Path;
use std::time::Duration;

use crate::Result;

use super::api::Api;
use super::binaries::Binaries;
use super::kubeconfig;
use super::layout::{Tenant, write};
use super::network::namespace;
use super::program::{Program, wait_for};

/// Starts programs in the network namespace of a node.
pub struct Starter<'a> {
    pub state: &'a Path,
    pub tenant: &'a Tenant,
    pub binaries: &'a Binaries,
}

impl Starter<'_> {
    /// Starts one of our binaries in the network namespace of the node.
    pub fn start(&self, name: &str, flags: &[String]) -> Result<Program> {
        self.start_with(name, &["nsenter".into(), namespace(self.tenant)], flags)
    }

    /// The same, through other programs.
    pub fn start_with(&self, name: &str, wrapper: &[String], flags: &[String]) -> Result<Program> {
        let binary = self.binaries.path(name).to_string_lossy().into_owned();
        let command_line = [wrapper, &[binary], flags].concat();
        Program::start(
            self.state,
            &format!("{}-{name}", self.tenant.letter()),
            &command_line,
        )
    }

    /// Starts etcd and the API server, which is not ready yet when this returns.
    pub fn api_server(&self) -> Result<Vec<Program>> {
        Ok(vec![
            self.start("etcd", &self.etcd_flags())?,
            self.start("kube-apiserver", &self.api_server_flags())?,
        ])
    }

    /// Waits for the API server, then starts the controllers.
    pub fn controllers(&self, api: &Api, programs: &mut Vec<Program>) -> Result<()> {
        // Before it is ready, the roles of the other programs do not exist, and these would exit.
        wait_for(
            &format!("the API server of {}", self.tenant.context()),
            Duration::from_mins(1),
            programs,
            || Ok(api.answers("/readyz")),
        )?;
        for name in ["controller-manager", "scheduler", "admin"] {
            kubeconfig::for_program(self.tenant, name)?;
        }
        programs.push(self.start("kube-controller-manager", &self.controller_flags())?);
        programs.push(self.start("kube-scheduler", &self.client_flags("scheduler"))?);
        programs.push(self.dns()?);
        Ok(())
    }

    fn etcd_flags(&self) -> Vec<String> {
        let data = self.tenant.text("etcd");
        flags(&[
            ("data-dir", &data),
            // Data that a power failure would lose is deleted at the next start anyway.
            ("unsafe-no-fsync", "true"),
            ("listen-client-urls", "http://127.0.0.1:2379"),
            ("advertise-client-urls", "http://127.0.0.1:2379"),
            ("listen-peer-urls", "http://127.0.0.1:2380"),
            ("initial-advertise-peer-urls", "http://127.0.0.1:2380"),
            ("initial-cluster", "default=http://127.0.0.1:2380"),
            ("log-level", "warn"),
        ])
    }

    fn api_server_flags(&self) -> Vec<String> {
        let pki = |file: &str| self.tenant.text(&format!("pki/{file}"));
        flags(&[
            ("advertise-address", &self.tenant.address()),
            ("etcd-servers", "http://127.0.0.1:2379"),
            ("service-cluster-ip-range", &self.tenant.services()),
            ("client-ca-file", &pki("ca.pem")),
            ("tls-cert-file", &pki("apiserver.pem")),
            ("tls-private-key-file", &pki("apiserver.key")),
            ("kubelet-certificate-authority", &pki("ca.pem")),
            (
                "kubelet-client-certificate",
                &pki("apiserver-to-kubelet.pem"),
            ),
            ("kubelet-client-key", &pki("apiserver-to-kubelet.key")),
            ("kubelet-preferred-address-types", "InternalIP"),
            (
                "service-account-issuer",
                "https://kubernetes.default.svc.cluster.local",
            ),
            ("service-account-signing-key-file", &pki("accounts.key")),
            ("service-account-key-file", &pki("accounts.pub")),
            ("authorization-mode", "Node,RBAC"),
            ("enable-admission-plugins", "NodeRestriction"),
            ("profiling", "false"),
        ])
    }

    fn controller_flags(&self) -> Vec<String> {
        let mut all = self.client_flags("controller-manager");
        all.extend(flags(&[
            (
                "service-account-private-key-file",
                &self.tenant.text("pki/accounts.key"),
            ),
            ("root-ca-file", &self.tenant.text("pki/ca.pem")),
            ("use-service-account-credentials", "true"),
        ]));
        all
    }

    /// The common flags of the controller manager and the scheduler.
    fn client_flags(&self, keys: &str) -> Vec<String> {
        flags(&[
            (
                "kubeconfig",
                &self.tenant.text(&format!("{keys}.kubeconfig")),
            ),
            ("bind-address", "127.0.0.1"),
            ("authentication-skip-lookup", "true"),
            // There is only one instance, and an election takes seconds.
            ("leader-elect", "false"),
        ])
    }

    fn dns(&self) -> Result<Program> {
        let corefile = format!(
            ".:53 {{\n  \
               bind {address}\n  \
               errors\n  \
               kubernetes cluster.local in-addr.arpa {{\n    \
                 kubeconfig {kubeconfig}\n    \
                 pods insecure\n  \
               }}\n\
             }}\n",
            address = self.tenant.address(),
            kubeconfig = self.tenant.text("admin.kubeconfig"),
        );
        write(&self.tenant.path("Corefile"), corefile)?;
        self.start("coredns", &["-conf".into(), self.tenant.text("Corefile")])
    }
}

/// Writes each pair as `--name=value`.
pub fn flags(pairs: &[(&str, &str)]) -> Vec<String> {
    pairs
        .iter()
        .map(|(name, value)| format!("--{name}={value}"))
        .collect()
}
