//! The drift of a SuperLink: how it is reported, how it changes the state, and how a plan repairs
//! it. A value that an apply creates again must be unknown in its plan; otherwise Terraform fails
//! with an inconsistent result.

use time::OffsetDateTime;

use super::model::Model;
use super::{credentials, storage, workload};
use crate::at;
use crate::flower::version::{FlowerVersion, NodeAuth, row_of};
use crate::resources::Configured;
use crate::resources::choices::Status;
use crate::runtime::{Missing, ObjectRef, Observation, Part};
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::schema::Computed;
use crate::tfplugin::value::Value;
use crate::tfplugin::{Call, GoDuration, Plan};

/// Warns which parts are missing, with the status that results.
pub(super) fn report_missing(
    call: &Call<Configured>,
    object: &ObjectRef,
    status: Status,
    missing: &[Missing],
) -> Status {
    if missing.is_empty() {
        return status;
    }
    let words: Vec<_> = missing.iter().map(|one| one.words.as_str()).collect();
    let is_lost = missing.iter().any(|one| one.part == Part::Volume);
    call.warn(
        Diagnostic::warning(format!("Parts of {object} were deleted"))
            .detail(format!("{}.", words.join("; ")))
            .detail(if is_lost {
                "Its runs and registrations are lost with its database, or will be."
            } else {
                "Apply creates them again and updates what depends on them."
            }),
    );
    match status {
        _ if is_lost => Status::Lost,
        Status::Running => Status::Changed,
        other => other,
    }
}

/// Sets values that are no longer true to null.
pub(super) fn forget_outdated(state: &mut Model, observed: &Observation) {
    if observed.unfinished {
        // An update may have renewed the certificate before it failed.
        state.certificate_not_after = None.into();
    }
    let authority = credentials::authority_secret(&state.name);
    let tls = credentials::tls_secret(&state.name);
    for one in &observed.missing {
        match &one.part {
            // A new Service may have another address. The Control API does not use the Service.
            Part::Service => state.fleet = None.into(),
            Part::Secret(name) if *name == authority => {
                state.fleet = None.into();
                // The URL has not changed, so runs still belong to the SuperLink.
                if let Computed::Known(control) = &mut state.control {
                    control.ca_certificate = None;
                }
                state.certificate_not_after = None.into();
            }
            Part::Secret(name) if *name == tls => state.certificate_not_after = None.into(),
            Part::Secret(_) | Part::Volume => {}
        }
    }
}

/// Sets the values that depend on the address for SuperNodes to null if that address has changed to
/// `now`, and returns a warning: a load balancer got another address, or someone edited the
/// Service.
pub(super) fn readdress(state: &mut Model, now: Option<&str>) -> Option<Diagnostic> {
    let before = state.fleet.get()?.address.clone();
    let now = now.filter(|now| *now != before)?;
    let host = |address: &str| address.rsplit_once(':').map(|(host, _)| host.to_owned());
    if host(&before) != host(now) {
        // A certificate is valid for names and addresses.
        state.certificate_not_after = None.into();
    }
    state.fleet = None.into();
    let what = format!("{} has another address now", workload::object(&state.name));
    Some(
        Diagnostic::warning(what)
            .detail(format!(
                "Its Service has {now}; SuperNodes connect to {before}."
            ))
            .detail("Apply gives them the new address, with a certificate for it."),
    )
}

