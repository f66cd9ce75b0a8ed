//! The artifacts of a run: the files that its ServerApp left in the artifacts folder of the
//! SuperLink, and their copies on the machine that applies. A finished run never runs again for
//! them: a copy that is missing is an update in place, and a failed download is a warning of the
//! create.

mod download;
mod folders;
mod target;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::federation::Federation;
use super::model::Model;
use super::report_files::{ReportFiles, absolute, unwritable};
use super::source::Source;
use crate::flower::control::{RunId, SubStatus};
use crate::resources::Configured;
use crate::resources::local_path::LocalPath;
use crate::resources::operation::{Waited, wait};
use crate::resources::report::{self, Explained, inert};
use crate::runtime::artifacts::ArtifactPath;
use crate::runtime::{Location, ObjectRef, Runtime, RuntimeError};
use crate::terminal::visible;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Maybe, ModelPath, computed, defaulted, required};
use crate::tfplugin::{Call, Plan};
use crate::{at, model};
use download::{Download, DownloadError, download};
pub(crate) use folders::Downloads;

/// The default of `max_bytes`.
const MOST_BYTES: i64 = 10 << 30;

model! {
    /// The download of the files that a ServerApp left for its run.
    pub struct ArtifactsDownload {
        /// The folder for the files. A run may name its files as it likes, so the folder must be
        /// empty at first, and only downloads may use it: the files of the next run that completes
        /// replace those of the last one. A destroy keeps them. Relative paths start in the folder where Terraform runs.
        download_to: LocalPath = required(),
        /// The maximum size of all files together, in bytes. A larger download is refused before it
        /// begins.
        max_bytes: i64 = defaulted(MOST_BYTES),
    }
}

model! {
    /// A file that was downloaded.
    pub struct ArtifactFile {
        /// The SHA-256 of the file, in hexadecimal digits.
        sha256: String = computed(),
        /// The size in bytes.
        size: i64 = computed(),
    }
}

impl Explained for DownloadError {
    fn remedy(&self) -> Option<String> {
        self.remedy()
    }
}

impl Explained for target::TargetError {
    fn remedy(&self) -> Option<String> {
        self.remedy()
    }
}

const TO: ModelPath<Model> = at!(Model, artifacts.download_to);

