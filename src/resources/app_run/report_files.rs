//! The report files of a run. The plan checks them; the apply rewrites them while it follows the
//! run, and once at its end. A report never makes a run fail: a file that cannot be written is a
//! warning.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

use super::model::Model;
use super::run_report::RunReport;
use super::source::Source;
use crate::flower::fab::{Fab, has_bundled_type};
use crate::masking::masked;
use crate::resources::local_path::LocalPath;
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Maybe, ModelPath, optional};
use crate::{at, model};

model! {
    /// Files that show a run.
    pub struct ReportFiles {
        /// An HTML file without scripts that loads nothing: rounds, curves of the metrics, failures
        /// and the end of the log. Relative paths start in the folder where Terraform runs.
        path: Option<LocalPath> = optional(),
        /// A Markdown file for the summary of a CI job: the last rounds, metrics and failures.
        markdown: Option<LocalPath> = optional(),
    }
}

impl ReportFiles {
    pub(super) fn targets(&self) -> impl Iterator<Item = (&LocalPath, ModelPath<Model>)> {
        let path = self.path.as_ref();
        let markdown = self.markdown.as_ref();
        let path = path.map(|path| (path, at!(Model, report.path)));
        let markdown = markdown.map(|path| (path, at!(Model, report.markdown)));
        path.into_iter().chain(markdown)
    }

    /// Writes the files; returns a warning for the first file that could not be written.
    pub(super) fn write(&self, report: &RunReport) -> Option<Diagnostic> {
        let html = self.path.as_ref().map(|path| (path, report.html()));
        let markdown = self.markdown.as_ref();
        let markdown = markdown.map(|path| (path, report.markdown()));
        let files = html.into_iter().chain(markdown);
        let failed = files.map(|(path, text)| {
            let error = replace(&path.from(Path::new("")), &masked(&text)).err()?;
            Some(unwritten(path, &error))
        });
        // One failed file does not prevent the other from being written.
        let failed: Vec<_> = failed.collect();
        failed.into_iter().flatten().next()
    }
}

/// Finds files that cannot be written, and files that would become part of the app.
pub(super) fn check(plan: &Plan<Model>) -> Result<()> {
    let Maybe::Known(Some(files)) = plan.config.get::<Option<ReportFiles>>(at!(Model, report))?
    else {
        return Ok(());
    };
    let mut found = Diagnostics::default();
    if files.targets().next().is_none() {
        found.push(
            Diagnostic::error("The report has no file")
                .detail("Set `path` or `markdown`, or remove `report`.")
                .at(at!(Model, report)),
        );
    }
    if files.path.is_some() && files.path == files.markdown {
        found.push(
            Diagnostic::error("Two reports have one file")
                .detail("`path` and `markdown` must be different files.")
                .at(at!(Model, report.markdown)),
        );
    }
    for (path, attribute) in files.targets() {
        if let Some(why) = unwritable(&path.from(Path::new(""))) {
            found.push(
                Diagnostic::error("The report cannot be written")
                    .detail(format!("{:?}: {why}.", path.to_string()))
                    .at(attribute),
            );
        }
    }
    found.or(())
}

/// Refuses files that the next bundle of the app would contain: each run would change its own app.
pub(super) fn check_bundle(plan: &Plan<Model>, source: &Source, fab: &Fab) -> Result<()> {
    let Maybe::Known(Some(files)) = plan.config.get::<Option<ReportFiles>>(at!(Model, report))?
    else {
        return Ok(());
    };
    let Some(folder) = source.app_folder() else {
        return Ok(());
    };
    let folder = absolute(&folder);
    let mut found = Diagnostics::default();
    for (path, attribute) in files.targets() {
        let target = absolute(&path.from(Path::new("")));
        let Ok(inside) = target.strip_prefix(&folder) else {
            continue;
        };
        let inside = inside.to_string_lossy();
        if has_bundled_type(&inside) || fab.digests.contains_key(&*inside) {
            found.push(
                Diagnostic::error("The report would become a part of the app")
                    .detail(format!(
                        "{:?} is in the folder of `source.path`, and a bundle contains files like \
                         it. Each report would change the app, and the next plan would replace \
                         the run.",
                        path.to_string()
                    ))
                    .detail("Write the report into a folder beside the app.")
                    .at(attribute),
            );
        }
    }
    found.or(())
}