/// Plans the repair of the drift.
pub(super) fn repair(plan: &mut Plan<Model>) -> Result<()> {
    let status = plan
        .prior
        .get::<Option<Status>>(at!(Model, status))?
        .known()
        .flatten();
    match status {
        Some(Status::Stopped | Status::Changed) => plan.set_unknown(at!(Model, status)),
        Some(Status::Lost) => recreate(plan)?,
        Some(Status::Running) | None => {}
    }
    let prior = plan.prior.clone();
    let insecure = plan
        .get::<Option<bool>>(at!(Model, insecure))?
        .known()
        .flatten();
    if insecure == Some(false) && prior.value(at!(Model, certificate_not_after)).is_null() {
        plan.set_unknown(at!(Model, certificate_not_after));
        plan.set_unknown(at!(Model, status));
    }
    let listed = prior.value(at!(Model, supernodes));
    let registered = prior.value(at!(Model, nodes));
    let version = prior.get::<Option<FlowerVersion>>(at!(Model, flower_version))?;
    let row = version
        .known()
        .flatten()
        .and_then(|version| row_of(version).ok());
    let registers = row.is_none_or(|row| row.node_auth == NodeAuth::Registration);
    if let (Value::Map(listed), Value::Map(nodes)) = (listed, registered)
        && registers
        && !listed.keys().eq(nodes.keys())
    {
        plan.set_unknown(at!(Model, nodes));
    }
    let end = prior
        .get::<Option<String>>(at!(Model, certificate_not_after))?
        .known()
        .flatten();
    let duration = |name| -> Result<Option<GoDuration>> { Ok(plan.get(name)?.known().flatten()) };
    let before = duration(at!(Model, tls.renew_before))?;
    let validity = credentials::validity(duration(at!(Model, tls.validity))?.as_ref());
    if let Some(end) = end
        && credentials::is_due(&end, validity, before.as_ref(), OffsetDateTime::now_utc())
    {
        plan.set_unknown(at!(Model, certificate_not_after));
        plan.set_unknown(at!(Model, status));
    }
    // A SuperLink that restarts without its database registers its nodes again.
    if plan.changes(at!(Model, status)) && storage::is_kept(&prior)? == Some(false) {
        plan.set_unknown(at!(Model, nodes));
    }
    Ok(())
}

/// Plans a new SuperLink if the database is lost and `allow_state_loss` is set. Otherwise the apply
/// fails; an error in the plan would also prevent Terraform from destroying the SuperLink.
fn recreate(plan: &mut Plan<Model>) -> Result<()> {
    plan.set_unknown(at!(Model, status));
    let allowed = plan.get::<Option<bool>>(at!(Model, allow_state_loss))?;
    let keeps = storage::is_kept(&plan.planned)?;
    if keeps == Some(false) || allowed.known().flatten() == Some(true) {
        plan.replace(at!(Model, status));
    } else {
        let note =
            Diagnostic::warning("The database of the SuperLink is lost, and apply will fail");
        plan.notes.push(bring_back(note));
    }
    Ok(())
}

/// Refuses to replace a lost volume with an empty one: such a SuperLink would not know the nodes in
/// the state.
pub(super) fn has_database(prior: &Model) -> Result<()> {
    if prior.status.get() == Some(&Status::Lost) {
        let error = Diagnostic::error("The database of the SuperLink is lost")
            .detail("Its file or volume was deleted.")
            .detail(
                "Nothing was changed. With an empty database the SuperLink would know no run \
                     and no SuperNode.",
            );
        return Err(bring_back(error).into());
    }
    Ok(())
}

fn bring_back(message: Diagnostic) -> Diagnostic {
    message
        .detail(
            "Restore it from a backup (in a cluster: the claim, with its volume and its former \
             labels), or set `allow_state_loss = true`. Apply then creates a new SuperLink without \
             the runs and SuperNodes of this one, and SuperNodes need new keys.",
        )
        .at(at!(Model, persistence))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::resources::recorded_configuration;

    #[test]
    fn another_address_is_told_and_what_follows_from_it_planned_anew() {
        for (now, told, certificate) in [
            (None, false, true),
            (Some("192.0.2.1:9092"), false, true),
            (Some("192.0.2.1:30001"), true, true),
            (Some("192.0.2.2:9092"), true, false),
        ] {
            let mut state: Model = recorded_configuration::read(&json!({
                "name": "a", "flower_version": "1.42.0", "allow_state_loss": false,
                "isolation": "subprocess", "insecure": false,
                "fleet": {
                    "address": "192.0.2.1:9092", "ca_certificate": "CA", "insecure": false,
                    "flower_version": "1.42.0",
                },
                "certificate_not_after": "2999-01-01T00:00:00Z",
            }))
            .unwrap();
            let note = readdress(&mut state, now);
            assert_eq!(note.is_some(), told, "{now:?}");
            assert_eq!(state.fleet.get().is_none(), told, "{now:?}");
            let kept = state.certificate_not_after.get().is_some();
            assert_eq!(kept, certificate, "{now:?}");
        }
    }
}
