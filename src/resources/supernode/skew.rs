//! Whether the release of a SuperNode is compatible with that of its SuperLink. The plan checks
//! this, because an incompatible SuperNode may run without an error and never connect.

use super::model::Model;
use crate::at;
use crate::flower::version::{FlowerVersion, row_of, speakers};
use crate::resources::release;
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::schema::Maybe;

/// An error if the SuperNode's release cannot communicate with its SuperLink's.
pub(super) fn speaks_with_superlink(plan: &mut Plan<Model>) -> Result<()> {
    let (Maybe::Known(own), Maybe::Known(theirs)) = (
        plan.get::<Option<FlowerVersion>>(at!(Model, flower_version))?,
        plan.get::<Option<FlowerVersion>>(at!(Model, superlink.flower_version))?,
    ) else {
        return Ok(());
    };
    let (Some(own), Some(theirs)) = (own, theirs) else {
        return Ok(());
    };
    plan.notes.extend(release::newer(own));
    let (Ok(row), Ok(their_row)) = (row_of(own), row_of(theirs)) else {
        return Ok(());
    };
    let (speaks, answers) = (row.fleet_protocol, their_row.fleet_protocol);
    if speaks == answers {
        return Ok(());
    }
    let (first, last) = speakers(answers);
    Err(Diagnostic::error(format!(
        "A SuperNode of Flower {own} cannot join a SuperLink of Flower {theirs}"
    ))
    .detail(format!(
        "It {}, but this SuperLink needs a SuperNode that {}.",
        speaks.words(),
        answers.words()
    ))
    .detail(format!(
        "Remove `flower_version` to use the SuperLink's version, or set a version from {first} to \
         {last}."
    ))
    .at(at!(Model, flower_version))
    .into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::super::Supernode;
    use crate::resources::planning::{UNKNOWN, plan};

    /// A SuperNode of one release and a SuperLink of another, which is being created or changed.
    fn config(own: &str, theirs: &str) -> Json {
        json!({
            "name": "a",
            "flower_version": own,
            "superlink": {
                "address": UNKNOWN,
                "ca_certificate": UNKNOWN,
                "insecure": false,
                "flower_version": theirs,
            },
        })
    }

    #[tokio::test]
    async fn a_supernode_that_its_superlink_does_not_understand_is_refused_before_either_is_made() {
        for (own, theirs, fits) in [
            ("1.29.0", "1.42.0", false),
            ("1.39.0", "1.40.0", false),
            ("1.15.2", "1.20.0", false),
            ("1.19.0", "1.20.0", false),
            ("1.18.0", "1.19.0", false),
            ("1.14.0", "1.15.2", false),
            ("1.22.0", "1.23.0", false),
            ("1.13.1", "1.14.0", true),
            ("1.15.2", "1.18.0", true),
            ("1.20.0", "1.22.0", true),
            ("1.23.0", "1.39.0", true),
            ("1.40.0", "1.42.0", true),
        ] {
            let planned = plan::<Supernode>(None, config(own, theirs)).await;
            let refused =
                format!("A SuperNode of Flower {own} cannot join a SuperLink of Flower {theirs}");
            let expected = if fits { "" } else { refused.as_str() };
            assert_eq!(planned.errors, expected);
        }
    }

    #[tokio::test]
    async fn one_that_is_not_pinned_gets_the_release_of_its_superlink() {
        let mut config = config("1.42.0", "1.42.0");
        config["flower_version"] = Json::Null;
        let planned = plan::<Supernode>(None, config).await;
        assert_eq!(planned.text("flower_version"), Some("1.42.0"));
    }

    #[tokio::test]
    async fn an_upgrade_that_would_leave_a_pinned_supernode_behind_is_refused() {
        let mut prior = config("1.29.0", "1.29.0");
        for (name, value) in [
            ("isolation", json!("subprocess")),
            ("wait", json!(true)),
            ("id", json!("a")),
            ("place", json!("local")),
            ("status", json!("running")),
        ] {
            prior[name] = value;
        }
        prior["superlink"]["address"] = json!("127.0.0.1:9092");
        prior["superlink"]["ca_certificate"] = json!("CA");
        let planned = plan::<Supernode>(Some(&prior), config("1.29.0", "1.42.0")).await;
        assert!(planned.errors.contains("Flower 1.29.0 cannot join"));
    }
}
