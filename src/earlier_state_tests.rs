//! States that earlier providers wrote, read as Terraform has them read: what they hold is kept, and neither a
//! plan of them nor one after a refresh has anything to do.

use bytes::Bytes;
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::Request;

use crate::provider::Flower;
use crate::tfplugin::proto::{
    self, configure_provider, plan_resource_change, provider_server::Provider as _, read_resource,
    upgrade_resource_identity, upgrade_resource_state,
};
use crate::tfplugin::schema::{Presence, Schema};
use crate::tfplugin::service::Service;
use crate::tfplugin::value::{Type, Value, decode, to_state};
use crate::tfplugin::{Provider as _, Resource};

/// Each resource as the provider wrote it that knew no `superlink_id`, and identified everything by its `id`.
const BEFORE_SUPERLINK_IDS: &str = include_str!("resources/testdata/before_superlink_ids.json");

const APP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart/app");

/// The provider, whose objects are in this folder.
async fn served(data_dir: &std::path::Path) -> Service<Flower> {
    let service = Service::new(Flower, CancellationToken::new(), TaskTracker::new());
    let request = configure_provider::Request {
        config: wire(&json!({ "local": { "data_dir": data_dir } })),
        ..Default::default()
    };
    let configured = service.configure_provider(Request::new(request)).await;
    quiet(&configured.unwrap().into_inner().diagnostics);
    service
}

fn wire(json: &Json) -> Option<proto::DynamicValue> {
    Some(proto::DynamicValue {
        json: Bytes::from(json.to_string()),
        ..Default::default()
    })
}

fn raw(json: &Json) -> Option<proto::RawState> {
    Some(proto::RawState {
        json: Bytes::from(json.to_string()),
        ..Default::default()
    })
}

#[track_caller]
fn quiet(diagnostics: &[proto::Diagnostic]) {
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
}

fn schema(type_name: &str) -> Schema {
    let resources = Flower.resources();
    let mut resources = resources.iter();
    let resource = resources.find(|one| one.type_name() == type_name);
    resource.unwrap().compiled().schema.clone()
}

fn value(wire: Option<&proto::DynamicValue>, schema: &Schema) -> Value {
    decode(&wire.unwrap().msgpack, &schema.ty()).unwrap()
}

fn identity(wire: Option<&proto::ResourceIdentityData>, schema: &Schema) -> Json {
    let attributes = schema.attributes.iter().filter(|one| one.is_identity());
    let ty = attributes.map(|one| (one.name.clone(), one.kind.ty()));
    let data = wire.unwrap().identity_data.as_ref().unwrap();
    to_state(&decode(&data.msgpack, &Type::Object(ty.collect())).unwrap())
}

/// The configuration that such a state came from.
fn configuration(attributes: &Json, schema: &Schema) -> Json {
    let mut config = attributes.clone();
    for attribute in &schema.attributes {
        if attribute.presence == Presence::Computed {
            config[&attribute.name] = Json::Null;
        }
    }
    config
}

/// Plans that nothing changes, as Terraform asks for it.
async fn plan(
    service: &Service<Flower>,
    type_name: &str,
    config: &Json,
    state: Option<&proto::DynamicValue>,
    identity: Option<&proto::ResourceIdentityData>,
) -> plan_resource_change::Response {
    let request = plan_resource_change::Request {
        type_name: type_name.to_owned(),
        prior_state: state.cloned(),
        // What the configuration does not set is computed, and so is proposed as it was.
        proposed_new_state: state.cloned(),
        config: wire(config),
        prior_identity: identity.cloned(),
        ..Default::default()
    };
    let planned = service.plan_resource_change(Request::new(request)).await;
    planned.unwrap().into_inner()
}

/// The hash of the example's app as it is today.
async fn hash_of_the_app() -> String {
    let config = json!({
        "source": { "path": APP },
        "control": { "url": "https://h:8000", "flower_version": "1.42.0" },
    });
    let planned =
        crate::resources::planning::plan::<crate::resources::app_run::AppRun>(None, config);
    planned.await.text("fab_hash").unwrap().to_owned()
}

#[tokio::test]
async fn a_state_from_before_superlinks_had_ids_is_planned_empty() {
    let folder = tempfile::tempdir().unwrap();
    let service = served(&folder.path().join("data")).await;
    let fixtures: Vec<Json> = serde_json::from_str(BEFORE_SUPERLINK_IDS).unwrap();
    let run = crate::resources::app_run::AppRun::TYPE;
    let mut seen = std::collections::BTreeSet::new();
    for fixture in fixtures {
        let type_name = fixture["type"].as_str().unwrap();
        seen.insert(type_name.to_owned());
        let schema = schema(type_name);
        let mut attributes = fixture["attributes"].clone();
        if type_name == run {
            attributes["source"]["path"] = json!(APP);
            attributes["fab_hash"] = json!(hash_of_the_app().await);
        }
        let config = configuration(&attributes, &schema);

        let upgraded = upgrade_resource_state::Request {
            type_name: type_name.to_owned(),
            version: fixture["version"].as_i64().unwrap(),
            raw_state: raw(&attributes),
        };
        let upgraded = service.upgrade_resource_state(Request::new(upgraded)).await;
        let upgraded = upgraded.unwrap().into_inner();
        quiet(&upgraded.diagnostics);
        let state = upgraded.upgraded_state;
        let kept = to_state(&value(state.as_ref(), &schema));
        for (name, was) in attributes.as_object().unwrap() {
            // What is within them may have got a new attribute.
            let is_older = was.is_object();
            assert!(is_older || kept[name] == *was, "{type_name}: {name}");
        }

        let upgraded = upgrade_resource_identity::Request {
            type_name: type_name.to_owned(),
            version: fixture["identity_version"].as_i64().unwrap(),
            raw_identity: raw(&fixture["identity"]),
        };
        let upgraded = Request::new(upgraded);
        let upgraded = service.upgrade_resource_identity(upgraded).await;
        let upgraded = upgraded.unwrap().into_inner();
        quiet(&upgraded.diagnostics);
        let known_by = upgraded.upgraded_identity;
        let (before, after) = if type_name == run {
            let run = json!({
                "superlink": attributes["control"]["url"], "run_id": attributes["run_id"],
            });
            (run.clone(), run)
        } else {
            let of = |place: &Json| json!({ "name": attributes["name"], "place": place });
            (of(&Json::Null), of(&attributes["place"]))
        };
        assert_eq!(identity(known_by.as_ref(), &schema), before);

        // With `-refresh=false`, and after a refresh.
        let read = read_resource::Request {
            type_name: type_name.to_owned(),
            current_state: state.clone(),
            current_identity: known_by.clone(),
            ..Default::default()
        };
        let read = service.read_resource(Request::new(read)).await;
        let read = read.unwrap().into_inner();
        assert_eq!(identity(read.new_identity.as_ref(), &schema), after);
        for (state, known_by) in [(state, known_by), (read.new_state, read.new_identity)] {
            let (state, known_by) = (state.as_ref(), known_by.as_ref());
            let planned = plan(&service, type_name, &config, state, known_by).await;
            quiet(&planned.diagnostics);
            assert!(planned.requires_replace.is_empty(), "{type_name}");
            let planned = planned.planned_state.as_ref();
            assert_eq!(
                value(planned, &schema),
                value(state, &schema),
                "{type_name}"
            );
        }
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}
