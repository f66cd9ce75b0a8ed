//! Requests that the API server refuses: quotas, unknown names and missing rights.

use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::Role;
use serde_json::{Value as Json, json};

use super::{fails, gone, mended, superlink, workspace};
use crate::access::account::Cluster;
use crate::tenant::{Tenant, soon};
use crate::workspace::Workspace;

fn quota(tenant: &Tenant, hard: &Json) {
    tenant.create::<ResourceQuota>(json!({
        "metadata": { "name": "small" },
        "spec": { "hard": hard },
    }));
    soon("the quota", || {
        tenant.get::<ResourceQuota>("small").status?.hard
    });
}

#[test]
fn a_quota_of_pods_that_is_used_up() {
    let tenant = Tenant::a();
    quota(&tenant, &json!({ "pods": "0" }));
    let it = workspace(&tenant, "");
    let words = [
        "`pod`: a quota is used up: pods \"superlink-main-",
        "exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0",
        "Raise the ResourceQuota",
    ];
    fails(&tenant, &it, "quota of pods", &words);
    tenant.patch_as::<ResourceQuota>(
        "kubectl",
        "small",
        json!({ "spec": { "hard": { "pods": "5" } } }),
    );
    it.apply().succeeded();
    // An update fails in the same way, and continues as soon as the quota allows it.
    tenant.patch_as::<ResourceQuota>(
        "kubectl",
        "small",
        json!({ "spec": { "hard": { "pods": "0" } } }),
    );
    it.configure(&format!(
        "{}{}",
        tenant.provider(),
        superlink("log_level = \"DEBUG\"")
    ));
    let begun = Instant::now();
    it.apply().failed_with(&words[..1]);
    eprintln!("quota at a change: named after {:?}", begun.elapsed());
    tenant.delete::<ResourceQuota>("small");
    let begun = Instant::now();
    it.apply().succeeded();
    assert!(
        begun.elapsed() < Duration::from_secs(40),
        "{:?}",
        begun.elapsed()
    );
    it.plan_is_empty();
    gone(&tenant, &it);
}

#[test]
fn a_change_that_is_refused_leaves_no_trace() {
    let tenant = Tenant::a();
    let it = workspace(&tenant, "");
    it.apply().succeeded();
    // Whatever refuses a change of the Deployment: here, another manager owns its field.
    let theirs = json!({ "example.org/x": "theirs" });
    tenant.patch_as::<Deployment>(
        "kubectl",
        "superlink-main",
        json!({ "spec": { "template": { "metadata": { "annotations": theirs } } } }),
    );
    soon("the pod of the patched Deployment", || {
        it.apply().ok.then_some(())?;
        let pods = tenant.pods("superlink-main");
        let is_theirs = |one: &Pod| {
            let annotations = one.metadata.annotations.as_ref();
            annotations.is_some_and(|all| all.contains_key("example.org/x"))
        };
        (pods.len() == 1 && pods.iter().all(is_theirs)).then_some(())
    });
    it.plan_is_empty();
    let changed = superlink(
        "kubernetes = { network_policy = false, annotations = { \"example.org/x\" = \"ours\" } }",
    );
    it.configure(&format!("{}{changed}", tenant.provider()));
    it.apply()
        .failed_with(&["superlink-main", "kubectl", "example.org/x"]);
    // The objects that are updated before the Deployment were not changed either, so nothing is
    // incomplete.
    tenant.get::<NetworkPolicy>("superlink-main");
    it.configure(&format!("{}{}", tenant.provider(), superlink("")));
    it.plan_is_empty();
    gone(&tenant, &it);
}

#[test]
fn a_quota_that_wants_to_know() {
    let tenant = Tenant::a();
    let hard = json!({
        "requests.cpu": "4",
        "requests.memory": "4Gi",
        "limits.cpu": "4",
        "limits.memory": "4Gi",
    });
    quota(&tenant, &hard);
    let resources = "{ requests = { cpu = \"10m\", memory = \"128Mi\" }, \
                     limits = { cpu = \"1\", memory = \"1Gi\" } }";
    // In one case a container beside the SuperLink runs the apps, in the other the SuperLink
    // itself.
    for (isolation, servers) in [
        ("subprocess", ["resources", "gateway_resources"].as_slice()),
        (
            "process",
            &["resources", "server_resources", "gateway_resources"],
        ),
    ] {
        let isolation = format!("isolation = {isolation:?}");
        let it = workspace(&tenant, &isolation);
        fails(
            &tenant,
            &it,
            "quota that wants to know",
            &[
                "`pod`: a quota needs its resource settings",
                "must specify limits.",
                "`kubernetes.resources`",
                "`kubernetes.server_resources`",
                "`kubernetes.gateway_resources`",
            ],
        );
        let set: Vec<_> = servers
            .iter()
            .map(|one| format!("{one} = {resources}"))
            .collect();
        let set = set.join("\n    ");
        mended(
            &tenant,
            &it,
            &format!("{isolation}\n  kubernetes = {{\n    {set}\n  }}"),
        );
    }
}

