//! The app at the time when a new run was planned. A saved plan may be applied much later, when the
//! app's folder contains other files.
//!
//! Terraform passes the private data of a plan to the destroy step of a replacement, so this step
//! compares the folder with the plan and refuses before the old run is removed. The create step
//! plans again with the current files and does not get the private data of the first plan.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::app;
use super::cause::AppParts;
use super::model::Model;
use super::source::{self, Source};
use crate::at;
use crate::flower::control::StartRun;
use crate::flower::fab::{Fab, FabError};
use crate::flower::version::DEFAULT;
use crate::resources::Configured;
use crate::resources::simulation::{self, Simulation};
use crate::tfplugin::diagnostic::{Diagnostic, Result};

/// How many files a message names.
const NAMED: usize = 10;

/// The app that a plan was made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PlannedApp {
    /// The key of its source.
    source: String,
    /// `None` if it could not be read.
    hash: Option<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
}

/// The private data of a run, by name, so that later versions can add fields.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    planned_app: Option<PlannedApp>,
}

impl PlannedApp {
    pub(super) fn of(source: &Source, fab: &Fab) -> Self {
        Self {
            source: source.key(),
            hash: Some(fab.hash.as_str().to_owned()),
            files: fab.digests.clone(),
        }
    }

    /// An app that could not be read when it was planned.
    pub(super) fn missing(source: &Source) -> Self {
        Self {
            source: source.key(),
            hash: None,
            files: BTreeMap::new(),
        }
    }

    /// An app with this hash; its files are known if `planned` is the same app.
    pub(super) fn known(source: &Source, hash: &str, planned: Option<&Self>) -> Self {
        let same = planned.filter(|planned| planned.hash.as_deref() == Some(hash));
        same.cloned().unwrap_or_else(|| Self {
            source: source.key(),
            hash: Some(hash.to_owned()),
            files: BTreeMap::new(),
        })
    }

    /// The private data for the call that applies the plan.
    pub(super) fn to_private(&self) -> Bytes {
        let kept = Kept {
            planned_app: Some(self.clone()),
        };
        serde_json::to_vec(&kept).unwrap_or_default().into()
    }

    /// The app in the private data of a plan.
    pub(super) fn from_private(private: &[u8]) -> Option<Self> {
        let kept: Kept = serde_json::from_slice(private).ok()?;
        kept.planned_app
    }
}

/// The run to submit: the planned app with its configuration.
pub(super) async fn checked(
    provider: &Configured,
    planned: &mut Model,
    as_planned: Option<&PlannedApp>,
) -> Result<(StartRun, AppParts)> {
    let simulation = planned.control.simulation.as_ref();
    if let (Some(_), Some(version)) = (simulation, planned.control.flower_version) {
        simulation::takes(version, at!(Model, control.simulation))?;
    }
    let simulation = simulation.map(Simulation::config);
    if let Some(app) = &planned.source.hub {
        let start = source::hub::start(app, planned)?.simulated(simulation);
        planned.resolved_commit = None.into();
        return Ok((start, AppParts::default()));
    }
    let version = app::release(planned.control.flower_version);
    let known = planned.resolved_commit.get().map(String::as_str);
    let commit = source::commit(Some(provider), &planned.source, known).await?;
    planned.resolved_commit = commit.map(|commit| commit.to_string()).into();
    let fab = app::build(Some(provider), &planned.source, version, commit).await?;
    let hash = fab.hash.as_str().to_owned();
    if let Some(expected) = planned.fab_hash.get()
        && *expected != hash
    {
        let was = PlannedApp::known(&planned.source, expected, as_planned);
        return Err(changed(&planned.source, &was, &fab).into());
    }
    planned.fab_hash.set(hash);
    app::runs_unattended(&planned.source, &fab)?;
    let overrides = app::overrides(&fab, planned.run_config.as_ref())?;
    let federation = planned.federation.clone().unwrap_or_default();
    let parts = app::parts(&fab);
    let start = StartRun::new(fab.bytes, overrides, federation);
    Ok((start.simulated(simulation), parts))
}

/// An error if the folder no longer contains the app that the new run was planned with.
pub(super) async fn still_there(provider: Option<&Configured>, private: &[u8]) -> Result<()> {
    let Some(planned) = PlannedApp::from_private(private) else {
        return Ok(());
    };
    // A commit cannot change after the plan.
    let Some(source) = Source::of_key(&planned.source).filter(|source| source.git.is_none()) else {
        return Ok(());
    };
    match source::read(provider, &source, DEFAULT, None).await? {
        Ok(fab)
            if planned
                .hash
                .as_deref()
                .is_none_or(|hash| hash == fab.hash.as_str()) =>
        {
            Ok(())
        }
        Ok(fab) => Err(changed(&source, &planned, &fab).into()),
        // A bundle that is too large for one release may be planned for a later release.
        Err(FabError::TooLarge { .. }) => Ok(()),
        Err(error) => Err(source::not_built(&source, &error)
            .detail("The run that this plan replaces is unchanged.")
            .into()),
    }
}

