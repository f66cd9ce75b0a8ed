//! Removes an object: its parts first, its record last. The provider never reports an object as
//! deleted before it is.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use tokio::time::Instant;

use super::super::{Kind, ObjectRef, Removal, RuntimeError};
use super::api::{Api, Object, named};
use super::error::ClusterError;
use super::names;

/// Finalizers that Kubernetes itself removes after the pods have ended.
const FOR_PODS: [&str; 2] = ["foregroundDeletion", "kubernetes.io/pvc-protection"];
/// How often the provider checks whether a Secret still exists.
const LOOK: Duration = Duration::from_millis(500);
const LOAD_BALANCER: &str = "service.kubernetes.io/load-balancer-cleanup";

pub(super) async fn remove(
    api: &Api,
    object: &ObjectRef,
    how: &Removal<'_>,
) -> Result<(), RuntimeError> {
    tokio::select! {
        removed = parts(api, object, how) => Ok(removed?),
        () = how.stop.cancelled() => Err(RuntimeError::Interrupted),
    }
}

async fn parts(api: &Api, object: &ObjectRef, how: &Removal<'_>) -> Result<(), ClusterError> {
    let name = &names::of(object);
    let files = &names::files(name);
    let until = Instant::now() + how.limit;
    if object.kind != Kind::SupernodeKey {
        let (deployment, service, policy, claim, files_map) = tokio::try_join!(
            begin::<Deployment>(api, name, name),
            begin::<Service>(api, name, name),
            begin::<NetworkPolicy>(api, name, name),
            begin::<PersistentVolumeClaim>(api, name, name),
            begin::<ConfigMap>(api, files, name),
        )?;
        let gone = tokio::join!(
            end::<Deployment>(api, name, name, deployment, until, how.limit),
            end::<Service>(api, name, name, service, until, how.limit),
            end::<NetworkPolicy>(api, name, name, policy, until, how.limit),
            end::<PersistentVolumeClaim>(api, name, name, claim, until, how.limit),
            end::<ConfigMap>(api, files, name, files_map, until, how.limit),
        );
        gone.0.and(gone.1).and(gone.2).and(gone.3).and(gone.4)?;
    }
    let private = (object.kind != Kind::SupernodeKey).then(|| names::private(name));
    for secret in how.secrets.iter().chain(&private) {
        let uid = api
            .delete_ours::<Secret>(secret, name, DeleteParams::default())
            .await?;
        end_of_secret(api, secret, uid, until, how.limit).await?;
    }
    let record = begin::<ConfigMap>(api, name, name).await?;
    end::<ConfigMap>(api, name, name, record, until, how.limit).await
}

async fn begin<K: Object>(
    api: &Api,
    name: &str,
    whose: &str,
) -> Result<Option<String>, ClusterError> {
    // Foreground: a Deployment is deleted only after its pods.
    api.delete_ours::<K>(name, whose, DeleteParams::foreground())
        .await
}

/// Waits until an object that is being deleted no longer exists.
async fn end<K: Object>(
    api: &Api,
    name: &str,
    whose: &str,
    uid: Option<String>,
    until: Instant,
    limit: Duration,
) -> Result<(), ClusterError> {
    let Some(uid) = uid else {
        return Ok(());
    };
    let is_that = |left: &K| left.meta().uid.as_ref() == Some(&uid);
    let gone = api.until(name, |left: Option<&K>| {
        left.is_none_or(|left| !is_that(left)).then_some(())
    });
    if let Ok(gone) = tokio::time::timeout_at(until, gone).await {
        return gone;
    }
    let Some(left) = api.get::<K>(name).await?.filter(is_that) else {
        return Ok(());
    };
    let pods = api.list::<Pod>(&names::query(whose)).await;
    let pods = pods.map(|pods| pods.items).unwrap_or_default();
    Err(kept(&left, &pods, limit))
}

