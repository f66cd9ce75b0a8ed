//! Plans `fleet` and `control` as far as their values are known. Other resources are planned from
//! them: a value that is unknown without need hides mistakes until the apply, and makes runs look
//! as if they had to be replaced.

use super::model::Model;
use crate::at;
use crate::flower::version::{FlowerVersion, VersionRow, row_of};
use crate::resources::connection_attributes::{ControlOutput, FleetOutput, is_in_cluster};
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::Result;
use crate::tfplugin::schema::{Maybe, ModelPath, Tree};
use crate::tfplugin::value::Value;

/// The attributes of `service` that change the address and the certificate. `allow_from` does not.
pub(super) const REACHED_BY: [ModelPath<Model>; 4] = [
    at!(Model, service.service_type),
    at!(Model, service.node_port),
    at!(Model, service.hostname),
    at!(Model, service.annotations),
];

/// Plans `fleet` and `control`.
pub(super) fn plan_outputs(plan: &mut Plan<Model>) -> Result<()> {
    let insecure = plan.planned.value(at!(Model, insecure)).clone();
    let version = plan.planned.value(at!(Model, flower_version)).clone();
    let changes = Changes::of(plan)?;
    let kept = |path, changes: bool| match plan.prior.value(path) {
        value if changes || value.is_null() => Value::UNKNOWN,
        value => value.clone(),
    };
    let authority = match plan.get::<bool>(at!(Model, insecure))? {
        Maybe::Known(true) => Value::Null,
        // Both attributes contain the same authority, and either may be lost.
        _ => match kept(at!(Model, fleet.ca_certificate), changes.insecure) {
            Value::Unknown(_) => kept(at!(Model, control.ca_certificate), changes.insecure),
            known => known,
        },
    };
    // A SuperLink without an id stays without one.
    let id = if plan.is_create() {
        Value::UNKNOWN
    } else {
        plan.prior.value(at!(Model, superlink_id)).clone()
    };
    plan.planned.set(at!(Model, superlink_id), id.clone());
    let fleet = Value::of([
        (
            at!(FleetOutput, address),
            kept(at!(Model, fleet.address), changes.address),
        ),
        (at!(FleetOutput, ca_certificate), authority.clone()),
        (at!(FleetOutput, insecure), insecure),
        (at!(FleetOutput, flower_version), version.clone()),
        (at!(FleetOutput, superlink_id), id.clone()),
    ]);
    let control = Value::of([
        (
            at!(ControlOutput, url),
            kept(at!(Model, control.url), changes.url),
        ),
        (at!(ControlOutput, ca_certificate), authority),
        (at!(ControlOutput, flower_version), version),
        (at!(ControlOutput, superlink_id), id),
        (
            at!(ControlOutput, simulation),
            plan.planned.value(at!(Model, simulation)).clone(),
        ),
    ]);
    plan.planned.set(at!(Model, fleet), fleet);
    plan.planned.set(at!(Model, control), control);
    Ok(())
}

/// Which outputs may change.
struct Changes {
    insecure: bool,
    address: bool,
    url: bool,
}

impl Changes {
    fn of(plan: &Plan<Model>) -> Result<Self> {
        let (before, after) = (row(&plan.prior)?, row(&plan.planned)?);
        let same = |is_same: fn(&VersionRow, &VersionRow) -> bool| {
            before
                .zip(after)
                .is_some_and(|(before, after)| is_same(before, after))
        };
        let same_fleet = same(|before, after| before.fleet == after.fleet);
        let same_control = same(|before, after| before.control == after.control);
        let insecure = plan.changes(at!(Model, insecure));
        let url = plan.prior.value(at!(Model, control.url)).as_str();
        // In a cluster the ports never change, and other runtimes have no Service.
        let in_cluster = url.is_some_and(is_in_cluster);
        let port = !in_cluster && moves_port(plan, url)?;
        let service = REACHED_BY.iter().any(|cause| plan.changes(*cause));
        Ok(Self {
            insecure,
            address: if in_cluster {
                service
            } else {
                port || !same_fleet
            },
            // A client that connects before the change would use the wrong protocol, so the URL is
            // unknown until then, even if its text stays the same.
            url: port || !same_control || insecure,
        })
    }
}

fn row(tree: &Tree<Model>) -> Result<Option<&'static VersionRow>> {
    let version = tree.get::<Option<FlowerVersion>>(at!(Model, flower_version))?;
    let version = version.known().flatten();
    Ok(version.and_then(|version| row_of(version).ok()))
}