/// Plans a download that is still to be done, and refuses a folder that cannot hold it.
pub(super) fn plan(
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
fn check(
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
    if let Err(error) = target::check(&path) {
        found.push(report::error("The artifacts cannot be downloaded", &error).at(TO));
    } else if let Some(why) = unwritable(&path.join(target::LIST)) {
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
pub(super) fn check_report(plan: &Plan<Model>) -> Result<()> {
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

/// An error, before the submission, if the SuperLink of the run keeps no artifacts.
pub(super) async fn can_download(runtime: &dyn Runtime, model: &Model) -> Result<()> {
    match &model.artifacts {
        Some(wanted) => {
            check(Some(runtime), wanted, Some(&model.source))?;
            superlink(runtime, model).await.map(drop)
        }
        None => Ok(()),
    }
}

/// The SuperLink of the run, if it keeps artifacts that this provider can read.
async fn superlink(runtime: &dyn Runtime, model: &Model) -> Result<ObjectRef> {
    let refused = |why: String, remedy: &str| {
        Diagnostic::error("The SuperLink has no artifacts for this run")
            .detail(why)
            .detail(remedy)
            .at(at!(Model, artifacts))
    };
    let Some(federation) = Federation::of(runtime, &model.control).await else {
        return Err(refused(
            format!(
                "This provider configuration does not run the SuperLink at {}, so it cannot read \
                 its files.",
                model.control.url
            ),
            "Use the provider configuration (alias) that created the SuperLink, or remove \
             `artifacts`.",
        )
        .into());
    };
    let keeps = federation.superlink.model.artifacts;
    let object = federation.superlink.object;
    if !keeps.is_some_and(|one| one.enabled) {
        return Err(refused(
            format!("{object} gives its ServerApps no folder for files."),
            "Set `artifacts = {}` in its flower_superlink.",
        )
        .into());
    }
    Ok(object)
}

/// Downloads the artifacts of a finished run after the wait for it. The run is good or bad without
/// them, so a failure is a warning, and the next apply downloads them.
pub(super) async fn bring_after_run(call: &Call<Configured>, model: &mut Model, limit: Duration) {
    model.artifact_files = None.into();
    if model.artifacts.is_none() || !completed(model) {
        return;
    }
    if let Err(errors) = bring(call, model, limit).await {
        for error in errors {
            call.warn(
                error
                    .as_warning()
                    .detail("The next apply tries again, without a new run."),
            );
        }
    }
}

/// Downloads the artifacts that the plan wants.
pub(super) async fn bring_again(
    call: &Call<Configured>,
    model: &mut Model,
    limit: Duration,
) -> Result<()> {
    let wanted = model.artifacts.is_some() && model.artifact_files.get().is_none();
    if wanted && completed(model) {
        return bring(call, model, limit).await;
    }
    if model.artifact_files.get().is_none() {
        model.artifact_files = None.into();
    }
    Ok(())
}

async fn bring(call: &Call<Configured>, model: &mut Model, limit: Duration) -> Result<()> {
    model.artifact_files = None.into();
    let (Some(wanted), Some(id)) = (&model.artifacts, model.run_id.get().copied()) else {
        return Ok(());
    };
    let runtime = call.provider.runtime.as_ref();
    let path = wanted.download_to.from(Path::new(""));
    if let Some(other) = call.provider.downloads.note(&path, id) {
        return Err(shared(wanted, id, other).into());
    }
    let object = superlink(runtime, model).await?;
    let what = format!("The artifacts of the run {id} were not downloaded");
    let most = u64::try_from(wanted.max_bytes).unwrap_or_default();
    let mut store = runtime
        .artifacts(&object, id.0)
        .map_err(|error| report::error(what.as_str(), &error))?;
    let begun = std::time::Instant::now();
    let run = id.to_string();
    let downloading = download(store.as_mut(), &path, &run, most);
    let done = match wait(&call.stop, limit, downloading).await {
        Waited::Done(done) => done,
        Waited::Stopped => {
            return Err(report::error(what, &RuntimeError::Interrupted)
                .detail("The next apply continues the download, without a new run.")
                .into());
        }
        Waited::TimedOut => {
            return Err(Diagnostic::error(what)
                .detail(format!(
                    "They were not complete after {} s.",
                    limit.as_secs()
                ))
                .detail("The next apply continues. Raise `timeouts` if it needs more time at once.")
                .at(at!(Model, artifacts))
                .into());
        }
    };
    let found = done.map_err(|error| report::error(what, &error).at(at!(Model, artifacts)))?;
    if found.as_ref().is_none_or(|found| found.files.is_empty()) {
        call.warn(no_files(&object, model));
    }
    let Download {
        files,
        left_out,
        more_left_out,
    } = found.unwrap_or_default();
    if !left_out.is_empty() {
        let more = match more_left_out {
            0 => String::new(),
            more => format!("\n  and {more} more"),
        };
        call.warn(
            Diagnostic::warning(format!("Not all files of the run {id} were downloaded"))
                .detail(format!(
                    "Left out are:\n  {}{more}",
                    inert(&left_out.join("\n  "))
                ))
                .detail("Let the app write regular files with ordinary names.")
                .at(at!(Model, artifacts)),
        );
    }
    let bytes: u64 = files.values().map(|one| one.size).sum();
    let seconds = begun.elapsed().as_secs_f64();
    tracing::info!(run = %id, files = files.len(), bytes, seconds, "artifacts are complete");
    let files = files.into_iter().map(|(path, one)| {
        let file = ArtifactFile {
            sha256: one.sha256,
            size: i64::try_from(one.size).unwrap_or(i64::MAX),
        };
        (path.to_string(), file)
    });
    model.artifact_files.set(files.collect());
    Ok(())
}

/// The error for two runs that would replace each other's files.
fn shared(wanted: &ArtifactsDownload, id: RunId, other: RunId) -> Diagnostic {
    Diagnostic::error("Two runs have one folder for their artifacts")
        .detail(format!(
            "The run {id} and the run {other} both download into {:?}.",
            wanted.download_to.to_string()
        ))
        .detail("Give each run its own folder, such as \"${path.root}/models/${each.key}\".")
        .at(TO)
}

fn completed(model: &Model) -> bool {
    let how = model.sub_status.get();
    how.is_some_and(|how| *how == SubStatus::Completed)
}

fn no_files(object: &ObjectRef, model: &Model) -> Diagnostic {
    let id = model.run_id.get().map(ToString::to_string);
    Diagnostic::warning(format!(
        "The run {} left no files",
        id.clone().unwrap_or_default()
    ))
    .detail(format!(
        "The artifacts folder of {object} has nothing in the subfolder {:?}.",
        id.unwrap_or_default()
    ))
    .detail(
        "The ServerApp has to create it and to write its files there: \
         `os.path.join(os.environ[\"FLOWER_ARTIFACTS_DIR\"], str(context.run_id))`.",
    )
    .at(at!(Model, artifacts))
}

/// Looks whether the downloaded files are still there. If one is missing, the next plan downloads
/// them again.
pub(super) fn look(call: &Call<Configured>, model: &mut Model) {
    let (Some(wanted), Some(id)) = (&model.artifacts, model.run_id.get().copied()) else {
        return;
    };
    let root = wanted.download_to.from(Path::new(""));
    if let Some(other) = call.provider.downloads.note(&root, id) {
        call.warn(shared(wanted, id, other).as_warning());
    }
    let Some(files) = model.artifact_files.get() else {
        return;
    };
    let is_missing = |(name, file): &(&String, &ArtifactFile)| {
        let path = name.parse::<ArtifactPath>();
        let size = u64::try_from(file.size).unwrap_or_default();
        !path.is_ok_and(|path| target::is_there(&root, &path, size))
    };
    let missing: Vec<_> = files.iter().filter(is_missing).collect();
    let why = match (missing.first(), target::run_of(&root)) {
        (Some((first, _)), _) => format!(
            "{:?} in {:?} is missing or has another size{}.",
            visible(first),
            wanted.download_to.to_string(),
            match missing.len() - 1 {
                0 => String::new(),
                more => format!(", and {more} more"),
            }
        ),
        (None, Some(run)) if run != id.to_string() && !files.is_empty() => format!(
            "{:?} has the files of the run {run}.",
            wanted.download_to.to_string()
        ),
        _ => return,
    };
    call.warn(
        Diagnostic::warning(format!(
            "Artifacts of the run {id} are missing on this machine"
        ))
        .detail(why)
        .detail("An apply downloads them again, without a new run.")
        .at(TO),
    );
    model.artifact_files = None.into();
}
