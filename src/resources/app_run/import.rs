//! Imports an existing run by its address.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value as Json, json};

use super::address::{Address, AddressError};
use super::federation::KnownNodes;
use super::follow;
use super::model::{Model, OnFailure, OnMissing};
use super::outputs;
use super::run_log::RunLog;
use super::source::Source;
use crate::at;
use crate::flower::control::{RunId, is_default_federation};
use crate::flower::run_config::{ConfigValue, RunConfig};
use crate::resources::Configured;
use crate::resources::connection_attributes::{ControlInput, ControlOutput};
use crate::resources::local_path::{LocalPath, LocalPathError};
use crate::resources::place;
use crate::resources::recorded_configuration;
use crate::resources::report;
use crate::resources::superlink;
use crate::runtime::{Kind, Runtime};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Computed, Dynamic, refused};
use crate::tfplugin::value::{Number, Type, Value};
use crate::tfplugin::{Call, Import};

/// Upgrades an identity of version 0, which was the id.
pub(super) fn upgrade_identity(version: i64, identity: Json) -> Result<Json> {
    if version > 0 {
        return Ok(identity);
    }
    let id = identity.get("id").and_then(Json::as_str);
    let id = id.unwrap_or_default();
    let Address { superlink, run, .. } = id
        .parse()
        .map_err(|error: AddressError| refused(id, &error, &at!(Model, id).path()))?;
    Ok(json!({ "superlink": superlink, "run_id": run.to_string() }))
}

/// The state of a run that a SuperLink knows.
pub(super) async fn import(call: &Call<Configured>, what: Import<Model>) -> Result<Model> {
    let id = &match what {
        Import::Id(id) => id,
        Import::Identity(identity) => {
            let superlink = identity.get::<Option<String>>(at!(Model, superlink))?;
            let superlink = superlink.known().flatten().unwrap_or_default();
            let run = identity.get::<Option<RunId>>(at!(Model, run_id))?;
            let run = run.known().flatten().map(|run| run.to_string());
            format!("{superlink}#{}", run.unwrap_or_default())
        }
    };
    let what = format!("The run {id:?} cannot be imported");
    let unknown = |why: &str| {
        Diagnostics::from(
            Diagnostic::error(what.clone())
                .detail(format!("{why}."))
                .detail(
                    "Write the import ID as the SuperLink's `superlink_id` or control URL, `#`, \
                     and the run ID, such as https://127.0.0.1:20001#123. For a SuperLink that \
                     this provider configuration did not create, add `#` and the file of its CA \
                     certificate and, if it has accounts, `#` and the file of the token. A part \
                     that you do not need stays empty.",
                ),
        )
    };
    let address: Address = id
        .parse()
        .map_err(|error: AddressError| unknown(&error.to_string()))?;
    let (runtime, run) = (call.provider.runtime.as_ref(), address.run);
    let mut control = known(runtime, &address.superlink).await?;
    if let Some(file) = address.ca_file {
        control.ca_certificate = Some(text_of(&file).map_err(|why| unknown(&why))?);
    }
    let token_file = address.token_file.as_deref().map(local_path).transpose();
    control.token_file = token_file.map_err(|why| unknown(&why))?;
    let client = call.provider.control(&control);
    let client = client.map_err(|error| report::error(what.clone(), &error))?;
    let client = client.client();
    let found = client.run(run).await;
    let found = found.map_err(|error| report::error(what.clone(), &error))?;
    let place = place::of_run(runtime, &control, &what).await?;
    let mut model = Model {
        id: Computed::Known(format!("{}#{run}", control.url)),
        superlink: Computed::Known(control.superlink().to_owned()),
        control,
        // Only the owner of the app knows its folder.
        source: Source::imported(),
        run_config: run_config(&found.override_config),
        federation: Some(found.federation.clone()).filter(|name| !is_default_federation(name)),
        triggers: None,
        wait: None,
        on_failure: OnFailure::Error,
        on_client_failure: None,
        report: None,
        artifacts: None,
        on_missing: OnMissing::Keep,
        stop_on_destroy: true,
        log_lines: 20,
        timeouts: None,
        place,
        run_id: Computed::Known(run),
        fab_hash: Computed::Known(found.fab_hash.clone()),
        resolved_commit: None.into(),
        status: None.into(),
        sub_status: None.into(),
        details: None.into(),
        pending_at: None.into(),
        running_at: None.into(),
        finished_at: None.into(),
        rounds: None.into(),
        metrics: None.into(),
        client_failures: None.into(),
        usage: None.into(),
        node_ids: None.into(),
        artifact_files: None.into(),
    };
    follow::record(&mut model, &found);
    if found.is_finished() {
        let progress = RunLog::read(client, &found).await;
        let nodes = KnownNodes::of(call, client, &model.control, &progress, false).await;
        outputs::record(&mut model, &progress, &nodes);
    }
    Ok(model)
}

