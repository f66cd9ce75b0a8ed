//! The kubeconfig files, as JSON, which every YAML parser accepts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::Result;

use super::certificates::{Authority, Identity};
use super::layout::{Tenant, write};

/// Contexts for users and tests, with all keys inline.
#[derive(Default)]
pub struct Kubeconfig {
    clusters: Vec<Value>,
    users: Vec<Value>,
    contexts: Vec<Value>,
}

impl Kubeconfig {
    /// Adds the administrator of a cluster.
    pub fn add(&mut self, tenant: &Tenant, authority: &Authority, admin: &Identity) {
        let name = tenant.context();
        self.clusters.push(json!({
            "name": name,
            "cluster": {
                "server": tenant.server(),
                "certificate-authority-data": STANDARD.encode(&authority.pem),
            },
        }));
        self.users.push(json!({
            "name": name,
            "user": {
                "client-certificate-data": STANDARD.encode(&admin.certificate),
                "client-key-data": STANDARD.encode(&admin.key),
            },
        }));
        self.contexts.push(json!({
            "name": name,
            "context": { "cluster": name, "user": name },
        }));
    }

    /// The file; the context of the first cluster is the current one.
    pub fn text(&self) -> String {
        let current = self.contexts.first().and_then(|first| first.get("name"));
        format!(
            "{:#}\n",
            json!({
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": self.clusters,
                "users": self.users,
                "contexts": self.contexts,
                "current-context": current,
            })
        )
    }
}

/// Writes `<name>.kubeconfig` for a program of the cluster that uses the key `name`.
pub fn for_program(tenant: &Tenant, name: &str) -> Result<()> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "own", "cluster": {
            "server": tenant.server(),
            "certificate-authority": tenant.text("pki/ca.pem"),
        }}],
        "users": [{ "name": name, "user": {
            "client-certificate": tenant.text(&format!("pki/{name}.pem")),
            "client-key": tenant.text(&format!("pki/{name}.key")),
        }}],
        "contexts": [{ "name": "own", "context": { "cluster": "own", "user": name } }],
        "current-context": "own",
    });
    write(
        &tenant.path(&format!("{name}.kubeconfig")),
        config.to_string(),
    )
}