/// The error for an app that changed after the plan.
pub(super) fn changed(source: &Source, planned: &PlannedApp, now: &Fab) -> Diagnostic {
    let was = planned.hash.as_deref().unwrap_or("unknown");
    Diagnostic::error("The app changed after it was planned")
        .detail(format!(
            "The {} is not the app of this plan. It was planned with the hash {was}, and has the \
             hash {} now.",
            source.title(),
            now.hash
        ))
        .detail(differences(&planned.files, &now.digests))
        .detail(
            "The old run is unchanged, and no new run was submitted. Plan again (`terraform \
             plan`), and apply the new plan.",
        )
        .at(source.attribute())
}

/// Which files differ: one line for each kind of difference.
fn differences(was: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> String {
    if was.is_empty() {
        return String::new();
    }
    let edited = now
        .iter()
        .filter(|(path, digest)| was.get(*path).is_some_and(|before| before != *digest));
    let added = now.iter().filter(|(path, _)| !was.contains_key(*path));
    let removed = was.iter().filter(|(path, _)| !now.contains_key(*path));
    let lines = [
        ("Edited", names(edited)),
        ("Added", names(added)),
        ("Removed", names(removed)),
    ];
    let lines = lines.into_iter().filter(|(_, names)| !names.is_empty());
    let lines: Vec<_> = lines
        .map(|(what, names)| format!("{what}: {}.", listed(&names)))
        .collect();
    lines.join("\n")
}

fn names<'a>(files: impl Iterator<Item = (&'a String, &'a String)>) -> Vec<&'a str> {
    files.map(|(path, _)| path.as_str()).collect()
}

fn listed(names: &[&str]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let first: Vec<_> = names.iter().take(NAMED).copied().collect();
    if more == 0 {
        first.join(", ")
    } else {
        format!("{} and {more} more", first.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(dir: &std::path::Path, files: &[(&str, &str)]) -> Source {
        let root = dir.join("app");
        let _ = std::fs::remove_dir_all(&root);
        let pyproject = "[project]\nname = \"a\"\nversion = \"1.0.0\"\n[tool.flwr.app]\npublisher = \"p\"\n[tool.flwr.app.components]\nserverapp = \"a:app\"\nclientapp = \"a:app\"\n";
        for (path, text) in [("pyproject.toml", pyproject), ("a.py", "app = 1\n")]
            .iter()
            .chain(files)
        {
            std::fs::create_dir_all(&root).unwrap();
            std::fs::write(root.join(path), text).unwrap();
        }
        Source::folder(root.display().to_string())
    }

    async fn planned(source: &Source) -> Bytes {
        let fab = app::build(None, source, DEFAULT, None).await.unwrap();
        PlannedApp::of(source, &fab).to_private()
    }

    #[tokio::test]
    async fn an_app_that_was_edited_after_the_plan_is_told_file_by_file() {
        let dir = tempfile::tempdir().unwrap();
        let source = app(dir.path(), &[("b.py", "1\n"), ("gone.py", "1\n")]);
        let kept = planned(&source).await;
        still_there(None, &kept).await.unwrap();
        still_there(None, b"").await.unwrap();

        app(dir.path(), &[("b.py", "2\n"), ("new.py", "1\n")]);
        let refused = still_there(None, &kept).await.unwrap_err();
        let message = refused.iter().next().unwrap();
        let before = PlannedApp::from_private(&kept).unwrap().hash.unwrap();
        let now = app::build(None, &source, DEFAULT, None).await.unwrap().hash;
        for words in [
            "Edited: b.py.",
            "Added: new.py.",
            "Removed: gone.py.",
            "terraform plan",
            &before,
            now.as_str(),
        ] {
            assert!(
                message.detail.contains(words),
                "no {words:?} in {message:?}"
            );
        }
    }

    #[tokio::test]
    async fn an_app_that_is_gone_after_the_plan_is_an_error_before_anything_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let source = app(dir.path(), &[]);
        let kept = planned(&source).await;
        std::fs::remove_dir_all(source.app_folder().unwrap()).unwrap();
        let refused = still_there(None, &kept).await.unwrap_err();
        let message = refused.iter().next().unwrap();
        assert!(message.detail.contains("is unchanged"), "{message:?}");
        // The app was missing when it was planned, and exists now.
        let unread = PlannedApp::missing(&source).to_private();
        still_there(None, &unread).await.unwrap_err();
        app(dir.path(), &[]);
        still_there(None, &unread).await.unwrap();
    }

    #[test]
    fn many_files_are_not_all_named() {
        let now = (0..13).map(|number| (format!("f{number:02}"), "x".to_owned()));
        let was = BTreeMap::from([("f00".to_owned(), "x".to_owned())]);
        let told = differences(&was, &now.collect());
        assert!(told.contains("f10 and 2 more"), "{told}");
    }
}
