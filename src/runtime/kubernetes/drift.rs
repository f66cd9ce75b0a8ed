//! Drift: changes by others in the fields that the provider manages. For each field, the API server
//! stores which manager wrote it last. A record stores the fields that we managed when the object
//! was settled, and each listing shows who manages them now. The provider never compares values:
//! fields that others manage are theirs, and so are fields that only they wrote.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value as Json;

use super::api::{Api, Object};
use super::dependents::gone;
use super::error::ClusterError;
use super::names::{self, MANAGER};
use super::part_id::PartId;

/// The fields of parts that we manage.
pub(super) type Fields = BTreeMap<PartId, Json>;

/// The fields of an object that we manage, without its Secrets, which are not watched.
#[derive(Default)]
pub(super) struct ManagedFields {
    pub fields: Fields,
    pub deployment: Option<ObjectMeta>,
}

/// Reads the managed fields of all parts of the object `name`.
pub(super) async fn managed_fields(api: &Api, name: &str) -> Result<ManagedFields, ClusterError> {
    let files_name = names::files(name);
    let (deployment, service, claim, policy, files) = tokio::try_join!(
        part::<Deployment>(api, name, name),
        part::<Service>(api, name, name),
        part::<PersistentVolumeClaim>(api, name, name),
        part::<NetworkPolicy>(api, name, name),
        part::<ConfigMap>(api, &files_name, name),
    )?;
    let parts = [
        (PartId::of::<Deployment>(name), &deployment),
        (PartId::of::<Service>(name), &service),
        (PartId::of::<PersistentVolumeClaim>(name), &claim),
        (PartId::of::<NetworkPolicy>(name), &policy),
        (PartId::of::<ConfigMap>(&files_name), &files),
    ];
    let fields = parts
        .into_iter()
        .filter_map(|(id, part)| Some((id, ours(part.as_ref()?)?.clone())))
        .collect();
    Ok(ManagedFields { fields, deployment })
}

async fn part<K: Object>(
    api: &Api,
    name: &str,
    whose: &str,
) -> Result<Option<ObjectMeta>, ClusterError> {
    let found = api.look::<K>(name, whose).await?;
    Ok(found.and_then(|(metadata, is_ours)| is_ours.then_some(metadata)))
}

/// A change of a part by someone else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ForeignChange {
    part: PartId,
    change: Change,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    Gone,
    /// Another manager owns the field now, or the field was removed.
    Field {
        path: FieldPath,
        by: Option<String>,
    },
}

impl ForeignChange {
    /// Whether this change is the deletion of this part.
    pub(super) fn is_end_of(&self, part: &PartId) -> bool {
        self.change == Change::Gone && self.part == *part
    }
}

impl fmt::Display for ForeignChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = &self.part;
        match &self.change {
            Change::Gone => f.write_str(&gone(&part.to_string())),
            Change::Field {
                path,
                by: Some(owner),
            } => write!(f, "{part}: {path} by {owner:?}"),
            Change::Field { path, by: None } => write!(f, "{part}: {path} was removed"),
        }
    }
}

/// The fields that we managed when the object was settled, and that others have changed or removed
/// since. A field that our own `unfinished` apply removed does not count.
pub(super) fn changed_by_others(
    parts: &BTreeMap<PartId, &ObjectMeta>,
    settled: &Fields,
    unfinished: bool,
) -> Vec<ForeignChange> {
    let mut told = Vec::new();
    for (id, settled) in settled {
        let mut tell = |change| {
            let part = id.clone();
            told.push(ForeignChange { part, change });
        };
        let Some(part) = parts.get(id) else {
            if !unfinished {
                tell(Change::Gone);
            }
            continue;
        };
        let mut lost = Vec::new();
        let now = ours(part).unwrap_or(&Json::Null);
        missing(settled, now, &FieldPath::default(), &mut lost);
        for path in lost {
            let by = owner_of(part, &path);
            if by.is_some() || !unfinished {
                tell(Change::Field { path, by });
            }
        }
    }
    told
}

/// The keys of managed fields that form the path of one field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct FieldPath(Vec<String>);

impl FieldPath {
    fn then(&self, key: &str) -> Self {
        let mut keys = self.0.clone();
        keys.push(key.to_owned());
        Self(keys)
    }

    fn is_in(&self, fields: &Json) -> bool {
        let mut keys = self.0.iter();
        keys.try_fold(fields, |at, key| at.get(key)).is_some()
    }
}

/// The usual notation: `f:spec`, `k:{"name":"a"}`, `f:image` are `spec[{"name":"a"}].image`.
impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, key) in self.0.iter().enumerate() {
            match key.split_once(':') {
                Some(("f", name)) if index == 0 => f.write_str(name)?,
                Some(("f", name)) => write!(f, ".{name}")?,
                Some((_, element)) => write!(f, "[{element}]")?,
                None => {}
            }
        }
        Ok(())
    }
}