/// The path with all links resolved, as far as it exists.
pub(super) fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut rest = Vec::new();
    let mut known = path.as_path();
    loop {
        if let Ok(real) = fs::canonicalize(known) {
            return rest.iter().rev().fold(real, |path, name| path.join(name));
        }
        match (known.parent(), known.file_name()) {
            (Some(parent), Some(name)) => {
                rest.push(name.to_owned());
                known = parent;
            }
            _ => return path,
        }
    }
}

/// Why a file cannot be written; `None` if no reason is found.
pub(super) fn unwritable(path: &Path) -> Option<String> {
    if path.is_dir() {
        return Some("it is a folder".to_owned());
    }
    if is_special(path) {
        return Some("it is a device, a pipe or a socket".to_owned());
    }
    let path = std::path::absolute(path).ok()?;
    let folder = path.ancestors().skip(1).find(|folder| folder.exists())?;
    if !folder.is_dir() {
        return Some(format!("{} is not a folder", folder.display()));
    }
    let allowed = rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK);
    let error = io::Error::from(allowed.err()?);
    Some(format!(
        "the folder {} is not writable: {error}",
        folder.display()
    ))
}

/// Whether the path is a device, a pipe or a socket, which a file must not replace.
fn is_special(path: &Path) -> bool {
    let found = fs::metadata(path);
    found.is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Replaces the whole file at once, so that no reader sees an incomplete file.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    if is_special(&path) {
        return Err(io::Error::other("it is a device, a pipe or a socket"));
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    // Other users may read the file, unlike other temporary files.
    file.as_file()
        .set_permissions(fs::Permissions::from_mode(0o644))?;
    file.persist(&path)?;
    Ok(())
}

fn unwritten(path: &LocalPath, error: &io::Error) -> Diagnostic {
    Diagnostic::warning("The report of the run could not be written")
        .detail(format!("{:?}: {error}.", path.to_string()))
        .detail(
            "The run itself is not affected. Correct `report` and apply, which writes the report \
             again.",
        )
        .at(at!(Model, report))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_replaces_what_was_there_and_makes_its_folders() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/report.html");
        assert_eq!(unwritable(&path), None);
        replace(&path, "one").unwrap();
        replace(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o644
        );
        // A link is replaced, and its target stays unchanged.
        let other = dir.path().join("other");
        fs::write(&other, "other").unwrap();
        let link = dir.path().join("link.html");
        std::os::unix::fs::symlink(&other, &link).unwrap();
        replace(&link, "three").unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "other");
    }

    #[test]
    fn a_file_that_cannot_be_written_does_not_keep_the_other_from_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| Some(dir.path().join(name).display().to_string().parse().unwrap());
        fs::write(dir.path().join("file"), "").unwrap();
        let files = ReportFiles {
            path: path("file/page.html"),
            markdown: path("page.md"),
        };
        let report = RunReport::example();
        assert!(files.write(&report).is_some());
        assert!(dir.path().join("page.md").exists());
    }

    #[test]
    fn a_path_that_cannot_be_a_file_is_found_before() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), "").unwrap();
        let why = |name: &str| {
            unwritable(&dir.path().join(name))
                .map(|why| why.replace(&dir.path().display().to_string(), "DIR"))
        };
        assert_eq!(why("").as_deref(), Some("it is a folder"));
        assert_eq!(
            why("file/x.html").as_deref(),
            Some("DIR/file is not a folder")
        );
        assert_eq!(why("new/folder/x.html"), None);
        let special = Some("it is a device, a pipe or a socket".to_owned());
        assert_eq!(unwritable(Path::new("/dev/null")), special);
        replace(Path::new("/dev/null"), "").unwrap_err();
    }
}
