//! What a change of each attribute does to a SuperLink, in one table. Plans use it to explain a
//! restart, and the documentation shows it. A restart ends every run in progress, and a replacement
//! loses all runs.

use super::model::Model;
use super::planned_outputs::REACHED_BY;
use crate::at;
use crate::flower::version::{FlowerVersion, NodeAuth, row_of};
use crate::resources::choices::Status;
use crate::tfplugin::diagnostic::Result;
use crate::tfplugin::schema::{ModelPath, Tree};
use crate::tfplugin::value::Value;

/// What a change of an attribute does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// The SuperLink keeps running.
    InPlace,
    Restart,
    /// A restart with a new certificate; in place if there is no certificate.
    Certificate,
    /// A restart if the runtime has pods; other runtimes ignore the attribute.
    Pod,
    /// One registration per entry; see [`list_restarts`].
    AllowList,
    /// A restart if there is a simulation only before or only after the change.
    Simulation,
    Replacement,
}

impl Effect {
    const fn words(self) -> &'static str {
        match self {
            Self::InPlace => "in place",
            Self::Restart | Self::Pod => "restart",
            Self::Certificate => "restart with a new certificate; in place with `insecure`",
            Self::AllowList => {
                "in place; restart if you set it for the first time or remove it, and with Flower \
                 1.22 and older"
            }
            Self::Simulation => "in place; restart if you set it for the first time or remove it",
            Self::Replacement => "replacement",
        }
    }
}

/// Attributes whose fields have different effects have one row per field.
pub(super) const EFFECTS: &[(ModelPath<Model>, Effect)] = &[
    (at!(Model, name), Effect::Replacement),
    (at!(Model, flower_version), Effect::Restart),
    (at!(Model, allow_state_loss), Effect::InPlace),
    (at!(Model, on_active_runs), Effect::InPlace),
    (at!(Model, isolation), Effect::Restart),
    (at!(Model, insecure), Effect::Restart),
    (at!(Model, tls), Effect::Certificate),
    (at!(Model, supernodes), Effect::AllowList),
    (at!(Model, simulation), Effect::Simulation),
    (at!(Model, persistence.enabled), Effect::Replacement),
    (at!(Model, persistence.size), Effect::InPlace),
    (at!(Model, persistence.storage_class), Effect::Replacement),
    (at!(Model, artifacts), Effect::Restart),
    (at!(Model, requirements), Effect::Restart),
    (at!(Model, env), Effect::Restart),
    (at!(Model, extra_args), Effect::Restart),
    (at!(Model, log_level), Effect::Restart),
    (at!(Model, service.service_type), Effect::Certificate),
    (at!(Model, service.node_port), Effect::Certificate),
    (at!(Model, service.hostname), Effect::Certificate),
    (at!(Model, service.annotations), Effect::Certificate),
    (at!(Model, service.allow_from), Effect::InPlace),
    (at!(Model, kubernetes.image), Effect::Pod),
    (at!(Model, kubernetes.superexec_image), Effect::Pod),
    (at!(Model, kubernetes.gateway_image), Effect::Pod),
    (at!(Model, kubernetes.image_pull_policy), Effect::Pod),
    (at!(Model, kubernetes.image_pull_secrets), Effect::Pod),
    (at!(Model, kubernetes.resources), Effect::Pod),
    (at!(Model, kubernetes.server_resources), Effect::Pod),
    (at!(Model, kubernetes.gateway_resources), Effect::Pod),
    (at!(Model, kubernetes.node_selector), Effect::Pod),
    (at!(Model, kubernetes.tolerations), Effect::Pod),
    (at!(Model, kubernetes.affinity), Effect::Pod),
    (at!(Model, kubernetes.priority_class), Effect::Pod),
    (at!(Model, kubernetes.runtime_class), Effect::Pod),
    (at!(Model, kubernetes.service_account), Effect::Pod),
    (at!(Model, kubernetes.env_from_secrets), Effect::Pod),
    (at!(Model, kubernetes.server_env_from_secrets), Effect::Pod),
    (at!(Model, kubernetes.volumes), Effect::Pod),
    (at!(Model, kubernetes.labels), Effect::Pod),
    (at!(Model, kubernetes.annotations), Effect::Pod),
    (at!(Model, kubernetes.network_policy), Effect::InPlace),
    (at!(Model, kubernetes.scheduling_timeout), Effect::InPlace),
    (at!(Model, kubernetes.start_timeout), Effect::Pod),
    (at!(Model, local.port), Effect::Restart),
    (at!(Model, local.keep_logs), Effect::InPlace),
    (at!(Model, timeouts), Effect::InPlace),
];

