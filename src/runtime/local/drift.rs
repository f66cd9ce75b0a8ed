//! What processes stand on, and whether it is still there. They go on without their folder, their
//! programs or their database, and look well: but no app starts any more, and what they write is lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::super::{Missing, ObjectRef, Observation, Part, Readiness, RuntimeError};
use super::environment::Environment;
use super::file_id::{Database, FileId, Program};
use super::files::OwnFiles;
use super::folder::is_ours;
use super::record::{Record, Started};
use super::{LocalRuntime, logs};

/// How far the clock of a file system may be behind.
const CLOCK: Duration = Duration::from_millis(20);

/// Where a process was started.
enum Origin {
    Here,
    /// In this folder, which was moved here since.
    Moved(PathBuf),
    /// In this folder, which has its record still: the one here is a copy, and the process not ours.
    Copied(PathBuf),
}

impl LocalRuntime {
    /// How an object stands, and what of its ground is gone or another.
    pub(super) fn look(&self, object: &ObjectRef, record: &Record, parts: &[Part]) -> Observation {
        let mut readiness = Readiness::Ready;
        let mut outdated = Vec::new();
        for (name, started) in &record.processes {
            logs::rotate(&self.log_path(object, name));
            readiness = readiness.max(match self.origin(object, started) {
                Origin::Here => started.readiness(),
                Origin::Moved(old) => {
                    let home = self.home(object);
                    let (old, home) = (old.display(), home.display());
                    outdated.push(format!("{name} was started in {old}, which is now {home}"));
                    started.readiness()
                }
                Origin::Copied(old) => {
                    let old = old.display();
                    outdated.push(format!("its folder is a copy: {name} runs for {old}"));
                    Readiness::Stopped
                }
            });
            // Its environment says more, where that is recorded.
            let program = started.program.as_ref();
            let program = program.filter(|_| record.environment.is_none());
            let gone = program.and_then(Program::gone);
            outdated.extend(
                gone.map(|path| format!("{name} needs {}, which no longer exists", path.display())),
            );
        }
        let environment = record.environment.iter();
        outdated.extend(environment.flat_map(Environment::outdated));
        let folder = self.dir(object).join("files");
        let files = record.files.iter().map(|name| folder.join(name));
        let gone = files.filter(|path| !path.exists());
        outdated.extend(gone.map(|path| format!("{} no longer exists", path.display())));
        if readiness == Readiness::Ready && !self.has_same_database(object, record) {
            outdated.push("its database is not the file with which it was started".to_owned());
        }
        let missing = parts.iter();
        Observation {
            readiness,
            changed: Vec::new(),
            unfinished: record.changing,
            outdated,
            missing: missing
                .filter_map(|one| self.missing(object, record, one))
                .collect(),
        }
    }

    /// A part that is gone, where it is a file of ours.
    fn missing(&self, object: &ObjectRef, record: &Record, part: &Part) -> Option<Missing> {
        let path = match part {
            Part::Service => return None,
            Part::Volume => self.lost_database(object, record)?,
            Part::Secret(name) => Some(self.secret_path(name)).filter(|path| !path.exists())?,
        };
        Some(Missing {
            part: part.clone(),
            words: format!("{} no longer exists", path.display()),
        })
    }

    fn database_path(&self, object: &ObjectRef, database: &Database) -> PathBuf {
        self.dir(object).join("state").join(&database.file)
    }

    /// The database that an object had and has no more. One that has nothing in it was made by
    /// opening it.
    pub(super) fn lost_database(&self, object: &ObjectRef, record: &Record) -> Option<PathBuf> {
        let database = record.database.as_ref().filter(|one| one.id.is_some())?;
        let path = self.database_path(object, database);
        fs::metadata(&path)
            .map_or(true, |found| found.len() == 0)
            .then_some(path)
    }

    /// Whether its processes use the database that is there. One that was brought back is not the one
    /// that they have open.
    pub(super) fn has_same_database(&self, object: &ObjectRef, record: &Record) -> bool {
        let database = record.database.as_ref().filter(|one| one.id.is_some());
        database.is_none_or(|one| {
            let now = FileId::of(&self.database_path(object, one));
            now.is_none() || now == one.id
        })
    }

    /// Remembers which database an object has.
    pub(super) fn know_database(&self, object: &ObjectRef, record: &mut Record) {
        if let Some(database) = &mut record.database {
            database.id = FileId::of(&self.dir(object).join("state").join(&database.file));
        }
    }

    fn origin(&self, object: &ObjectRef, started: &Started) -> Origin {
        let home = self.home(object);
        let Some(old) = started.identity.home().filter(|old| *old != home) else {
            return Origin::Here;
        };
        let there = FileId::of(&old);
        if there.is_some() && there == FileId::of(&home) {
            // The same folder by another path.
            return Origin::Here;
        }
        let is_theirs = match recorded_at(&old) {
            Ok(None) => false,
            Ok(Some(record)) => {
                let mut all = record.processes.into_values();
                all.any(|one| one.identity == started.identity)
            }
            // Somebody has a record there.
            Err(_) => true,
        };
        if is_theirs {
            Origin::Copied(old)
        } else {
            Origin::Moved(old)
        }
    }

    /// Whether a process was started in the folder that the object has.
    pub(super) fn is_here(&self, object: &ObjectRef, started: &Started) -> bool {
        matches!(self.origin(object, started), Origin::Here)
    }

    /// The folder of which this one is a copy, where a process is recorded that is not ours to end.
    pub(super) fn original(&self, object: &ObjectRef, started: &Started) -> Option<PathBuf> {
        match self.origin(object, started) {
            Origin::Copied(old) => Some(old),
            Origin::Here | Origin::Moved(_) => None,
        }
    }

    /// Where processes of the object were started before its folder was moved, and when.
    pub(super) fn former_homes(
        &self,
        object: &ObjectRef,
        record: &Record,
    ) -> Vec<(PathBuf, SystemTime)> {
        let all = record.processes.values();
        let moved = all.filter_map(|started| match self.origin(object, started) {
            Origin::Moved(old) => Some((old, started.at)),
            Origin::Here | Origin::Copied(_) => None,
        });
        moved.collect()
    }
}

/// The record of the object whose home this is.
fn recorded_at(home: &Path) -> Result<Option<Record>, RuntimeError> {
    match (home.parent(), home.ancestors().nth(3)) {
        (Some(folder), Some(root)) => {
            OwnFiles::below(root, is_ours).read_form(&folder.join("record.json"))
        }
        _ => Ok(None),
    }
}

/// Removes what processes left at a place that was moved away from under them: Flower makes its folder
/// again, with all above it. What is older than the processes was not made by them.
pub(super) fn leave(home: &Path, started: SystemTime) {
    let (Some(folder), Some(root)) = (home.parent(), home.ancestors().nth(3)) else {
        return;
    };
    if folder.join("record.json").exists() || OwnFiles::below(root, is_ours).remove(home).is_err() {
        return;
    }
    for above in home.ancestors().skip(1) {
        let is_younger = fs::metadata(above)
            .and_then(|found| found.created())
            .is_ok_and(|made| made + CLOCK >= started);
        if !is_younger || fs::remove_dir(above).is_err() {
            return;
        }
    }
}
