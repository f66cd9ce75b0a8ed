//! The Role of `examples/kubernetes/role.yaml` is sufficient, and errors name missing rights.

use k8s_openapi::api::rbac::v1::Role;
use serde_json::{Value as Json, json};

use super::account::{Account, Cluster};
use super::{keeps_secret, provider};
use crate::federation::federation;
use crate::tenant::Tenant;
use crate::workspace::Workspace;

const ROLE: &str = "terraform-provider-flower";

#[test]
fn the_role_of_the_documentation_is_all_that_a_federation_takes() {
    let tenant = Tenant::a();
    let (Some(account), Some(cluster)) = (tenant.account(), Cluster::of(&tenant)) else {
        return;
    };
    let settings = format!("{}token = {:?}\n", cluster.host(), account.token);
    let provider = provider(&tenant.namespace, &settings);
    let it = Workspace::new(&format!("{provider}{}", federation("", "", "")));
    it.app();
    it.apply().succeeded();
    let run = it.state("flower_app_run.training");
    assert_eq!(
        (&run["status"], &run["sub_status"]),
        (&"finished".into(), &"completed".into())
    );
    it.plan_is_empty();
    let env = "  env = { SITE = \"changed\" }";
    it.configure(&format!("{provider}{}", federation(env, env, "")));
    it.apply().succeeded();
    it.plan_is_empty();
    let said = it.run(&["destroy", "-auto-approve", "-no-color"]);
    keeps_secret(&it, &said, &[&account.token]);
    said.succeeded();
    tenant.nothing_left();
}

/// The table in docs/guides/kubernetes.md is for people, role.yaml for clusters.
#[test]
fn the_guide_says_what_the_role_allows() {
    let text = include_str!("../../../examples/kubernetes/role.yaml");
    let documents: Vec<Json> = serde_saphyr::from_multiple(text).unwrap();
    let rules = documents.iter().filter_map(|one| one["rules"].as_array());
    let texts = |list: &Json| -> Vec<String> {
        let all = list.as_array().unwrap().iter();
        all.map(|one| one.as_str().unwrap().to_owned()).collect()
    };
    let allowed: Vec<_> = rules
        .flatten()
        .map(|rule| (texts(&rule["resources"]), texts(&rule["verbs"])))
        .collect();
    let guide = include_str!("../../../docs/guides/kubernetes.md");
    let (_, table) = guide.split_once("| resource | verbs | why |\n").unwrap();
    let listed = |cell: &str| -> Vec<String> {
        let cell = cell.split(", only").next().unwrap();
        cell.split(',').map(|one| one.trim().to_owned()).collect()
    };
    let told: Vec<_> = table
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<_> = line.split('|').collect();
            (listed(cells[1]), listed(cells[2]))
        })
        .collect();
    assert_eq!(told, allowed);
}

/// A SuperLink with the documented Role without one verb, and a way to restore the verb.
fn superlink_without(tenant: &Tenant, account: &Account, right: (&str, &str)) -> Workspace {
    let cluster = Cluster::of(tenant).unwrap();
    let settings = format!("{}token = {:?}\n", cluster.host(), account.token);
    let it = Workspace::new(&format!(
        "{}resource \"flower_superlink\" \"main\" {{\n  name = \"main\"\n  timeouts = {{ create = \"60s\" }}\n}}\n",
        provider(&tenant.namespace, &settings)
    ));
    let (resource, verb) = right;
    let mut rules = serde_json::to_value(tenant.get::<Role>(ROLE).rules).unwrap();
    for rule in rules.as_array_mut().unwrap() {
        if rule["resources"][0] == resource {
            let verbs = rule["verbs"].as_array_mut().unwrap();
            verbs.retain(|one| one != verb);
        }
    }
    tenant.patch_as::<Role>("test", ROLE, json!({ "rules": rules }));
    // The API server notices a removed right a moment later.
    std::thread::sleep(std::time::Duration::from_secs(1));
    it
}

#[test]
fn a_right_that_is_missing_is_named() {
    let tenant = Tenant::a();
    let Some(account) = tenant.account() else {
        return;
    };
    let full = serde_json::to_value(tenant.get::<Role>(ROLE).rules).unwrap();
    let it = superlink_without(&tenant, account, ("deployments", "create"));
    it.apply().failed_with(&[
        "The cluster does not allow it",
        "cannot create resource \"deployments\"",
        "the Role from the provider's documentation",
    ]);
    tenant.patch_as::<Role>("test", ROLE, json!({ "rules": full }));
    std::thread::sleep(std::time::Duration::from_secs(1));
    it.apply().succeeded();
    it.plan_is_empty();
    it.destroy();
    tenant.nothing_left();
}

#[test]
fn a_port_forward_that_is_refused_is_named_at_once() {
    let tenant = Tenant::a();
    let Some(account) = tenant.account() else {
        return;
    };
    let it = superlink_without(&tenant, account, ("pods/portforward", "create"));
    let begun = std::time::Instant::now();
    it.apply().failed_with(&[
        "a port-forward to Pod",
        "needs the rights \"get\" and \"create\" for pods/portforward",
    ]);
    assert!(begun.elapsed().as_secs() < 40, "it waited for nothing");
}
