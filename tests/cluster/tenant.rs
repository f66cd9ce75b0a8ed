//! A namespace of a cluster for one test, and functions that inspect and disturb it from outside.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{
    ConfigMap, Namespace, Node, PersistentVolumeClaim, Pod, PodCondition, Secret, Service,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::access::account::Account;
use crate::workspace::Workspace;

static WAITING: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A namespace that enforces the Pod Security Standard "restricted"; deleted on drop.
///
/// In our own clusters, the provider uses the account of `examples/kubernetes/role.yaml` in it,
/// with only its rights; the test uses the administrator's. In other clusters, where a test creates
/// nothing outside the namespace, both use the account of KUBECONFIG.
pub struct Tenant {
    pub context: String,
    pub namespace: String,
    client: Client,
    account: Option<Account>,
    folder: TempDir,
}

/// The namespaced objects.
pub trait Object:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + std::fmt::Debug
    + DeserializeOwned
    + Serialize
{
}

impl<K> Object for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + DeserializeOwned
        + Serialize
{
}

pub fn wait<T>(future: impl Future<Output = T>) -> T {
    WAITING.block_on(future)
}

/// The kubeconfig of the test clusters, with an administrator.
pub fn kubeconfig() -> PathBuf {
    let path = std::env::var_os("KUBECONFIG");
    PathBuf::from(path.expect("KUBECONFIG names the cluster: `cargo xtask test` sets it"))
}

impl Tenant {
    /// A namespace in the first cluster.
    pub fn a() -> Self {
        Self::within("tenant-a")
    }

    /// A namespace in the other cluster, or in the same cluster if there is only one.
    pub fn b() -> Self {
        Self::within("tenant-b")
    }

    /// A namespace with the same name in the other cluster; `None` if there is only one cluster.
    pub fn namesake(&self) -> Option<Self> {
        let file = Kubeconfig::read_from(kubeconfig()).unwrap();
        let mut others = file.contexts.iter().map(|one| one.name.as_str());
        let other =
            others.find(|name| ["tenant-a", "tenant-b"].contains(name) && *name != self.context)?;
        Some(Self::called(other, self.namespace.clone()))
    }