/// The table for the documentation.
pub(super) fn table() -> String {
    let mut text = "A changed attribute updates the SuperLink in place, restarts it, or replaces it. A \
                    restart ends the runs in progress as failed (see `on_active_runs`) and keeps the \
                    database; SuperNodes reconnect by themselves. A replacement loses all runs and \
                    registrations. The renewal of a certificate before its expiry restarts the SuperLink \
                    too. If a changed `flower_version` cannot read the database, the plan fails, or \
                    replaces the SuperLink with `allow_state_loss`.\n\n| Attribute | A change |\n| --- | --- |\n"
        .to_owned();
    for (attribute, effect) in EFFECTS {
        let attribute = attribute.to_string();
        text.extend(["| `", &attribute, "` | ", effect.words(), " |\n"]);
    }
    text.trim_end().to_owned()
}

/// Why a SuperLink restarts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// A change of this attribute.
    Attribute(ModelPath<Model>),
    /// A new certificate that no attribute asked for.
    Renewal,
    /// The running object differs from what was applied, or something that it was created from has
    /// changed.
    Drift,
}

impl Cause {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Attribute(attribute) => format!("a change of `{attribute}`"),
            Self::Renewal => "the renewal of its certificate".to_owned(),
            Self::Drift => "changes outside of this configuration".to_owned(),
        }
    }
}

/// Why a change restarts the SuperLink; empty if it keeps running.
pub(super) fn restarts(
    before: &Tree<Model>,
    after: &Tree<Model>,
    has_pods: bool,
) -> Result<Vec<Cause>> {
    let insecure = *after.value(at!(Model, insecure)) == Value::Bool(true);
    let mut causes = Vec::new();
    for (attribute, effect) in EFFECTS {
        let counts = match effect {
            // The SuperLink keeps its port if the attribute is removed.
            Effect::Restart if *attribute == at!(Model, local.port) => {
                !has_pods && !after.value(*attribute).is_null()
            }
            Effect::Restart => true,
            // Without pods there is no Service.
            Effect::Certificate => {
                !insecure && (has_pods || !attribute.is_within(at!(Model, service)))
            }
            Effect::Pod => has_pods,
            Effect::AllowList => {
                if list_restarts(before, after)? {
                    causes.push(Cause::Attribute(*attribute));
                }
                false
            }
            Effect::Simulation => {
                before.value(*attribute).is_null() != after.value(*attribute).is_null()
            }
            Effect::InPlace | Effect::Replacement => false,
        };
        if counts && is_changed(before.value(*attribute), after.value(*attribute)) {
            causes.push(Cause::Attribute(*attribute));
        }
    }
    let certificate = after.value(at!(Model, certificate_not_after));
    let is_new = certificate.is_unknown() || certificate.is_null();
    let is_explained = causes.iter().any(|cause| {
        matches!(cause, Cause::Attribute(name) if *name == at!(Model, tls) || *name == at!(Model, insecure) || REACHED_BY.contains(name))
    });
    if !insecure && is_new && !is_explained {
        causes.push(Cause::Renewal);
    }
    let status = before
        .get::<Option<Status>>(at!(Model, status))?
        .known()
        .flatten();
    if status == Some(Status::Changed) {
        causes.push(Cause::Drift);
    }
    Ok(causes)
}

/// Whether another allow-list restarts the SuperLink: whether a list exists is a flag, and older
/// releases read the list only at their start.
fn list_restarts(before: &Tree<Model>, after: &Tree<Model>) -> Result<bool> {
    let (old, new) = (
        before.value(at!(Model, supernodes)),
        after.value(at!(Model, supernodes)),
    );
    let version = after.get::<Option<FlowerVersion>>(at!(Model, flower_version))?;
    let row = version.known().flatten().and_then(|one| row_of(one).ok());
    let reads_once = row.is_some_and(|row| row.node_auth != NodeAuth::Registration);
    Ok(if reads_once {
        old != new
    } else {
        !new.is_unknown() && old.is_null() != new.is_null()
    })
}

/// Whether a value has changed; a missing and an empty value are equal.
pub(super) fn is_changed(before: &Value, after: &Value) -> bool {
    let is_blank = |value: &Value| match value {
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.values().all(Value::is_null),
        other => other.is_null(),
    };
    before != after && !(is_blank(before) && is_blank(after))
}

#[cfg(test)]
#[path = "effect_tests.rs"]
mod tests;
