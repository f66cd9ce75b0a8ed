//! The artifacts of a run: the files that its ServerApp left in the artifacts folder of the
//! SuperLink, and their copies on the machine that applies. A finished run never runs again for
//! them: a copy that is missing is an update in place, and a failed download is a warning of the
//! create.

mod checks;
mod download;
mod folders;
mod list;
mod target;

use std::path::Path;
use std::time::Duration;

use super::federation::Federation;
use super::model::Model;
use crate::flower::control::{RunId, SubStatus};
use crate::resources::Configured;
use crate::resources::local_path::LocalPath;
use crate::resources::operation::{Waited, wait};
use crate::resources::report::{self, Explained, inert};
use crate::runtime::{ObjectRef, Runtime, RuntimeError};
use crate::terminal::visible;
use crate::tfplugin::Call;
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::schema::{ModelPath, computed, defaulted, required};
use crate::{at, model};
use checks::check;
pub(super) use checks::{check_report, plan};
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

impl Explained for list::TargetError {
    fn remedy(&self) -> Option<String> {
        self.remedy()
    }
}

const TO: ModelPath<Model> = at!(Model, artifacts.download_to);

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
    let missing = list::missing(&root, files);
    let why = match (missing.first(), list::run_of(&root)) {
        (Some(first), _) => format!(
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
