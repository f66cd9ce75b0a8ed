//! A small client of a cluster's API server.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Method;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use crate::Result;

use super::layout::{STORAGE_CLASS, Tenant};
use super::volumes::PROVISIONER;

/// A cluster, with the rights of its administrator.
pub struct Api {
    agent: Agent,
    server: String,
}

impl Api {
    /// Uses the keys in the tenant's folder.
    pub fn new(tenant: &Tenant) -> Result<Self> {
        let pem = |name: &str| {
            let path = tenant.path(&format!("pki/{name}"));
            fs::read(&path).map_err(|e| format!("{} cannot be read: {e}", path.display()))
        };
        let admin = Certificate::from_pem(&pem("admin.pem")?)?;
        let key = PrivateKey::from_pem(&pem("admin.key")?)?;
        let authority = Certificate::from_pem(&pem("ca.pem")?)?;
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&[authority]))
            .client_cert(Some(ClientCert::new_with_certs(&[admin], key)))
            .build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(Duration::from_secs(10)))
            .http_status_as_error(false)
            // The cluster is on this machine, so the proxy of the environment does not apply.
            .proxy(None)
            .build()
            .new_agent();
        Ok(Self {
            agent,
            server: tenant.server(),
        })
    }

    /// Whether a GET of the path succeeds.
    pub fn answers(&self, path: &str) -> bool {
        self.agent
            .get(format!("{}{path}", self.server))
            .call()
            .is_ok_and(|response| response.status() == 200)
    }

    /// Reads a path.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.send(&Method::GET, path, None)
    }

    /// Creates an object.
    pub fn create(&self, path: &str, object: &Value) -> Result<Value> {
        self.send(&Method::POST, path, Some(object))
    }

    /// Changes the named fields of an object.
    pub fn merge(&self, path: &str, fields: &Value) -> Result<Value> {
        self.send(&Method::PATCH, path, Some(fields))
    }

    /// Deletes an object.
    pub fn delete(&self, path: &str) -> Result<Value> {
        self.send(&Method::DELETE, path, None)
    }

    /// Whether pods can run: the node is ready, and their ServiceAccount exists.
    pub fn takes_pods(&self, node: &str) -> bool {
        let ready = |node: &Value| {
            node.pointer("/status/conditions")
                .and_then(Value::as_array)
                .is_some_and(|conditions| {
                    conditions.iter().any(|condition| {
                        condition["type"] == "Ready" && condition["status"] == "True"
                    })
                })
        };
        self.get(&format!("/api/v1/nodes/{node}"))
            .is_ok_and(|node| ready(&node))
            && self.answers("/api/v1/namespaces/default/serviceaccounts/default")
            && self.answers("/api/v1/namespaces/default/configmaps/kube-root-ca.crt")
    }

    /// Creates the StorageClass of the volumes that `volumes` provisions.
    pub fn create_storage_class(&self) -> Result<()> {
        self.create(
            "/apis/storage.k8s.io/v1/storageclasses",
            &json!({
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {
                    "name": STORAGE_CLASS,
                    "annotations": { "storageclass.kubernetes.io/is-default-class": "true" },
                },
                "provisioner": PROVISIONER,
                "reclaimPolicy": "Delete",
                "volumeBindingMode": "WaitForFirstConsumer",
                "allowVolumeExpansion": true,
            }),
        )
        .map(drop)
    }

    fn send(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let kind = if method == Method::PATCH {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.server))
            .header("content-type", kind);
        let mut response = match body {
            Some(body) => self.agent.run(request.body(body.to_string())?)?,
            None => self.agent.run(request.body(())?)?,
        };
        let text = response.body_mut().read_to_string()?;
        if response.status().is_success() {
            Ok(serde_json::from_str(&text)?)
        } else {
            Err(format!("{method} {path}: {}: {text}", response.status()).into())
        }
    }
}
