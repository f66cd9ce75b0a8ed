//! What a change of each attribute does to a SuperLink: one table, from which the plan says why it
//! restarts, and the documentation what to expect. A restart ends every run that is in progress, and a
//! replacement loses them all.

use super::foresight::REACHED_BY;
use crate::flower::version::{FlowerVersion, NodeAuth, row_of};
use crate::resources::choices::Status;
use crate::tfplugin::diagnostic::Result;
use crate::tfplugin::schema::Tree;
use crate::tfplugin::value::Value;

/// What a change of an attribute does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// The SuperLink goes on as it runs.
    InPlace,
    Restart,
    /// A restart with another certificate, and in place where there is none.
    Certificate,
    /// A restart where there are pods; the attribute means nothing elsewhere.
    Pod,
    /// A registration each; see [`list_restarts`].
    AllowList,
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
            Self::Replacement => "replacement",
        }
    }
}

/// Attributes whose parts differ have a row for each part.
pub(super) const EFFECTS: &[(&str, Effect)] = &[
    ("name", Effect::Replacement),
    ("flower_version", Effect::Restart),
    ("allow_state_loss", Effect::InPlace),
    ("on_active_runs", Effect::InPlace),
    ("isolation", Effect::Restart),
    ("insecure", Effect::Restart),
    ("tls", Effect::Certificate),
    ("supernodes", Effect::AllowList),
    ("persistence.enabled", Effect::Replacement),
    ("persistence.size", Effect::InPlace),
    ("persistence.storage_class", Effect::Replacement),
    ("requirements", Effect::Restart),
    ("env", Effect::Restart),
    ("extra_args", Effect::Restart),
    ("log_level", Effect::Restart),
    ("service.service_type", Effect::Certificate),
    ("service.node_port", Effect::Certificate),
    ("service.hostname", Effect::Certificate),
    ("service.annotations", Effect::Certificate),
    ("service.allow_from", Effect::InPlace),
    ("kubernetes.image", Effect::Pod),
    ("kubernetes.superexec_image", Effect::Pod),
    ("kubernetes.gateway_image", Effect::Pod),
    ("kubernetes.image_pull_policy", Effect::Pod),
    ("kubernetes.image_pull_secrets", Effect::Pod),
    ("kubernetes.resources", Effect::Pod),
    ("kubernetes.server_resources", Effect::Pod),
    ("kubernetes.gateway_resources", Effect::Pod),
    ("kubernetes.node_selector", Effect::Pod),
    ("kubernetes.tolerations", Effect::Pod),
    ("kubernetes.affinity", Effect::Pod),
    ("kubernetes.priority_class", Effect::Pod),
    ("kubernetes.runtime_class", Effect::Pod),
    ("kubernetes.service_account", Effect::Pod),
    ("kubernetes.env_from_secrets", Effect::Pod),
    ("kubernetes.server_env_from_secrets", Effect::Pod),
    ("kubernetes.volumes", Effect::Pod),
    ("kubernetes.labels", Effect::Pod),
    ("kubernetes.annotations", Effect::Pod),
    ("kubernetes.network_policy", Effect::InPlace),
    ("kubernetes.scheduling_timeout", Effect::InPlace),
    ("kubernetes.start_timeout", Effect::Pod),
    ("local.port", Effect::Restart),
    ("local.keep_logs", Effect::InPlace),
    ("timeouts", Effect::InPlace),
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
        text.extend(["| `", attribute, "` | ", effect.words(), " |\n"]);
    }
    text.trim_end().to_owned()
}

/// Why a SuperLink restarts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// A change of this attribute.
    Attribute(&'static str),
    /// A new certificate for no attribute's sake.
    Renewal,
    /// What it runs as is not what was applied, or was made from what is another by now.
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

/// Why a change restarts the SuperLink; empty where it goes on as it runs.
pub(super) fn restarts(before: &Tree, after: &Tree, has_pods: bool) -> Result<Vec<Cause>> {
    let insecure = *after.value("insecure") == Value::Bool(true);
    let mut causes = Vec::new();
    for (attribute, effect) in EFFECTS {
        let counts = match effect {
            // A port that is not asked for any more stays.
            Effect::Restart if *attribute == "local.port" => {
                !has_pods && !after.value(attribute).is_null()
            }
            Effect::Restart => true,
            // Without pods there is no Service.
            Effect::Certificate => !insecure && (has_pods || !attribute.starts_with("service.")),
            Effect::Pod => has_pods,
            Effect::AllowList => {
                if list_restarts(before, after)? {
                    causes.push(Cause::Attribute(attribute));
                }
                false
            }
            Effect::InPlace | Effect::Replacement => false,
        };
        if counts && is_changed(before.value(attribute), after.value(attribute)) {
            causes.push(Cause::Attribute(attribute));
        }
    }
    let certificate = after.value("certificate_not_after");
    let is_new = certificate.is_unknown() || certificate.is_null();
    let is_explained = causes.iter().any(|cause| {
        matches!(cause, Cause::Attribute(name) if *name == "tls" || *name == "insecure" || REACHED_BY.contains(name))
    });
    if !insecure && is_new && !is_explained {
        causes.push(Cause::Renewal);
    }
    let status = before.get::<Option<Status>>("status")?.known().flatten();
    if status == Some(Status::Changed) {
        causes.push(Cause::Drift);
    }
    Ok(causes)
}

/// Whether it restarts for another allow-list: that there is one is a flag, and older releases read it
/// once, at their start.
fn list_restarts(before: &Tree, after: &Tree) -> Result<bool> {
    let (old, new) = (before.value("supernodes"), after.value("supernodes"));
    let version = after.get::<Option<FlowerVersion>>("flower_version")?;
    let row = version.known().flatten().and_then(|one| row_of(one).ok());
    let reads_once = row.is_some_and(|row| row.node_auth != NodeAuth::Registration);
    Ok(if reads_once {
        old != new
    } else {
        !new.is_unknown() && old.is_null() != new.is_null()
    })
}

/// Whether a value is another one: none and an empty one are the same.
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
