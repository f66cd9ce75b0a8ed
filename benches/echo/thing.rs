//! The resource that is measured.

use std::collections::BTreeMap;

use terraform_provider_flower::model;
use terraform_provider_flower::tfplugin::diagnostic::{Diagnostic, Result};
use terraform_provider_flower::tfplugin::schema::{Computed, Tree, computed, optional, required};
use terraform_provider_flower::tfplugin::{Call, Import, Resource, Slot};

model! {
    /// Echoes its plan.
    pub struct ThingModel {
        /// Its name.
        name: String = required().replace("the name identifies it"),
        /// The same as its name.
        id: Computed<String> = computed().keep(),
        /// Text.
        s1: Option<String> = optional(),
        /// Text.
        s2: Option<String> = optional(),
        /// Text.
        s3: Option<String> = optional(),
        /// Text.
        s4: Option<String> = optional(),
        /// Text.
        s5: Option<String> = optional(),
        /// Text.
        s6: Option<String> = optional(),
        /// Text.
        s7: Option<String> = optional(),
        /// Text.
        s8: Option<String> = optional(),
        /// A whole number.
        i1: Option<i64> = optional(),
        /// A whole number.
        i2: Option<i64> = optional(),
        /// A whole number.
        i3: Option<i64> = optional(),
        /// A whole number.
        i4: Option<i64> = optional(),
        /// A number.
        f1: Option<f64> = optional(),
        /// A number.
        f2: Option<f64> = optional(),
        /// A switch.
        b1: Option<bool> = optional(),
        /// A switch.
        b2: Option<bool> = optional(),
        /// A switch.
        b3: Option<bool> = optional(),
        /// A switch.
        b4: Option<bool> = optional(),
        /// Texts.
        l1: Option<Vec<String>> = optional(),
        /// Texts.
        l2: Option<Vec<String>> = optional(),
        /// Texts by name.
        m1: Option<BTreeMap<String, String>> = optional(),
        /// Texts by name.
        m2: Option<BTreeMap<String, String>> = optional(),
        /// An object.
        nested: Option<Nested> = optional(),
        /// Made from the name.
        computed: Computed<String> = computed().keep(),
    }
}

model! {
    /// An object.
    pub struct Nested {
        /// Text.
        a: Option<String> = optional(),
        /// A whole number.
        b: Option<i64> = optional(),
    }
}

pub struct Thing;

impl Resource for Thing {
    type Model = ThingModel;
    type Provider = ();

    const TYPE: &'static str = "echo_thing";

    async fn create(
        _: Call<()>,
        mut planned: ThingModel,
        _: Tree<ThingModel>,
        slot: Slot<ThingModel>,
    ) -> Result<()> {
        planned.id.set(planned.name.clone());
        planned.computed.set(format!("computed-{}", planned.name));
        slot.put(&planned);
        Ok(())
    }

    async fn read(_: Call<()>, state: ThingModel) -> Result<Option<ThingModel>> {
        Ok(Some(state))
    }

    async fn update(
        _: Call<()>,
        _: ThingModel,
        planned: ThingModel,
        _: Tree<ThingModel>,
        slot: Slot<ThingModel>,
    ) -> Result<()> {
        slot.put(&planned);
        Ok(())
    }

    async fn delete(_: Call<()>, _: ThingModel) -> Result<()> {
        Ok(())
    }

    async fn import(_: Call<()>, what: Import<ThingModel>) -> Result<ThingModel> {
        let id = what.id()?;
        Err(Diagnostic::error(format!("{id} cannot be imported")).into())
    }
}