#[test]
fn a_quota_of_claims_that_is_used_up() {
    let tenant = Tenant::a();
    quota(&tenant, &json!({ "persistentvolumeclaims": "0" }));
    let it = workspace(&tenant, "");
    fails(
        &tenant,
        &it,
        "quota of claims",
        &[
            "SuperLink \"main\" did not start",
            "A quota is used up: persistentvolumeclaims \"superlink-main\" is forbidden",
            "exceeded quota: small",
            "`persistence.size`",
        ],
    );
    tenant.delete::<ResourceQuota>("small");
    mended(&tenant, &it, "");
}

#[test]
fn names_that_pods_are_refused_for() {
    let tenant = Tenant::a();
    let it = workspace(&tenant, "");
    for (attribute, words) in [
        (
            "priority_class",
            "no PriorityClass with name no-such was found",
        ),
        ("service_account", "serviceaccount \"no-such\" not found"),
        ("runtime_class", "RuntimeClass \"no-such\" not found"),
    ] {
        let settings = format!("kubernetes = {{ {attribute} = \"no-such\" }}");
        it.configure(&format!("{}{}", tenant.provider(), superlink(&settings)));
        let words = [
            "`pod`: its pod cannot be created: pods \"superlink-main-",
            words,
            "Check the ServiceAccount, PriorityClass and RuntimeClass",
        ];
        fails(&tenant, &it, attribute, &words);
    }
    gone(&tenant, &it);
}

/// Removes rights from the account, or restores them all.
fn allow_all_but(tenant: &Tenant, rules: &Json, resource: &str, lacking: &[&str]) {
    let mut rules = rules.clone();
    for rule in rules.as_array_mut().unwrap() {
        let resources = rule["resources"].as_array().unwrap();
        if resources.contains(&resource.into()) {
            let verbs = rule["verbs"].as_array_mut().unwrap();
            verbs.retain(|verb| !lacking.contains(&verb.as_str().unwrap()));
        }
    }
    let all = rules.as_array_mut().unwrap();
    all.retain(|rule| rule["verbs"] != json!([]));
    tenant.patch_as::<Role>("kubectl", ROLE, json!({ "rules": rules }));
}

/// Its name in `examples/kubernetes/role.yaml`.
const ROLE: &str = "terraform-provider-flower";

#[test]
fn a_right_that_is_lacking() {
    let tenant = Tenant::a();
    let (Some(account), Some(cluster)) = (tenant.account(), Cluster::of(&tenant)) else {
        return;
    };
    let rules = serde_json::to_value(tenant.get::<Role>(ROLE).rules).unwrap();
    let prefix = std::env::var("FLOWER_TEST_IMAGE_PREFIX").unwrap_or_default();
    let with = |settings: &str| {
        format!(
            "provider \"flower\" {{\n  kubernetes = {{\n{}token = {:?}\nnamespace = {:?}\n\
             image_prefix = {prefix:?}\n  }}\n}}\n{}",
            cluster.host(),
            account.token,
            tenant.namespace,
            superlink(settings)
        )
    };
    let it = Workspace::new(&with(""));
    let user = format!(
        "User \"system:serviceaccount:{}:terraform\"",
        tenant.namespace
    );
    let role = "Give the provider's account the Role from the provider's documentation";
    allow_all_but(&tenant, &rules, "deployments", &["patch"]);
    fails(
        &tenant,
        &it,
        "right to apply",
        &[
            "SuperLink \"main\" did not start",
            "The cluster does not allow it: deployments.apps \"superlink-main\" is forbidden",
            &user,
            "cannot patch resource \"deployments\" in API group \"apps\"",
            role,
        ],
    );
    allow_all_but(&tenant, &rules, "pods", &["watch"]);
    fails(
        &tenant,
        &it,
        "right to watch",
        &[
            "`pod`: the provider cannot read its status",
            "cannot watch resource \"pods\"",
            role,
        ],
    );
    // Rights that only improve messages are optional.
    allow_all_but(&tenant, &rules, "events", &["list", "watch"]);
    it.configure(&with("kubernetes = { image = \"flwr/superlink:no-such\" }"));
    fails(
        &tenant,
        &it,
        "image without events",
        &["`superlink`: its image cannot be pulled"],
    );
    allow_all_but(&tenant, &rules, "pods/log", &["get"]);
    it.configure(&with("extra_args = [\"--no-such-flag\"]"));
    fails(
        &tenant,
        &it,
        "crash without logs",
        &[
            "it ended with exit status: 2",
            "cannot get resource \"pods/log\"",
        ],
    );
    allow_all_but(&tenant, &rules, "", &[]);
    it.configure(&with(""));
    it.apply().succeeded();
    // Only the SuperNode's log tells that it has joined.
    allow_all_but(&tenant, &rules, "pods/log", &["get"]);
    let with_supernode = format!(
        "{}resource \"flower_supernode\" \"a\" {{\n  name = \"a\"\n  \
         superlink = flower_superlink.main.fleet\n  timeouts = {{ create = \"120s\" }}\n}}\n",
        with("")
    );
    it.configure(&with_supernode);
    fails(
        &tenant,
        &it,
        "joining without logs",
        &[
            "SuperNode \"a\" did not join",
            "The cluster does not allow it",
            "cannot get resource \"pods/log\"",
            &user,
            role,
        ],
    );
    allow_all_but(&tenant, &rules, "", &[]);
    it.apply().succeeded();
    it.plan_is_empty();
    gone(&tenant, &it);
}
