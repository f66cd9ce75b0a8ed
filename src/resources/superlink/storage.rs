//! The database: whether a change keeps it, and the size of its volume, which can only grow.

use super::model::Model;
use crate::at;
use crate::flower::version::FlowerVersion;
use crate::resources::choices::Status;
use crate::resources::pod::checks::storage_class;
use crate::resources::quantity;
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Maybe, ModelPath, Tree};

const SIZE: ModelPath<Model> = at!(Model, persistence.size);
/// The default size.
pub(super) const DEFAULT: &str = "1Gi";

/// Whether the database outlives the process, as far as it is known; by default it does.
pub(super) fn is_kept(tree: &Tree<Model>) -> Result<Option<bool>> {
    let enabled = tree
        .get::<Option<bool>>(at!(Model, persistence.enabled))?
        .known();
    Ok(enabled.map(|enabled| enabled.unwrap_or(true)))
}

/// An error if a change would make the volume smaller. An unset size counts as the default.
pub(super) fn grows(plan: &Plan<Model>) -> Result<()> {
    if is_kept(&plan.prior)? == Some(false) || is_kept(&plan.planned)? == Some(false) {
        return Ok(());
    }
    let size = |tree: &Tree<Model>| -> Result<Option<String>> {
        let size = tree.get::<Option<String>>(SIZE)?.known();
        Ok(size.map(|size| size.unwrap_or_else(|| DEFAULT.to_owned())))
    };
    let (Some(before), Some(after)) = (size(&plan.prior)?, size(&plan.planned)?) else {
        return Ok(());
    };
    match (quantity::value(&before), quantity::value(&after)) {
        (Some(was), Some(will)) if will < was => {
            let default = if plan.planned.is_set(SIZE) {
                ""
            } else {
                " (the default)"
            };
            Err(Diagnostic::error("persistence.size cannot shrink")
                .detail(format!(
                    "The volume has {before}, and {after}{default} is less."
                ))
                .detail("Keep its size, or create a new SuperLink without this database.")
                .at(SIZE)
                .into())
        }
        _ => Ok(()),
    }
}

/// Plans a new SuperLink if the other release cannot read the database and `allow_state_loss` is
/// set.
pub(super) fn lose(
    plan: &mut Plan<Model>,
    prior: FlowerVersion,
    version: FlowerVersion,
) -> Result<()> {
    let keeps = is_kept(&plan.prior)?.unwrap_or(true);
    let allowed = plan
        .get::<Option<bool>>(at!(Model, allow_state_loss))?
        .known()
        .flatten();
    if keeps && !allowed.unwrap_or(false) {
        return Err(Diagnostic::error(format!(
            "Flower {version} cannot use the database of Flower {prior}"
        ))
        .detail("A SuperLink with that version would refuse to start, or not find its runs.")
        .detail(
            "Keep the version, or set `allow_state_loss = true`. Apply then creates a new \
             SuperLink without the runs and SuperNodes of this one, and SuperNodes need new keys.",
        )
        .at(at!(Model, flower_version))
        .into());
    }
    plan.replace(at!(Model, flower_version));
    Ok(())
}

/// Warns that a plan loses the content of the database. Every plan shows the replacement itself,
/// but not what is lost with it.
pub(super) fn note_loss(plan: &mut Plan<Model>) -> Result<()> {
    let is_lost = plan
        .prior
        .get::<Option<Status>>(at!(Model, status))?
        .known()
        == Some(Some(Status::Lost));
    let Some(first) = plan.replaced_for().first().cloned() else {
        return Ok(());
    };
    if is_lost || is_kept(&plan.prior)? == Some(false) {
        // Nothing is left to lose, or a restart would lose it as well.
        return Ok(());
    }
    let causes = plan.replaced_for().iter();
    let causes: Vec<_> = causes.map(|cause| format!("`{cause}`")).collect();
    plan.notes.push(
        Diagnostic::warning("The runs and registrations of this SuperLink will be lost")
            .detail(format!(
                "A new SuperLink with an empty database replaces it because of {}.",
                causes.join(", ")
            ))
            .detail("To keep them, undo that change.")
            .at(first),
    );
    Ok(())
}