/// The fields that we applied.
fn ours(part: &ObjectMeta) -> Option<&Json> {
    let mut entries = part.managed_fields.iter().flatten();
    let ours = entries.find(|entry| {
        entry.manager.as_deref() == Some(MANAGER) && entry.operation.as_deref() == Some("Apply")
    });
    ours?.fields_v1.as_ref().map(|fields| &fields.0)
}

/// The paths in `before` that are not in `after`; a removed element of a list is one path.
fn missing(before: &Json, after: &Json, path: &FieldPath, found: &mut Vec<FieldPath>) {
    for (key, inner) in before.as_object().into_iter().flatten() {
        let path = path.then(key);
        let is_whole = inner
            .as_object()
            .is_none_or(|inner| inner.is_empty() || inner.contains_key("."));
        match after.get(key) {
            None if is_whole => found.push(path),
            None => missing(inner, &Json::Null, &path, found),
            Some(after) => missing(inner, after, &path, found),
        }
    }
}

/// The other manager that owns the field now.
fn owner_of(part: &ObjectMeta, path: &FieldPath) -> Option<String> {
    let mut entries = part.managed_fields.iter().flatten();
    let owner = entries.find(|entry| {
        let fields = entry.fields_v1.as_ref().map(|fields| &fields.0);
        fields.is_some_and(|fields| path.is_in(fields))
    });
    owner?.manager.clone()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id() -> PartId {
        PartId::of::<Deployment>("d")
    }

    fn part(managed: &Json) -> ObjectMeta {
        serde_json::from_value(json!({ "name": "d", "managedFields": managed })).unwrap()
    }

    fn applied(fields: &Json) -> Json {
        json!({ "manager": MANAGER, "operation": "Apply", "fieldsV1": fields })
    }

    fn told(now: &ObjectMeta, settled: &Json, unfinished: bool) -> Vec<String> {
        let settled = [(id(), settled.clone())].into();
        let changed = changed_by_others(&[(id(), now)].into(), &settled, unfinished);
        changed.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_change_by_others_names_object_field_and_manager() {
        let image =
            json!({ "f:spec": { "f:containers": { "k:{\"name\":\"a\"}": { "f:image": {} } } } });
        let both = json!({ "f:spec": { "f:replicas": {}, "f:containers": { "k:{\"name\":\"a\"}": { "f:image": {} } } } });
        let rest = json!({ "f:spec": { "f:replicas": {} } });
        let theirs = json!({ "manager": "kubectl-edit", "operation": "Update", "fieldsV1": image });
        let edited = part(&json!([theirs, applied(&rest)]));
        assert_eq!(
            told(&edited, &both, true),
            ["Deployment \"d\": spec.containers[{\"name\":\"a\"}].image by \"kubectl-edit\""]
        );
        let gone = part(&json!([applied(&rest)]));
        assert_eq!(
            told(&gone, &both, false),
            ["Deployment \"d\": spec.containers[{\"name\":\"a\"}].image was removed"]
        );
        // A field that our own apply removed is not a change by others.
        let none = Vec::<String>::new();
        assert_eq!(told(&gone, &both, true), none);
        // Fields that others added are theirs.
        let more = json!({ "manager": "vpa", "fieldsV1": { "f:spec": { "f:paused": {} } } });
        let added = part(&json!([more, applied(&rest)]));
        assert_eq!(told(&added, &rest, false), none);
        // Fields that we only updated were never applied: a record is not a part.
        let updated = json!({ "manager": MANAGER, "operation": "Update", "fieldsV1": {} });
        let held = part(&json!([updated, applied(&rest)]));
        assert_eq!(told(&held, &rest, false), none);
    }

    #[test]
    fn an_element_that_was_taken_out_is_told_once() {
        let ports = |ports: Json| json!({ "f:spec": { "f:ports": ports } });
        let port = json!({ "k:{\"port\":9092}": { ".": {}, "f:port": {}, "f:targetPort": {} } });
        let other = part(&json!([applied(&ports(json!({})))]));
        assert_eq!(
            told(&other, &ports(port), false),
            ["Deployment \"d\": spec.ports[{\"port\":9092}] was removed"]
        );
    }

    #[test]
    fn a_part_that_is_gone_is_told_unless_an_apply_of_ours_may_have_removed_it() {
        let settled: Fields = [(id(), json!({}))].into();
        let nothing = BTreeMap::new();
        let changed = changed_by_others(&nothing, &settled, false);
        let [change] = &*changed else {
            panic!("{changed:?}");
        };
        assert_eq!(change.to_string(), "Deployment \"d\" no longer exists");
        assert!(change.is_end_of(&id()) && !change.is_end_of(&PartId::of::<Service>("d")));
        assert!(changed_by_others(&nothing, &settled, true).is_empty());
    }
}
