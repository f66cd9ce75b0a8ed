//! What a plan decides about a download: whether one is due, and which folders cannot hold it.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::model::Model;
use super::super::report_files::{ReportFiles, absolute, unwritable};
use super::super::source::Source;
use super::{ArtifactFile, ArtifactsDownload, TO, list};
use crate::at;
use crate::flower::control::SubStatus;
use crate::resources::Configured;
use crate::resources::report;
use crate::runtime::{Location, Runtime};
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::Maybe;

/// Plans a download that is still to be done, and refuses a folder that cannot hold it.
pub(in super::super) fn plan(
    provider: Option<&Configured>,
    plan: &mut Plan<Model>,
    source: &Maybe<Source>,
) -> Result<()> {
    let files = at!(Model, artifact_files);
    let wanted = plan.get::<Option<ArtifactsDownload>>(at!(Model, artifacts))?;
    if let Maybe::Known(None) = wanted {
        if plan.prior.is_set(at!(Model, artifacts)) {
            plan.set(files, Option::<BTreeMap<String, ArtifactFile>>::None);
        }
        return Ok(());
    }
    let how = plan
        .prior
        .get::<Option<SubStatus>>(at!(Model, sub_status))?;
    let completed = how.known().flatten() == Some(SubStatus::Completed);
    let is_due = completed && (plan.prior.value(files).is_null() || plan.changes(TO));
    if is_due {
        plan.set_unknown(files);
    }
    let (Maybe::Known(Some(wanted)), true) = (wanted, is_due || plan.is_create()) else {
        return Ok(());
    };
    let source = match source {
        Maybe::Known(source) => Some(source),
        Maybe::Unknown => None,
    };
    // A folder must not prevent the destroy of a run, and Terraform plans before it destroys.
    let is_seen = |source| provider.is_some_and(|one| one.runs_seen.has(source));
    let may_be_destroyed = !plan.is_create() || source.is_some_and(is_seen);
    match check(provider.map(|one| one.runtime.as_ref()), &wanted, source) {
        Err(found) if may_be_destroyed => {
            let found = found.into_iter().map(Diagnostic::as_warning);
            plan.notes.extend(found);
            Ok(())
        }
        done => done,
    }
}

/// Refuses what is known to fail, before a run is submitted for it.
pub(super) fn check(
    runtime: Option<&dyn Runtime>,
    wanted: &ArtifactsDownload,
    source: Option<&Source>,
) -> Result<()> {
    let path = wanted.download_to.from(Path::new(""));
    let mut found = Diagnostics::default();
    if wanted.max_bytes <= 0 {
        found.push(
            Diagnostic::error("The download may hold nothing")
                .detail("Set `max_bytes` to 1 or more, or remove it: the default is 10 GiB.")
                .at(at!(Model, artifacts.max_bytes)),
        );
    }
    if let Err(error) = list::check(&path) {
        found.push(report::error("The artifacts cannot be downloaded", &error).at(TO));
    } else if let Some(why) = unwritable(&path.join(list::LIST)) {
        found.push(
            Diagnostic::error("The artifacts cannot be downloaded")
                .detail(format!("{:?}: {why}.", wanted.download_to.to_string()))
                .at(TO),
        );
    }
    let own = runtime.map_or_else(Vec::new, Location::own_folders);
    if own.iter().any(|own| is_below(&path, own)) {
        found.push(
            Diagnostic::error("The artifacts cannot be downloaded")
                .detail(format!(
                    "{:?} is in a folder of the provider, which holds keys and records.",
                    wanted.download_to.to_string()
                ))
                .detail("Use another folder.")
                .at(TO),
        );
    }
    let app = source.and_then(Source::app_folder);
    if app.is_some_and(|app| is_below(&path, &app)) {
        found.push(
            Diagnostic::error("The artifacts would become a part of the app")
                .detail(format!(
                    "{:?} is in the folder of `source.path`. A download would change the app, and \
                     the next plan would replace the run.",
                    wanted.download_to.to_string()
                ))
                .detail("Use a folder beside the app.")
                .at(TO),
        );
    }
    found.or(())
}

fn is_below(path: &Path, folder: &Path) -> bool {
    absolute(path).starts_with(absolute(folder))
}

/// Refuses report files in the folder of the download, which only downloads use.
pub(in super::super) fn check_report(plan: &Plan<Model>) -> Result<()> {
    let wanted = plan.get::<Option<ArtifactsDownload>>(at!(Model, artifacts))?;
    let files = plan.get::<Option<ReportFiles>>(at!(Model, report))?;
    let (Maybe::Known(Some(wanted)), Maybe::Known(Some(files))) = (wanted, files) else {
        return Ok(());
    };
    let folder = wanted.download_to.from(Path::new(""));
    let mut found = Diagnostics::default();
    for (path, attribute) in files.targets() {
        if is_below(&path.from(Path::new("")), &folder) {
            found.push(
                Diagnostic::error("The report is in the folder of the download")
                    .detail(format!(
                        "{:?} is in {:?}, which only downloads may use.",
                        path.to_string(),
                        wanted.download_to.to_string()
                    ))
                    .detail("Write the report into another folder.")
                    .at(attribute),
            );
        }
    }
    found.or(())
}
