//! `flower_federations`: the federations that a SuperLink has.

use super::SHARED;
use crate::flower::control::{ControlError, Federation};
use crate::resources::Configured;
use crate::resources::connection_attributes::ControlInput;
use crate::resources::connection_checks;
use crate::resources::control_access::control;
use crate::resources::report;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Computed, Tree, computed, required};
use crate::tfplugin::{Call, DataSource};
use crate::{at, model};

model! {
    /// The federations of a SuperLink, sorted by their IDs. A run starts in one of them
    /// (`federation` of `flower_app_run`). An open-source SuperLink has exactly one, in which every
    /// run starts by default. The SuperLink needs Flower 1.24 or newer: older versions have no
    /// federations.
    pub struct Model {
        /// The SuperLink: `flower_superlink.NAME.control`, or an object that you write yourself.
        control: ControlInput = required(),
        /// The federations. On a SuperLink with accounts: those of the account of the token.
        federations: Computed<Vec<Item>> = computed(),
    }
}

model! {
    /// A federation.
    pub struct Item {
        /// The ID, such as `@none/default`, for `federation` of `flower_app_run`. With Flower 1.24
        /// and 1.25 it is `default`.
        id: String = computed(),
        /// The description. Empty with Flower 1.24 and 1.25.
        description: String = computed(),
        /// Whether the federation is archived, so that no run starts in it. Always false with
        /// Flower 1.26 and older, and in an open-source SuperLink, which cannot archive one.
        archived: bool = computed(),
    }
}

/// The data source `flower_federations`.
pub struct Federations;

impl DataSource for Federations {
    type Model = Model;
    type Provider = Configured;

    const TYPE: &'static str = "flower_federations";

    fn validate(config: &Tree<Model>) -> Diagnostics {
        connection_checks::control(config, at!(Model, control))
    }

    async fn read(call: Call<Configured>, mut config: Model) -> Result<Model> {
        let listed = control(&call, &config.control)?.federations(SHARED).await;
        let listed = listed.map_err(|error| unlisted(&error))?;
        let mut items: Vec<Item> = listed.iter().map(item).collect();
        items.sort_by(|a, b| a.id.cmp(&b.id));
        config.federations.set(items);
        Ok(config)
    }
}

fn unlisted(error: &ControlError) -> Diagnostic {
    let message = report::error("The federations could not be listed", error);
    let message = match error {
        ControlError::Unsupported { .. } => message.detail(
            "This Flower version has no federations: every run uses all SuperNodes of its \
             SuperLink.",
        ),
        _ => message,
    };
    message.at(at!(Model, control))
}

fn item(federation: &Federation) -> Item {
    Item {
        id: federation.id.clone(),
        description: federation.description.clone(),
        archived: federation.is_archived,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flower::control::Call as ControlCall;
    use crate::flower::version::FlowerVersion;

    #[test]
    fn a_release_without_federations_is_named_with_the_first_that_has_them() {
        let message = unlisted(&ControlError::Unsupported {
            at: "h:9093".to_owned(),
            call: ControlCall::ListFederations,
            since: FlowerVersion::new(1, 24, 0),
        });
        assert_eq!(message.path, Some(at!(Model, control).path()));
        assert_eq!(message.summary, "The federations could not be listed");
        insta::assert_snapshot!(message.detail);
    }
}