fn local_path(file: &str) -> std::result::Result<LocalPath, String> {
    file.parse()
        .map_err(|why: LocalPathError| format!("{file:?}: {why}"))
}

fn text_of(file: &str) -> std::result::Result<String, String> {
    let path = local_path(file)?.from(Path::new(""));
    std::fs::read_to_string(&path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))
}

/// How to reach the SuperLink with this id or URL: as the runtime recorded it, or without TLS.
async fn known(runtime: &dyn Runtime, superlink: &str) -> Result<ControlInput> {
    let recorded = runtime.recorded_configurations(Kind::Superlink).await;
    let recorded =
        recorded.map_err(|error| report::error("The SuperLinks could not be listed", &error))?;
    let superlinks = recorded_configuration::readable::<superlink::Model>(recorded);
    let mut outputs = superlinks.filter_map(|(_, model)| model.control.get().cloned());
    let is_it = |control: &ControlOutput| {
        let id = control.superlink_id.as_ref();
        control.url == superlink || id.is_some_and(|id| id.as_str() == superlink)
    };
    let control = outputs.find(is_it);
    Ok(match control {
        Some(control) => control.into(),
        None => ControlInput {
            url: superlink.to_owned(),
            ca_certificate: None,
            flower_version: None,
            superlink_id: None,
            token_file: None,
            simulation: None,
        },
    })
}

/// The overrides of a run as a configuration writes them: dotted keys become nested objects.
fn run_config(overrides: &RunConfig) -> Option<Dynamic> {
    if overrides.is_empty() {
        return None;
    }
    let mut root = BTreeMap::new();
    for (key, value) in overrides {
        insert(&mut root, key, value);
    }
    let root = Value::Map(root);
    Some(Dynamic(Value::Dynamic(Box::new((type_of(&root), root)))))
}

fn insert(object: &mut BTreeMap<String, Value>, key: &str, value: &ConfigValue) {
    let Some((first, rest)) = key.split_once('.') else {
        object.insert(key.to_owned(), plain(value));
        return;
    };
    let inner = object.entry(first.to_owned());
    let inner = inner.or_insert_with(|| Value::Map(BTreeMap::new()));
    if let Value::Map(inner) = inner {
        insert(inner, rest, value);
    }
}

fn plain(value: &ConfigValue) -> Value {
    match value {
        ConfigValue::Bool(bool) => Value::Bool(*bool),
        ConfigValue::Int(int) => Value::Number(Number::Int(*int)),
        ConfigValue::Float(float) => Value::Number(Number::Float(*float)),
        ConfigValue::Str(text) => Value::String(text.clone()),
    }
}

fn type_of(value: &Value) -> Type {
    match value {
        Value::Bool(_) => Type::Bool,
        Value::Number(_) => Type::Number,
        Value::Map(entries) => Type::Object(
            entries
                .iter()
                .map(|(name, value)| (name.clone(), type_of(value)))
                .collect(),
        ),
        _ => Type::String,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources::config_values::flatten;

    #[test]
    fn an_identity_without_a_run_is_refused() {
        for (id, known) in [
            ("http://h:1#7", true),
            ("http://h:1", false),
            ("http://h:1#x", false),
        ] {
            let upgraded = upgrade_identity(0, json!({ "id": id }));
            let expected = json!({ "superlink": "http://h:1", "run_id": "7" });
            assert_eq!(upgraded.ok(), known.then_some(expected), "{id}");
        }
    }

    #[test]
    fn overrides_are_written_as_they_are_read() {
        let overrides: RunConfig = [
            ("lr".to_owned(), ConfigValue::Float(0.5)),
            ("model.depth".to_owned(), ConfigValue::Int(3)),
            ("model.name".to_owned(), ConfigValue::Str("a".to_owned())),
            ("on".to_owned(), ConfigValue::Bool(true)),
        ]
        .into();
        let written = run_config(&overrides).unwrap();
        assert_eq!(
            flatten(&written.0, at!(Model, run_config)).unwrap(),
            overrides
        );
        assert_eq!(run_config(&RunConfig::new()), None);
    }
}
