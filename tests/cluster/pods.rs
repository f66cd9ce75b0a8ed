//! The settings of pods, checked on running pods.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret};
use serde_json::{Value as Json, json};

use crate::tenant::Tenant;
use crate::workspace::Workspace;

/// The pod has the configured node, user, labels and annotations.
#[track_caller]
fn is_placed(pod: &Json) {
    let spec = &pod["spec"];
    assert_eq!(spec["automountServiceAccountToken"], false);
    assert_eq!(spec["serviceAccountName"], "default");
    assert_eq!(spec["nodeSelector"]["kubernetes.io/os"], "linux");
    assert_eq!(pod["metadata"]["annotations"]["example.org/note"], "x");
    for one in spec["containers"].as_array().unwrap() {
        assert_eq!(one["imagePullPolicy"], "IfNotPresent");
    }
    // The cluster adds some of its own.
    let tolerations = spec["tolerations"].as_array().unwrap();
    assert!(
        tolerations
            .contains(&json!({ "key": "gpu", "operator": "Exists", "effect": "NoSchedule" })),
        "{tolerations:?}"
    );
    let kept_apart = &spec["affinity"]["podAntiAffinity"];
    let preferred = &kept_apart["preferredDuringSchedulingIgnoredDuringExecution"][0];
    assert_eq!(
        preferred["podAffinityTerm"]["topologyKey"],
        "kubernetes.io/hostname"
    );
}

/// Values that may be secret are only in a Secret of the pod.
#[track_caller]
fn keeps_its_secrets(tenant: &Tenant, pod: &Json) {
    let deployment: Deployment = tenant.get("supernode-site");
    for shown in [pod.to_string(), json!(deployment).to_string()] {
        assert!(!shown.contains("canary"), "{shown}");
    }
    let record: ConfigMap = tenant.get("supernode-site");
    assert!(!json!(record).to_string().contains("canary-of-env"));
    let private: Secret = tenant.get("supernode-site.private");
    let entries = private.data.unwrap();
    assert_eq!(entries["env.SITE"].0, b"canary-of-env");
    assert_eq!(
        entries["file.node-config.toml"].0,
        b"site = \"canary-of-config\"\n"
    );
}

#[test]
fn a_supernode_gets_data_credentials_and_a_place() {
    let tenant = Tenant::a();
    tenant.create::<Secret>(json!({
        "metadata": { "name": "credentials" },
        "stringData": { "DATA_USER": "reader" },
    }));
    tenant.create::<ConfigMap>(json!({
        "metadata": { "name": "settings" },
        "data": { "settings.toml": "a = 1" },
    }));
    tenant.create::<PersistentVolumeClaim>(json!({
        "metadata": { "name": "cohort" },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": { "requests": { "storage": "1Mi" } },
        },
    }));
    let it = Workspace::new(&format!(
        r#"{}
resource "flower_superlink" "main" {{
  name = "main"
}}
resource "flower_supernode" "site" {{
  name      = "site"
  superlink = flower_superlink.main.fleet
  isolation = "process"
  env       = {{ SITE = "canary-of-env" }}
  node_config = {{ site = "canary-of-config" }}
  kubernetes = {{
    image_pull_policy = "IfNotPresent"
    resources = {{
      requests = {{ cpu = "10m", memory = "64Mi" }}
      limits   = {{ memory = "1Gi" }}
    }}
    node_selector = {{ "kubernetes.io/os" = "linux" }}
    tolerations   = [{{ key = "gpu", operator = "Exists", effect = "NoSchedule" }}]
    affinity = {{
      podAntiAffinity = {{
        preferredDuringSchedulingIgnoredDuringExecution = [{{
          weight          = 1
          podAffinityTerm = {{ topologyKey = "kubernetes.io/hostname" }}
        }}]
      }}
    }}
    service_account  = "default"
    env_from_secrets = ["credentials"]
    volumes = {{
      data     = {{ mount_path = "/data", claim = "cohort" }}
      settings = {{ mount_path = "/settings", config_map = "settings", read_only = true }}
      secret   = {{ mount_path = "/secret", secret = "credentials", read_only = true }}
      scratch  = {{ mount_path = "/scratch", empty_dir = {{ size_limit = "1Mi" }} }}
      cache    = {{ mount_path = "/cache", ephemeral = {{ size = "1Mi" }} }}
    }}
    labels      = {{ cost-centre = "7" }}
    annotations = {{ "example.org/note" = "x" }}
  }}
}}
"#,
        tenant.provider_with("", "labels = { team = \"fl\" }")
    ));
    it.apply().succeeded();
    it.plan_is_empty();
    let pod = serde_json::to_value(&tenant.pods("supernode-site")[0]).unwrap();
    let labels = &pod["metadata"]["labels"];
    assert_eq!(
        (&labels["team"], &labels["cost-centre"]),
        (&"fl".into(), &"7".into())
    );
    let container = |name: &str| -> Json {
        let all = pod["spec"]["containers"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).unwrap().clone()
    };
    // Apps run beside the SuperNode: they get the data, the SuperNode does not.
    let (apps, node) = (container("superexec"), container("supernode"));
    for path in ["/data", "/settings", "/secret", "/scratch", "/cache"] {
        let mounted = |one: &Json| {
            let mounts = one["volumeMounts"].as_array().unwrap().iter();
            mounts.filter(|mount| mount["mountPath"] == path).count()
        };
        assert_eq!((mounted(&apps), mounted(&node)), (1, 0), "{path}");
    }
    assert_eq!(apps["envFrom"][0]["secretRef"]["name"], "credentials");
    assert_eq!(apps["resources"]["limits"]["memory"], "1Gi");
    is_placed(&pod);
    keeps_its_secrets(&tenant, &pod);

    // The plan refuses two sources of one volume, and nothing changes.
    it.configure(&format!(
        "{}resource \"flower_supernode\" \"x\" {{\n  name = \"x\"\n  superlink = {{ address = \"a:1\", insecure = true }}\n  kubernetes = {{ volumes = {{ v = {{ mount_path = \"/v\", claim = \"a\", secret = \"b\" }} }} }}\n}}\n",
        tenant.provider()
    ));
    it.plan()
        .failed_with(&["The volume \"v\" needs exactly one source"]);
    it.run(&["destroy", "-auto-approve", "-no-color"]);
    it.configure(&tenant.provider());
    it.apply().succeeded();
    let left = tenant.inventory();
    assert_eq!(left["configmaps"], ["settings"]);
    assert_eq!(left["claims"], ["cohort"]);
    assert!(!left.contains_key("deployments"), "{left:?}");
}