/// Errors for a volume that no cluster can provide.
pub(super) fn validate(config: &Tree<Model>) -> Diagnostics {
    let mut found = Diagnostics::default();
    if let Ok(Maybe::Known(Some(size))) = config.get::<Option<String>>(SIZE) {
        found.absorb(quantity::check_size(&size, SIZE.path()));
    }
    found.absorb(artifacts_are_kept(config));
    let class = at!(Model, persistence.storage_class);
    if let Some(text) = config.value(class).as_str() {
        found.absorb(storage_class(text, &class.path()));
    }
    found
}

/// An error for artifacts without a volume: they would be lost with the process.
fn artifacts_are_kept(config: &Tree<Model>) -> Result<()> {
    let enabled = config.get::<Option<bool>>(at!(Model, artifacts.enabled))?;
    let wanted = config.is_set(at!(Model, artifacts)) && enabled.known() != Some(Some(false));
    if wanted && is_kept(config)? == Some(false) {
        return Err(Diagnostic::error("Artifacts need a database on disk")
            .detail("Artifacts are stored beside the database, and `persistence.enabled` is false.")
            .detail("Remove `artifacts` or `persistence.enabled`.")
            .at(at!(Model, artifacts))
            .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::Superlink;
    use crate::resources::planning::{plan, tree};

    /// The configuration of a SuperLink with these settings.
    fn with(mut config: Json) -> Json {
        config["name"] = json!("a");
        config["flower_version"] = json!("1.42.0");
        config
    }

    /// The state for these settings.
    fn stood(config: Json) -> Json {
        let mut prior = with(config);
        for (name, value) in [
            ("insecure", json!(false)),
            ("status", json!("running")),
            ("isolation", json!("subprocess")),
            ("certificate_not_after", json!("2999-01-01T00:00:00Z")),
        ] {
            prior[name] = value;
        }
        prior
    }

    #[tokio::test]
    async fn what_cannot_change_in_place_makes_a_new_superlink() {
        let class =
            |class: &str| json!({ "persistence": { "enabled": true, "storage_class": class } });
        let kept = |kept: bool| json!({ "persistence": { "enabled": kept } });
        for (before, after, path) in [
            (class("slow"), class("slow"), None),
            (
                class("slow"),
                class("fast"),
                Some("persistence.storage_class"),
            ),
            (kept(true), kept(false), Some("persistence")),
            (json!({}), kept(false), Some("persistence")),
            (kept(false), json!({}), Some("persistence")),
        ] {
            let planned =
                plan::<Superlink>(Some(&stood(before.clone())), with(after.clone())).await;
            let expected: Vec<_> = path.into_iter().collect();
            assert_eq!(planned.replaces, expected, "{before} to {after}");
            let has_data = before["persistence"]["enabled"] != json!(false);
            let loss = "The runs and registrations of this SuperLink will be lost";
            let expected: &[&str] = if path.is_some() && has_data {
                &[loss]
            } else {
                &[]
            };
            assert_eq!(planned.warned(), expected, "{before} to {after}");
        }
    }

    #[tokio::test]
    async fn a_volume_never_shrinks_also_not_from_or_to_its_default() {
        let none = || json!({});
        let size = |size: &str| json!({ "persistence": { "enabled": true, "size": size } });
        for (before, after, fits) in [
            (size("5Gi"), size("10Gi"), true),
            (size("5Gi"), size("4Gi"), false),
            (size("5Gi"), none(), false),
            (size("500Mi"), none(), true),
            (none(), size("500Mi"), false),
            (none(), size("1024Mi"), true),
            (none(), none(), true),
        ] {
            let planned =
                plan::<Superlink>(Some(&stood(before.clone())), with(after.clone())).await;
            let expected = if fits {
                ""
            } else {
                "persistence.size cannot shrink"
            };
            assert_eq!(planned.errors, expected, "{before} to {after}");
        }
    }

    #[test]
    fn artifacts_need_a_database_on_disk() {
        let found = |artifacts: Json| {
            let config = json!({ "persistence": { "enabled": false }, "artifacts": artifacts });
            let found = super::validate(&tree::<Superlink>(with(config)));
            found
                .iter()
                .map(|one| one.summary.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(found(json!({})), ["Artifacts need a database on disk"]);
        assert_eq!(found(json!({ "enabled": false })), Vec::<String>::new());
        assert_eq!(found(Json::Null), Vec::<String>::new());
    }
}
