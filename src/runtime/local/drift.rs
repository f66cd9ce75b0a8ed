//! Drift: whether the files that processes depend on still exist. Processes continue without their
//! folder, programs or database, and look healthy: but they cannot start apps any more, and the
//! data that they write is lost.

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

/// How far the timestamps of a file system may lag behind.
const CLOCK: Duration = Duration::from_millis(20);

/// The folder in which a process was started, compared with the folder of its object.
enum Origin {
    Here,
    /// The process was started in this folder, which was moved to the current one.
    Moved(PathBuf),
    /// The process was started in this folder, which still has the record: the current folder is a
    /// copy, and the process is not ours.
    Copied(PathBuf),
}

impl LocalRuntime {
    /// The state of an object, and the files it depends on that are missing or different.
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
            // A recorded environment reports more details.
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

    /// The part, if it is a file of ours and is missing.
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

    /// The database of the object, if it is lost. An empty file was only created when it was
    /// opened.
    pub(super) fn lost_database(&self, object: &ObjectRef, record: &Record) -> Option<PathBuf> {
        let database = record.database.as_ref().filter(|one| one.id.is_some())?;
        let path = self.database_path(object, database);
        fs::metadata(&path)
            .map_or(true, |found| found.len() == 0)
            .then_some(path)
    }

    /// Whether the processes use the current database file. A restored file is not the one that
    /// they have open.
    pub(super) fn has_same_database(&self, object: &ObjectRef, record: &Record) -> bool {
        let database = record.database.as_ref().filter(|one| one.id.is_some());
        database.is_none_or(|one| {
            let now = FileId::of(&self.database_path(object, one));
            now.is_none() || now == one.id
        })
    }

    /// Records the identity of the object's database.
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
            // There is a record, but it cannot be read.
            Err(_) => true,
        };
        if is_theirs {
            Origin::Copied(old)
        } else {
            Origin::Moved(old)
        }
    }

    /// Whether a process was started in the object's current folder.
    pub(super) fn is_here(&self, object: &ObjectRef, started: &Started) -> bool {
        matches!(self.origin(object, started), Origin::Here)
    }

    /// The original of this folder, if this one is a copy and the recorded process is not ours to
    /// end.
    pub(super) fn original(&self, object: &ObjectRef, started: &Started) -> Option<PathBuf> {
        match self.origin(object, started) {
            Origin::Copied(old) => Some(old),
            Origin::Here | Origin::Moved(_) => None,
        }
    }

    /// The folders in which processes of the object were started before a move, and the start
    /// times.
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

/// The record of the object with this home.
fn recorded_at(home: &Path) -> Result<Option<Record>, RuntimeError> {
    match (home.parent(), home.ancestors().nth(3)) {
        (Some(folder), Some(root)) => {
            OwnFiles::below(root, is_ours).read_form(&folder.join("record.json"))
        }
        _ => Ok(None),
    }
}

/// Removes what processes left behind at the old path of a moved folder: Flower recreates its
/// folder there, and all parent folders. The processes did not create anything that is older than
/// they are.
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
