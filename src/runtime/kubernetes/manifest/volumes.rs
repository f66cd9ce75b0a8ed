//! The volumes and files of containers.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::super::super::{Content, Volume, VolumeSource, Workload};
use super::super::{FILES, HOME, TMP};
use super::fields::{extend, without_nulls};
use super::{Context, gateway, names};

/// The files in a command line.
pub(super) fn files_of<'a>(
    workload: &'a Workload,
    args: &[String],
) -> BTreeMap<&'a str, Option<&'a Content>> {
    let mut found: BTreeMap<&str, Option<&Content>> = workload
        .files
        .iter()
        .filter(|(name, _)| {
            let path = format!("{FILES}/{name}");
            args.iter().any(|arg| arg.contains(&path))
        })
        .map(|(name, content)| (name.as_str(), Some(content)))
        .collect();
    if args.iter().any(|arg| arg.contains(gateway::CONFIG)) {
        found.insert(gateway::CONFIG, None);
    }
    found
}

/// All files of the gateway, in the form of a command line.
pub(super) fn gateway_files(workload: &Workload) -> Vec<String> {
    workload
        .files
        .keys()
        .map(String::as_str)
        .chain([gateway::CONFIG])
        .map(|name| format!("{FILES}/{name}"))
        .collect()
}

/// The volumes of a container that the provider adds itself.
pub(super) fn own_volumes(
    context: &Context<'_>,
    workload: &Workload,
    name: &str,
    args: &[String],
) -> Vec<Json> {
    let mut volumes = vec![
        json!({ "name": format!("{name}-tmp"), "emptyDir": {} }),
        json!({ "name": format!("{name}-home"), "emptyDir": {} }),
    ];
    let files = files_of(workload, args);
    if files.is_empty() {
        return volumes;
    }
    let sources: Vec<Json> = files
        .into_iter()
        .map(|(file, content)| match content {
            Some(Content::Private(_)) => json!({
                "secret": {
                    "name": context.private_name(),
                    "items": [{ "key": names::private_file(file), "path": file }],
                },
            }),
            Some(Content::Secret { name, key }) => json!({
                "secret": { "name": name, "items": [{ "key": key, "path": file }] },
            }),
            Some(Content::Public(_)) | None => json!({
                "configMap": {
                    "name": context.files_name(),
                    "items": [{ "key": file, "path": file }],
                },
            }),
        })
        .collect();
    volumes.push(json!({
        "name": format!("{name}-files"),
        "projected": { "defaultMode": 0o440, "sources": sources },
    }));
    volumes
}

pub(super) fn own_mounts(name: &str, files: bool) -> Vec<Json> {
    let mut mounts = vec![
        json!({ "name": format!("{name}-tmp"), "mountPath": TMP }),
        json!({ "name": format!("{name}-home"), "mountPath": HOME }),
    ];
    if files {
        mounts.push(json!({
            "name": format!("{name}-files"),
            "mountPath": FILES,
            "readOnly": true,
        }));
    }
    mounts
}

/// The prefix keeps the name of a user's volume different from ours.
pub(super) fn volume_name(volume: &Volume) -> String {
    format!("user-{}", volume.name)
}

/// A volume of the user.
pub(super) fn volume(context: &Context<'_>, one: &Volume) -> Json {
    let mut volume = json!({ "name": volume_name(one) });
    let source = match &one.source {
        VolumeSource::Claim(name) => json!({
            "persistentVolumeClaim": { "claimName": name, "readOnly": one.read_only },
        }),
        VolumeSource::Secret(name) => {
            json!({ "secret": { "secretName": name, "defaultMode": 0o440 } })
        }
        VolumeSource::ConfigMap(name) => json!({ "configMap": { "name": name } }),
        VolumeSource::Empty(limit) => {
            json!({ "emptyDir": without_nulls(json!({ "sizeLimit": limit })) })
        }
        VolumeSource::Ephemeral {
            size,
            storage_class,
        } => json!({
            "ephemeral": {
                "volumeClaimTemplate": {
                    "metadata": { "labels": context.labels },
                    "spec": without_nulls(json!({
                        "accessModes": ["ReadWriteOnce"],
                        "resources": { "requests": { "storage": size } },
                        "storageClassName": storage_class,
                    })),
                },
            },
        }),
    };
    extend(&mut volume, source);
    volume
}