    fn within(context: &str) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("flower-test-{}-{number}", std::process::id());
        Self::called(context, name)
    }

    fn called(context: &str, namespace: String) -> Self {
        let file = Kubeconfig::read_from(kubeconfig()).unwrap();
        let known = file.contexts.iter().any(|one| one.name == context);
        let context = if known {
            context.to_owned()
        } else {
            file.current_context.clone().expect("a current context")
        };
        let options = KubeConfigOptions {
            context: Some(context.clone()),
            ..KubeConfigOptions::default()
        };
        let _entered = WAITING.enter();
        let config = wait(Config::from_custom_kubeconfig(file, &options)).unwrap();
        let mut tenant = Self {
            context,
            namespace,
            client: Client::try_from(config).unwrap(),
            account: None,
            folder: tempfile::tempdir().unwrap(),
        };
        let namespace = serde_json::from_value(json!({ "metadata": {
            "name": tenant.namespace,
            "labels": { "pod-security.kubernetes.io/enforce": "restricted" },
        }}));
        let all: Api<Namespace> = Api::all(tenant.client.clone());
        wait(all.create(&PostParams::default(), &namespace.unwrap())).unwrap();
        if tenant.ours() {
            tenant.account = Some(Account::make(&tenant));
        }
        tenant.write_kubeconfig();
        tenant
    }

    /// The account of the provider, or `None` with a message in a cluster where a test creates
    /// nothing outside the namespace.
    pub fn account(&self) -> Option<&Account> {
        if self.account.is_none() {
            eprintln!("NOT RUN in {}: it needs a ClusterRole", self.context);
        }
        self.account.as_ref()
    }

    /// A kubeconfig with one context for each of these tenants, for providers.
    pub fn kubeconfig(tenants: &[&Self]) -> String {
        let file = serde_json::to_value(Kubeconfig::read_from(kubeconfig()).unwrap());
        let mut file = file.unwrap();
        for tenant in tenants {
            let Some(account) = &tenant.account else {
                continue;
            };
            let contexts = file["contexts"].as_array_mut().unwrap();
            let context = contexts
                .iter_mut()
                .find(|one| one["name"] == tenant.context.as_str());
            context.unwrap()["context"]["user"] = tenant.namespace.clone().into();
            let user = json!({ "name": tenant.namespace, "user": { "token": account.token } });
            file["users"].as_array_mut().unwrap().push(user);
        }
        file.to_string()
    }

    fn write_kubeconfig(&self) {
        std::fs::write(self.config_path(), Self::kubeconfig(&[self])).unwrap();
    }

    /// The path of a kubeconfig for providers of this tenant.
    pub fn config_path(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// A provider block for this namespace, with additional settings.
    pub fn provider_with(&self, alias: &str, more: &str) -> String {
        let alias = if alias.is_empty() {
            String::new()
        } else {
            format!("  alias = {alias:?}\n")
        };
        let prefix = std::env::var("FLOWER_TEST_IMAGE_PREFIX").unwrap_or_default();
        format!(
            "provider \"flower\" {{\n{alias}  kubernetes = {{\n    config_path = {:?}\n    config_context = {:?}\n    namespace = {:?}\n    image_prefix = {prefix:?}\n{more}\n  }}\n}}\n",
            self.config_path().display().to_string(),
            self.context,
            self.namespace
        )
    }

    /// A provider block for this namespace.
    pub fn provider(&self) -> String {
        self.provider_with("", "")
    }

    pub fn all<K: Object>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// The cluster-wide objects.
    pub fn cluster<K: Resource<DynamicType = ()>>(&self) -> Api<K> {
        Api::all(self.client.clone())
    }

    #[track_caller]
    pub fn get<K: Object>(&self, name: &str) -> K {
        wait(self.all::<K>().get(name)).unwrap()
    }

    #[track_caller]
    pub fn list<K: Object>(&self, labels: &str) -> Vec<K> {
        let all = self.all::<K>();
        wait(all.list(&ListParams::default().labels(labels)))
            .unwrap()
            .items
    }

    #[track_caller]
    pub fn create<K: Object>(&self, manifest: Json) -> K {
        let object: K = serde_json::from_value(manifest).unwrap();
        wait(self.all::<K>().create(&PostParams::default(), &object)).unwrap()
    }

    /// Changes an object as another user.
    #[track_caller]
    pub fn patch_as<K: Object>(&self, manager: &str, name: &str, patch: Json) -> K {
        let params = PatchParams {
            field_manager: Some(manager.to_owned()),
            ..PatchParams::default()
        };
        wait(self.all::<K>().patch(name, &params, &Patch::Merge(patch))).unwrap()
    }

    pub fn delete<K: Object>(&self, name: &str) {
        let _ = wait(self.all::<K>().delete(name, &DeleteParams::default()));
    }

    /// The pods of the object with this name, such as `superlink-main`.
    pub fn pods(&self, object: &str) -> Vec<Pod> {
        self.list(&format!("app.kubernetes.io/instance={object}"))
    }

    /// Waits until the object's only pod differs from `old` and is ready.
    #[track_caller]
    pub fn another_pod(&self, object: &str, old: &str) {
        let ready = |one: &PodCondition| one.type_ == "Ready" && one.status == "True";
        soon("another pod", || {
            let mut pods = self.pods(object);
            let one = pods.pop().filter(|_| pods.is_empty())?;
            let is_another = one.metadata.name.as_deref() != Some(old);
            let conditions = one.status?.conditions?;
            (is_another && conditions.iter().any(ready)).then_some(())
        });
    }

    /// The names of the containers of an object's pod.
    pub fn containers(&self, object: &str) -> Vec<String> {
        let pods = self.pods(object);
        let containers = &pods[0].spec.as_ref().unwrap().containers;
        containers.iter().map(|one| one.name.clone()).collect()
    }

    /// All objects by kind, without those that the cluster creates in each namespace.
    pub fn inventory(&self) -> BTreeMap<&'static str, Vec<String>> {
        fn names<K: Object>(tenant: &Tenant) -> Vec<String> {
            let all = tenant.list::<K>("").into_iter();
            all.map(|object| object.meta().name.clone().unwrap_or_default())
                .filter(|name| name != "kube-root-ca.crt")
                .collect()
        }
        let mut found: BTreeMap<_, _> = [
            ("configmaps", names::<ConfigMap>(self)),
            ("secrets", names::<Secret>(self)),
            ("services", names::<Service>(self)),
            ("claims", names::<PersistentVolumeClaim>(self)),
            ("deployments", names::<Deployment>(self)),
            ("policies", names::<NetworkPolicy>(self)),
            ("pods", names::<Pod>(self)),
        ]
        .into();
        found.retain(|_, names| !names.is_empty());
        found
    }

    /// Destroys a configuration, and fails unless nothing is left.
    #[track_caller]
    pub fn destroyed(&self, it: &Workspace) {
        it.run(&["destroy", "-auto-approve", "-no-color"])
            .succeeded();
        self.nothing_left();
    }

    /// Fails unless a destroy has left nothing.
    #[track_caller]
    pub fn nothing_left(&self) {
        assert_eq!(self.inventory(), BTreeMap::new(), "objects are left");
    }

    /// Whether `cargo xtask cluster` created the cluster.
    pub fn ours(&self) -> bool {
        let name = self.node().metadata.name.unwrap_or_default();
        name == self.context.replace("tenant-", "node-")
    }

    fn node(&self) -> Node {
        let all: Api<Node> = Api::all(self.client.clone());
        wait(all.list(&ListParams::default()))
            .unwrap()
            .items
            .remove(0)
    }

    /// The address of a node.
    pub fn node_address(&self) -> String {
        let status = self.node().status.unwrap();
        let addresses = status.addresses.as_ref().unwrap();
        let internal = addresses.iter().find(|one| one.type_ == "InternalIP");
        internal.unwrap().address.clone()
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        if let Some(account) = &self.account {
            account.remove(self);
        }
        let all: Api<Namespace> = Api::all(self.client.clone());
        let _ = wait(all.delete(&self.namespace, &DeleteParams::default()));
    }
}

/// Waits until `there` returns a value, for at most half a minute; returns the value.
#[track_caller]
pub fn soon<T>(what: &str, there: impl Fn() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = there() {
            return found;
        }
        assert!(Instant::now() < until, "{what} did not come about");
        std::thread::sleep(Duration::from_millis(200));
    }
}
