//! Provisions volumes for claims, as folders of the node.
//!
//! Kubernetes' own host-path provisioner creates volumes that only root can write to. `local`
//! volumes get the group that a pod requests, like disks of a cloud provider, but something must
//! create them: a process that polls is enough for the few claims of a test.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Result;

use super::api::Api;
use super::layout::{STORAGE_CLASS, Tenant, remove_folder};

/// The name of our provisioner in claims and classes.
pub const PROVISIONER: &str = "flower.test/volumes";

const POLL: Duration = Duration::from_millis(300);
const CLAIMS: &str = "/api/v1/persistentvolumeclaims";
const VOLUMES: &str = "/api/v1/persistentvolumes";

/// A step that a claim or volume waits for.
#[derive(Debug, PartialEq)]
enum Step {
    /// A claim has a pod on our node, but no volume.
    Provide { name: String, volume: Value },
    /// A claim requests more than its volume has.
    Grow {
        volume: String,
        claim: String,
        size: Value,
    },
    /// The claim of a volume no longer exists.
    Remove { name: String },
}

/// Serves the claims of one cluster until the process ends.
pub fn serve(tenant: &Tenant) -> Result<()> {
    let api = Api::new(tenant)?;
    let folder = tenant.path("volumes");
    loop {
        if let Err(error) = round(&api, &folder, &tenant.node()) {
            eprintln!("{error}");
        }
        std::thread::sleep(POLL);
    }
}

fn round(api: &Api, folder: &Path, node: &str) -> Result<()> {
    let (claims, volumes) = (api.get(CLAIMS)?, api.get(VOLUMES)?);
    for step in due(items(&claims), items(&volumes), folder, node) {
        eprintln!("{step:?}");
        take(api, folder, &step)?;
    }
    Ok(())
}

fn take(api: &Api, folder: &Path, step: &Step) -> Result<()> {
    match step {
        Step::Provide { name, volume } => {
            fs::create_dir_all(folder.join(name))?;
            api.create(VOLUMES, volume)?;
        }
        Step::Grow {
            volume,
            claim,
            size,
        } => {
            let capacity = json!({ "capacity": { "storage": size } });
            api.merge(&format!("{VOLUMES}/{volume}"), &json!({ "spec": capacity }))?;
            api.merge(&format!("{claim}/status"), &json!({ "status": capacity }))?;
        }
        Step::Remove { name } => {
            remove_folder(&folder.join(name))?;
            api.delete(&format!("{VOLUMES}/{name}"))?;
        }
    }
    Ok(())
}

/// The steps that follow from the claims and volumes.
fn due(claims: &[Value], volumes: &[Value], folder: &Path, node: &str) -> Vec<Step> {
    let ours = |object: &Value| text(object, "/spec/storageClassName") == STORAGE_CLASS;
    let lasting = |object: &Value| object.pointer("/metadata/deletionTimestamp").is_none();
    let released = |volume: &Value| text(volume, "/status/phase") == "Released";

    let mut steps = Vec::new();
    for claim in claims.iter().filter(|claim| ours(claim) && lasting(claim)) {
        let name = format!("pvc-{}", text(claim, "/metadata/uid"));
        let known = volumes
            .iter()
            .any(|volume| text(volume, "/metadata/name") == name);
        if text(claim, "/status/phase") == "Bound" {
            steps.extend(growth(claim));
        } else if !known && text(claim, SELECTED_NODE) == node {
            let volume = volume(claim, &name, &folder.join(&name), node);
            steps.push(Step::Provide { name, volume });
        }
    }
    for volume in volumes.iter().filter(|volume| ours(volume)) {
        if released(volume) && lasting(volume) {
            steps.push(Step::Remove {
                name: text(volume, "/metadata/name").to_owned(),
            });
        }
    }
    steps
}

/// The annotation in which the scheduler names the node of a volume.
const SELECTED_NODE: &str = "/metadata/annotations/volume.kubernetes.io~1selected-node";

