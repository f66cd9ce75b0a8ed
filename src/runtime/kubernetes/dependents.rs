//! The dependents of an object besides its record and its pod. A refresh reports the deleted ones,
//! so that an apply does not discover them in the middle of a different change.

use futures_util::future::try_join_all;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret, Service};

use super::super::{Missing, Part};
use super::api::{Api, named};
use super::error::ClusterError;
use super::listing::Listing;
use super::part_id::PartId;

/// Which of these parts of the object `name` no longer exist. Services and claims are in the
/// listing that all objects share. For a Secret, one request reads only its metadata: listing
/// Secrets needs the right to read all of them.
pub(super) async fn missing(
    api: &Api,
    listing: &Listing,
    name: &str,
    parts: &[Part],
) -> Result<Vec<Missing>, ClusterError> {
    let looks = parts.iter().map(|part| async move {
        let words = match part {
            Part::Service if listing.services.contains_key(name) => None,
            Part::Service => Some(gone(&named::<Service>(name))),
            Part::Volume => lost(name, listing.claims.get(name)),
            Part::Secret(secret) => match api.look::<Secret>(secret, name).await? {
                Some((_, true)) => None,
                Some((_, false)) => Some(format!(
                    "the provider did not create {}",
                    named::<Secret>(secret)
                )),
                None => Some(gone(&named::<Secret>(secret))),
            },
        };
        Ok(words.map(|words| Missing {
            part: part.clone(),
            words,
        }))
    });
    Ok(try_join_all(looks).await?.into_iter().flatten().collect())
}

/// The part as records identify it. Secrets are not watched.
pub(super) fn id(part: &Part, name: &str) -> Option<PartId> {
    match part {
        Part::Service => Some(PartId::of::<Service>(name)),
        Part::Volume => Some(PartId::of::<PersistentVolumeClaim>(name)),
        Part::Secret(_) => None,
    }
}

pub(super) fn gone(object: &str) -> String {
    format!("{object} no longer exists")
}

/// Whether the data of the claim is lost, or will be lost with the next pod.
fn lost(name: &str, claim: Option<&PersistentVolumeClaim>) -> Option<String> {
    let object = named::<PersistentVolumeClaim>(name);
    let Some(claim) = claim else {
        return Some(gone(&object));
    };
    if claim.metadata.deletion_timestamp.is_some() {
        return Some(format!(
            "{object} is being deleted, and disappears when no pod uses it"
        ));
    }
    let phase = claim.status.as_ref()?.phase.as_deref()?;
    (phase == "Lost").then(|| format!("{object} has lost its volume (its phase is Lost)"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn words(metadata: Json, phase: &str) -> Option<String> {
        let claim = json!({ "metadata": metadata, "status": { "phase": phase } });
        lost("a", Some(&serde_json::from_value(claim).unwrap()))
    }

    #[test]
    fn a_claim_without_its_volume_is_lost() {
        for phase in ["Pending", "Bound"] {
            assert_eq!(words(json!({}), phase), None);
        }
        assert!(words(json!({}), "Lost").unwrap().contains("phase is Lost"));
        let deleted = json!({ "deletionTimestamp": "2026-01-01T00:00:00Z" });
        assert!(words(deleted, "Bound").unwrap().contains("being deleted"));
        assert!(lost("a", None).unwrap().ends_with("\"a\" no longer exists"));
    }
}
