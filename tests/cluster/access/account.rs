//! The account of a test in a cluster: the administrator of the kubeconfig, or the account of the
//! documentation.

use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use kube::api::{Api, DeleteParams, PostParams};
use kube::config::Kubeconfig;
use serde_json::{Value as Json, json};

use crate::tenant::{Tenant, kubeconfig, soon, wait};

/// The address of the cluster, and the client certificate of the kubeconfig.
pub struct Cluster {
    pub host: String,
    pub ca: String,
    pub certificate: String,
    pub key: String,
}

impl Cluster {
    /// Those of the tenant, or `None` with a message if the kubeconfig uses other credentials.
    pub fn of(tenant: &Tenant) -> Option<Self> {
        let file = Kubeconfig::read_from(kubeconfig()).unwrap();
        let file = serde_json::to_value(file).unwrap();
        let named = |list: &str, name: &Json| {
            let all = file[list].as_array().unwrap().iter();
            let found = all.clone().find(|one| one["name"] == *name);
            found
                .unwrap_or_else(|| panic!("no {name} in {list}"))
                .clone()
        };
        let context = named("contexts", &tenant.context.clone().into());
        let cluster = &named("clusters", &context["context"]["cluster"])["cluster"];
        let user = &named("users", &context["context"]["user"])["user"];
        let found = || {
            Some(Self {
                host: cluster["server"].as_str()?.to_owned(),
                ca: pem(&cluster["certificate-authority-data"])?,
                certificate: pem(&user["client-certificate-data"])?,
                key: pem(&user["client-key-data"])?,
            })
        };
        if found().is_none() {
            eprintln!(
                "NOT RUN in {}: it needs a client certificate",
                tenant.context
            );
        }
        found()
    }

    /// The first half of a provider's settings.
    pub fn host(&self) -> String {
        format!(
            "host = {:?}\ncluster_ca_certificate = {:?}\n",
            self.host, self.ca
        )
    }
}

fn pem(data: &Json) -> Option<String> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(data.as_str()?);
    Some(String::from_utf8(bytes.unwrap()).unwrap())
}

/// The ServiceAccount of `examples/kubernetes/role.yaml`, with only its rights, in a tenant's
/// namespace.
pub struct Account {
    pub token: String,
    cluster_wide: String,
}

impl Account {
    pub fn make(tenant: &Tenant) -> Self {
        let text = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/kubernetes/role.yaml");
        let text = std::fs::read_to_string(text).unwrap();
        let documents: Vec<Json> = serde_saphyr::from_multiple(&text).unwrap();
        // Tests run in parallel, so cluster-wide objects need unique names.
        let cluster_wide = format!("terraform-provider-flower-{}", tenant.namespace);
        for mut one in documents {
            if let Some(namespace) = one["metadata"].get_mut("namespace") {
                *namespace = tenant.namespace.clone().into();
            } else {
                one["metadata"]["name"] = cluster_wide.clone().into();
            }
            if one["roleRef"]["kind"] == "ClusterRole" {
                one["roleRef"]["name"] = cluster_wide.clone().into();
            }
            if let Some(subject) = one.pointer_mut("/subjects/0/namespace") {
                *subject = tenant.namespace.clone().into();
            }
            match one["kind"].as_str().unwrap() {
                "ServiceAccount" => drop(tenant.create::<ServiceAccount>(one)),
                "Role" => drop(tenant.create::<Role>(one)),
                "RoleBinding" => drop(tenant.create::<RoleBinding>(one)),
                "ClusterRole" => create(&tenant.cluster::<ClusterRole>(), one),
                "ClusterRoleBinding" => create(&tenant.cluster::<ClusterRoleBinding>(), one),
                other => panic!("a {other} in role.yaml"),
            }
        }
        let account = Self {
            token: token(tenant, "terraform"),
            cluster_wide,
        };
        soon("the account's rights", || may_begin(tenant));
        account
    }

    /// Removes the objects that do not belong to the namespace.
    pub fn remove(&self, tenant: &Tenant) {
        let roles = tenant.cluster::<ClusterRole>();
        let bindings = tenant.cluster::<ClusterRoleBinding>();
        let how = DeleteParams::default();
        let _ = wait(roles.delete(&self.cluster_wide, &how));
        let _ = wait(bindings.delete(&self.cluster_wide, &how));
    }
}

/// Waits until the API server knows the new rights: those of the `ClusterRole`, which is created
/// last.
fn may_begin(tenant: &Tenant) -> Option<()> {
    let review: SubjectAccessReview = serde_json::from_value(json!({
        "metadata": {},
        "spec": {
            "user": format!("system:serviceaccount:{}:terraform", tenant.namespace),
            "resourceAttributes": {
                "verb": "get",
                "resource": "namespaces",
                "name": "kube-system",
                "namespace": "kube-system",
            },
        },
    }))
    .unwrap();
    let all = tenant.cluster::<SubjectAccessReview>();
    let review = wait(all.create(&PostParams::default(), &review)).unwrap();
    review.status?.allowed.then_some(())
}

fn create<K>(all: &Api<K>, manifest: Json)
where
    K: Clone + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    let object: K = serde_json::from_value(manifest).unwrap();
    wait(all.create(&PostParams::default(), &object)).unwrap();
}

/// A token of this ServiceAccount, valid for an hour.
pub fn token(tenant: &Tenant, account: &str) -> String {
    let all = tenant.all::<ServiceAccount>();
    let request: TokenRequest =
        serde_json::from_value(json!({ "spec": { "audiences": [], "expirationSeconds": 3600 } }))
            .unwrap();
    // The account `default` is created a moment after its namespace.
    soon("a token", || {
        let made = wait(all.create_token_request(account, &PostParams::default(), &request));
        Some(made.ok()?.status?.token)
    })
}
