//! `flower_app`: the metadata and dependencies of an app.

use std::collections::BTreeMap;

use crate::flower::dependency::is_flower;
use crate::flower::run_config::ConfigValue;
use crate::flower::version::DEFAULT;
use crate::resources::Configured;
use crate::resources::app_run::{Source, build, source};
use crate::tfplugin::diagnostic::{Diagnostics, Result};
use crate::tfplugin::schema::{Computed, Tree, computed, required};
use crate::tfplugin::{Call, DataSource};
use crate::{at, model};

model! {
    /// A Flower app, read from its source: its name, its dependencies, its configuration, and the
    /// app bundle (FAB). The data source installs and runs nothing.
    ///
    /// Use its `dependencies` as `requirements` of SuperLinks and SuperNodes.
    pub struct Model {
        /// The app.
        source: Source = required(),
        /// `[tool.flwr.app].publisher` of the pyproject.toml. If the value is not a string but, for
        /// example, a list, this is the text that Python makes of it, as in Flower.
        publisher: Computed<String> = computed(),
        /// `[project].name` of the pyproject.toml.
        name: Computed<String> = computed(),
        /// `[project].version` of the pyproject.toml.
        version: Computed<String> = computed(),
        /// `[project].dependencies` of the pyproject.toml without Flower itself (`flwr`,
        /// `flwr-nightly`), which SuperLinks and SuperNodes already have.
        dependencies: Computed<Vec<String>> = computed(),
        /// `[tool.flwr.app.config]` of the pyproject.toml: the keys that `run_config` can override,
        /// with their default values. Keys of nested tables are joined with dots; every value is
        /// shown as text.
        config: Computed<BTreeMap<String, String>> = computed(),
        /// The files in the bundle: `pyproject.toml`, and the files that Flower's rules,
        /// `.gitignore`, `fab-include` and `fab-exclude` select.
        files: Computed<Vec<String>> = computed(),
        /// The SHA-256 hash of the bundle, as in `flower_app_run`.
        fab_hash: Computed<String> = computed(),
        /// The commit of an app from `source.git`. Null for other sources.
        resolved_commit: Computed<String> = computed(),
        /// The size of the bundle in bytes. From Flower 1.20 on, a SuperLink accepts at most
        /// 10485760 (10 MiB).
        fab_size: Computed<u32> = computed(),
    }
}

/// The data source `flower_app`.
pub struct App;

impl DataSource for App {
    type Model = Model;
    type Provider = Configured;

    const TYPE: &'static str = "flower_app";

    fn validate(config: &Tree<Model>) -> Diagnostics {
        let mut found = source::exactly_one(config, at!(Model, source));
        found.extend(source::hub::only_for_superlinks(
            config,
            at!(Model, source.hub),
        ));
        found
    }

    async fn read(call: Call<Configured>, mut config: Model) -> Result<Model> {
        let provider = Some(call.provider.as_ref());
        let commit = source::commit(provider, &config.source, None).await?;
        config.resolved_commit = commit.map(|commit| commit.to_string()).into();
        let fab = build(provider, &config.source, DEFAULT, commit).await?;
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