fn growth(claim: &Value) -> Option<Step> {
    let wanted = claim.pointer("/spec/resources/requests/storage")?;
    // The server normalises equal quantities, and refuses smaller ones.
    (claim.pointer("/status/capacity/storage")? != wanted).then(|| Step::Grow {
        volume: text(claim, "/spec/volumeName").to_owned(),
        claim: format!(
            "/api/v1/namespaces/{}/persistentvolumeclaims/{}",
            text(claim, "/metadata/namespace"),
            text(claim, "/metadata/name")
        ),
        size: wanted.clone(),
    })
}

fn volume(claim: &Value, name: &str, path: &Path, node: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "annotations": { "pv.kubernetes.io/provisioned-by": PROVISIONER },
        },
        "spec": {
            "storageClassName": STORAGE_CLASS,
            "persistentVolumeReclaimPolicy": "Delete",
            "capacity": claim.pointer("/spec/resources/requests"),
            "accessModes": claim.pointer("/spec/accessModes"),
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": claim.pointer("/metadata/namespace"),
                "name": claim.pointer("/metadata/name"),
                "uid": claim.pointer("/metadata/uid"),
            },
            "local": { "path": path },
            "nodeAffinity": { "required": { "nodeSelectorTerms": [{
                "matchExpressions": [{
                    "key": "kubernetes.io/hostname",
                    "operator": "In",
                    "values": [node],
                }],
            }] } },
        },
    })
}

fn items(list: &Value) -> &[Value] {
    list.get("items")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(phase: &str, selected: Option<&str>) -> Value {
        let mut claim = json!({
            "metadata": { "name": "data", "namespace": "x", "uid": "u", "annotations": {} },
            "spec": {
                "storageClassName": STORAGE_CLASS,
                "accessModes": ["ReadWriteOnce"],
                "resources": { "requests": { "storage": "1Gi" } },
            },
            "status": { "phase": phase },
        });
        if let Some(node) = selected {
            claim["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] = node.into();
        }
        claim
    }

    fn due_for(claims: &[Value], volumes: &[Value]) -> Vec<Step> {
        due(claims, volumes, Path::new("/v"), "node-a")
    }

    #[test]
    fn a_claim_gets_a_volume_once_a_pod_wants_it() {
        assert_eq!(due_for(&[claim("Pending", None)], &[]), []);
        assert_eq!(due_for(&[claim("Pending", Some("node-b"))], &[]), []);
        let steps = due_for(&[claim("Pending", Some("node-a"))], &[]);
        let [Step::Provide { name, volume }] = steps.as_slice() else {
            panic!("{steps:?}")
        };
        assert_eq!(name, "pvc-u");
        assert_eq!(volume["spec"]["local"]["path"], "/v/pvc-u");
        assert_eq!(volume["spec"]["capacity"]["storage"], "1Gi");
        let volumes = [volume.clone()];
        assert_eq!(due_for(&[claim("Pending", Some("node-a"))], &volumes), []);
    }

    #[test]
    fn a_bound_claim_grows_to_what_it_asks_for() {
        let mut bound = claim("Bound", Some("node-a"));
        bound["spec"]["volumeName"] = "pvc-u".into();
        bound["status"]["capacity"] = json!({ "storage": "1Gi" });
        assert_eq!(due_for(&[bound.clone()], &[]), []);
        bound["spec"]["resources"]["requests"]["storage"] = "2Gi".into();
        assert_eq!(
            due_for(&[bound], &[]),
            [Step::Grow {
                volume: "pvc-u".into(),
                claim: "/api/v1/namespaces/x/persistentvolumeclaims/data".into(),
                size: "2Gi".into(),
            }]
        );
    }

    #[test]
    fn a_volume_goes_with_its_claim_and_others_stay() {
        let volume = |class: &str, phase: &str| {
            json!({
                "metadata": { "name": "pvc-u" },
                "spec": { "storageClassName": class },
                "status": { "phase": phase },
            })
        };
        assert_eq!(due_for(&[], &[volume("other", "Released")]), []);
        assert_eq!(due_for(&[], &[volume(STORAGE_CLASS, "Bound")]), []);
        assert_eq!(
            due_for(&[], &[volume(STORAGE_CLASS, "Released")]),
            [Step::Remove {
                name: "pvc-u".into()
            }]
        );
    }
}