/// Whether the port changes or may change. Without a configured port, it stays the same.
fn moves_port(plan: &Plan<Model>, url: Option<&str>) -> Result<bool> {
    let Maybe::Known(wanted) = plan.get::<Option<u16>>(at!(Model, local.port))? else {
        return Ok(true);
    };
    let port = url.and_then(|url| url.rsplit(':').next()?.parse::<u16>().ok());
    Ok(wanted.is_some_and(|wanted| port != Some(wanted)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::Superlink;
    use super::*;
    use crate::resources::planning::{Planned, plan};

    fn state(url: &str, version: &str) -> Json {
        json!({
            "name": "a", "flower_version": version, "id": "a", "place": "somewhere",
            "allow_state_loss": false, "isolation": "subprocess", "insecure": false,
            "fleet": {
                "address": "127.0.0.1:8000", "ca_certificate": "CA", "insecure": false,
                "flower_version": version,
            },
            "control": { "url": url, "ca_certificate": "CA", "flower_version": version },
            "nodes": {}, "certificate_not_after": "2999-01-01T00:00:00Z", "status": "running",
        })
    }

    const LOCAL: &str = "https://127.0.0.1:8000";
    const POD: &str = "kube://ns/superlink-a";

    async fn change(prior: &Json, config: Json) -> Planned<Model> {
        let mut whole = json!({ "name": "a", "flower_version": prior["flower_version"] });
        whole.as_object_mut().unwrap().extend(
            config
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        let planned = plan::<Superlink>(Some(prior), whole).await;
        assert_eq!(planned.errors, "");
        planned
    }

    #[tokio::test]
    async fn a_new_superlink_tells_its_release_and_whether_it_has_tls() {
        let planned = plan::<Superlink>(None, json!({ "name": "a" })).await;
        assert_eq!(planned.errors, "");
        assert_eq!(planned.text("fleet.flower_version"), Some("1.42.0"));
        assert_eq!(
            planned.tree.value(at!(Model, fleet.insecure)),
            &Value::Bool(false)
        );
        for unknown in ["fleet.address", "fleet.ca_certificate", "control.url"] {
            assert!(planned.is_unknown(unknown), "{unknown}");
        }
        let planned = plan::<Superlink>(None, json!({ "name": "a", "insecure": true })).await;
        assert!(
            planned
                .tree
                .value(at!(Model, control.ca_certificate))
                .is_null()
        );
    }

    #[tokio::test]
    async fn what_does_not_change_is_no_change() {
        for url in [LOCAL, POD] {
            let prior = state(url, "1.42.0");
            assert!(!change(&prior, json!({})).await.differs);
        }
    }

    #[tokio::test]
    async fn an_upgrade_leaves_the_address_and_the_authority_what_they_are() {
        let upgrade = json!({ "flower_version": "1.42.0" });
        for url in [LOCAL, POD] {
            let planned = change(&state(url, "1.41.0"), upgrade.clone()).await;
            assert_eq!(planned.text("control.url"), Some(url));
            assert_eq!(planned.text("control.ca_certificate"), Some("CA"));
            assert_eq!(planned.text("control.flower_version"), Some("1.42.0"));
            assert_eq!(planned.text("fleet.address"), Some("127.0.0.1:8000"));
            assert_eq!(planned.text("fleet.flower_version"), Some("1.42.0"));
        }
    }

    #[tokio::test]
    async fn whoever_would_speak_in_the_wrong_way_waits() {
        let upgrade = json!({ "flower_version": "1.39.0" });
        for (url, moves) in [("grpcs://127.0.0.1:8000", false), (POD, false)] {
            let planned = change(&state(url, "1.36.0"), upgrade.clone()).await;
            assert!(planned.is_unknown("control.url"), "{url}");
            assert_eq!(planned.is_unknown("fleet.address"), moves, "{url}");
        }
        // From a separate port to the only port; in a cluster, the Service hides the difference.
        let upgrade = json!({ "flower_version": "1.40.0" });
        for (url, moves) in [(LOCAL, true), (POD, false)] {
            let planned = change(&state(url, "1.39.0"), upgrade.clone()).await;
            assert_eq!(planned.text("control.url"), Some(url));
            assert_eq!(planned.is_unknown("fleet.address"), moves, "{url}");
        }
    }

    #[tokio::test]
    async fn another_port_is_another_address_and_the_same_one_is_not() {
        let prior = state(LOCAL, "1.42.0");
        for (port, moves) in [(8000, false), (8001, true)] {
            let planned = change(&prior, json!({ "local": { "port": port } })).await;
            assert_eq!(planned.is_unknown("control.url"), moves, "{port}");
            assert_eq!(planned.is_unknown("fleet.address"), moves, "{port}");
            assert_eq!(planned.text("control.ca_certificate"), Some("CA"));
        }
    }

    #[tokio::test]
    async fn another_service_is_another_way_for_supernodes_alone() {
        let service = json!({ "service": { "hostname": "fl.example.org" } });
        let planned = change(&state(POD, "1.42.0"), service.clone()).await;
        assert_eq!(planned.text("control.url"), Some(POD));
        assert!(planned.is_unknown("fleet.address"));
        let planned = change(&state(LOCAL, "1.42.0"), service).await;
        assert_eq!(planned.text("fleet.address"), Some("127.0.0.1:8000"));
    }

    #[tokio::test]
    async fn a_lost_authority_is_made_anew_in_the_same_place() {
        let mut prior = state(LOCAL, "1.42.0");
        prior["fleet"] = Json::Null;
        prior["control"]["ca_certificate"] = Json::Null;
        prior["certificate_not_after"] = Json::Null;
        let planned = change(&prior, json!({})).await;
        assert_eq!(planned.text("control.url"), Some(LOCAL));
        assert!(planned.is_unknown("control.ca_certificate"));
        assert!(planned.is_unknown("fleet.ca_certificate"));
        assert!(planned.is_unknown("certificate_not_after"));
    }

    #[tokio::test]
    async fn without_tls_there_is_no_authority_to_wait_for() {
        let planned = change(&state(LOCAL, "1.42.0"), json!({ "insecure": true })).await;
        assert!(
            planned
                .tree
                .value(at!(Model, fleet.ca_certificate))
                .is_null()
        );
        assert!(planned.is_unknown("control.url"));
    }
}