/// The same for a Secret: without the right to list Secrets there is no watch, so the provider
/// polls.
async fn end_of_secret(
    api: &Api,
    name: &str,
    uid: Option<String>,
    until: Instant,
    limit: Duration,
) -> Result<(), ClusterError> {
    let Some(uid) = uid else {
        return Ok(());
    };
    loop {
        match api.get::<Secret>(name).await {
            Ok(Some(left)) if left.metadata.uid.as_ref() == Some(&uid) => {
                if Instant::now() >= until {
                    return Err(kept(&left, &[], limit));
                }
            }
            Ok(_) => return Ok(()),
            Err(error) if error.may_pass() && Instant::now() < until => {}
            Err(error) => return Err(error),
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn kept<K: Object>(left: &K, pods: &[Pod], limit: Duration) -> ClusterError {
    let finalizers = left.meta().finalizers.clone().unwrap_or_default();
    let (why, remedy) = stuck(&finalizers, pods);
    ClusterError::Stuck {
        object: named::<K>(left.meta().name.as_deref().unwrap_or_default()),
        seconds: limit.as_secs(),
        why,
        remedy,
    }
}

/// Why an object with these finalizers and pods is not deleted, and the remedy.
fn stuck(finalizers: &[String], pods: &[Pod]) -> (String, &'static str) {
    let others: Vec<_> = finalizers
        .iter()
        .map(String::as_str)
        .filter(|one| !FOR_PODS.contains(one))
        .collect();
    if others == [LOAD_BALANCER] {
        return (
            format!("the cloud provider has not removed its load balancer yet ({LOAD_BALANCER})"),
            "Check the events of the Service and the console of the cloud provider, then destroy \
             again. Raise `timeouts.delete` if it only needs more time.",
        );
    }
    if !others.is_empty() {
        return (
            format!("it waits for the finalizers {}", others.join(", ")),
            "Find out why the controller behind the finalizer does not finish, then destroy again.",
        );
    }
    let pods: Vec<_> = pods
        .iter()
        .map(|pod| {
            let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
            match node {
                Some(node) => format!("{} on the node {node:?}", named::<Pod>(&pod.name_any())),
                None => named::<Pod>(&pod.name_any()),
            }
        })
        .collect();
    if pods.is_empty() {
        return (
            "the reason is unknown".to_owned(),
            "Raise `timeouts.delete` if the cluster is only busy, then destroy again.",
        );
    }
    (
        format!("these pods have not ended yet: {}", pods.join(", ")),
        "A node that does not answer keeps its pods. Repair the node, or remove it from the \
         cluster if it is off for good, then destroy again. Raise `timeouts.delete` if they only \
         need more time.",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stuck_for(finalizers: &[&str], pods: &[Pod]) -> (String, &'static str) {
        let finalizers: Vec<_> = finalizers.iter().map(|&one| one.to_owned()).collect();
        stuck(&finalizers, pods)
    }

    #[test]
    fn a_pod_that_does_not_end_is_named_with_its_node() {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": { "name": "superlink-a-x" },
            "spec": { "containers": [], "nodeName": "n1" },
        }))
        .unwrap();
        for finalizer in FOR_PODS {
            let (why, remedy) = stuck_for(&[finalizer], std::slice::from_ref(&pod));
            assert!(
                why.contains("Pod \"superlink-a-x\" on the node \"n1\""),
                "{why}"
            );
            assert!(!why.contains("finalizer"), "{why}");
            assert!(remedy.contains("node that does not answer"), "{remedy}");
        }
    }

    #[test]
    fn finalizers_of_others_are_named() {
        let (why, remedy) = stuck_for(&["foregroundDeletion", "example.org/hold"], &[]);
        assert!(why.ends_with("finalizers example.org/hold"), "{why}");
        assert!(remedy.contains("controller"), "{remedy}");
        let (why, remedy) = stuck_for(&[LOAD_BALANCER], &[]);
        assert!(why.contains("load balancer"), "{why}");
        assert!(remedy.contains("cloud"), "{remedy}");
    }
}
