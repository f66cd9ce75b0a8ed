//! `flower_app`: what an app says of itself.

use std::collections::BTreeMap;

use crate::flower::dependency::is_flower;
use crate::flower::run_config::ConfigValue;
use crate::flower::version::DEFAULT;
use crate::model;
use crate::resources::Configured;
use crate::resources::app_run::{Source, build};
use crate::tfplugin::diagnostic::Result;
use crate::tfplugin::schema::{Computed, computed, required};
use crate::tfplugin::{Call, DataSource};

model! {
    /// A Flower app, read from its source: what it is called, what it needs and takes, and the
    /// bundle (FAB) it makes. Nothing is installed or run.
    ///
    /// Its `dependencies` are what the `requirements` of SuperLinks and SuperNodes are for.
    pub struct Model {
        /// The app.
        source: Source = required(),
        /// `[tool.flwr.app].publisher` of its pyproject.toml; of another value than a string, such as
        /// a list, Python's text, as Flower uses it.
        publisher: Computed<String> = computed(),
        /// `[project].name`.
        name: Computed<String> = computed(),
        /// `[project].version`.
        version: Computed<String> = computed(),
        /// `[project].dependencies` without Flower itself (`flwr`, `flwr-nightly`): a SuperLink or
        /// SuperNode brings its own.
        dependencies: Computed<Vec<String>> = computed(),
        /// `[tool.flwr.app.config]`: what `run_config` can replace, with its default. Nested
        /// tables have dotted keys; every value is shown as text.
        config: Computed<BTreeMap<String, String>> = computed(),
        /// The files that the bundle carries: `pyproject.toml` and those that Flower's rules,
        /// `.gitignore`, `fab-include` and `fab-exclude` let ship.
        files: Computed<Vec<String>> = computed(),
        /// SHA-256 of the bundle, as in `flower_app_run`.
        fab_hash: Computed<String> = computed(),
        /// Its size in bytes; a SuperLink takes 10485760 (10 MiB) at most, up from Flower 1.20.
        fab_size: Computed<u32> = computed(),
    }
}

/// The data source `flower_app`.
pub struct App;

impl DataSource for App {
    type Model = Model;
    type Provider = Configured;

    const TYPE: &'static str = "flower_app";

    async fn read(call: Call<Configured>, mut config: Model) -> Result<Model> {
        let fab = build(Some(&call.provider), &config.source, DEFAULT).await?;
        let project = fab.project;
        config.publisher.set(project.publisher);
        config.name.set(project.name);
        config.version.set(project.version);
        let dependencies = project.dependencies.into_iter();
        config
            .dependencies
            .set(dependencies.filter(|one| !is_flower(one)).collect());
        let values = project.config.into_iter();
        config
            .config
            .set(values.map(|(key, value)| (key, text(&value))).collect());
        config.files.set(fab.digests.into_keys().collect());
        config.fab_hash.set(fab.hash.as_str().to_owned());
        config
            .fab_size
            .set(u32::try_from(fab.bytes.len()).unwrap_or(u32::MAX));
        Ok(config)
    }
}

fn text(value: &ConfigValue) -> String {
    match value {
        ConfigValue::Bool(bool) => bool.to_string(),
        ConfigValue::Int(int) => int.to_string(),
        ConfigValue::Float(float) => float.to_string(),
        ConfigValue::Str(text) => text.clone(),
    }
}
