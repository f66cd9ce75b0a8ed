//! The folder of a configuration: where things are in it, who has which ports, and how what is left of
//! an object is taken away.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::super::{Kind, Layout, ObjectName, ObjectRef, RuntimeError};
use super::file_error::failed;
use super::files::OwnFiles;
use super::private::{PrivateFolder, UNFINISHED};
use super::record::Record;
use super::{LOOPBACK, LocalRuntime, files};

const LOCK: &str = ".lock";
const IGNORE: &str = ".gitignore";
const IGNORE_HEAD: &str = "# Keys and databases of the Terraform provider for Flower.\n";
/// How often the lock may be gone when we have it, until that is no chance any more.
const ATTEMPTS: usize = 1000;
const KINDS: [Kind; 3] = [Kind::Superlink, Kind::Supernode, Kind::SupernodeKey];
const VAULT: &str = "vault";
const JOURNAL: &str = "journal";

/// Whether we give this name in a data folder itself.
pub(super) fn is_ours(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    [LOCK, IGNORE, VAULT, JOURNAL].contains(&name)
        || KINDS.map(Kind::plural).contains(&name)
        || name.starts_with(UNFINISHED)
}

impl PrivateFolder {
    /// Keeps keys and databases out of version control: all of the folder where it is for nothing else, and
    /// what is ours in it where it is. A file that somebody wrote stays as it is.
    fn ignore_in_git(&self) -> Result<(), RuntimeError> {
        let names = self.names()?;
        if names.iter().any(|name| name == IGNORE.as_bytes()) {
            return Ok(());
        }
        let is_known = |name: &Vec<u8>| is_ours(OsStr::from_bytes(name));
        let text = if names.iter().all(is_known) {
            format!("{IGNORE_HEAD}*\n")
        } else {
            ignore_ours()
        };
        self.write(OsStr::new(IGNORE), text.as_bytes())
    }
}

/// What keeps our own files out of version control, and no others.
fn ignore_ours() -> String {
    let names = KINDS.map(Kind::plural).into_iter();
    let names = names.chain([VAULT, JOURNAL, LOCK]);
    names.fold(IGNORE_HEAD.to_owned(), |text, name| {
        format!("{text}/{name}\n")
    })
}

impl LocalRuntime {
    pub(super) fn dir(&self, object: &ObjectRef) -> PathBuf {
        self.data_dir
            .join(object.kind.plural())
            .join(object.name.as_str())
    }

    pub(super) fn home(&self, object: &ObjectRef) -> PathBuf {
        self.dir(object).join("home")
    }

    pub(super) fn record_path(&self, object: &ObjectRef) -> PathBuf {
        self.dir(object).join("record.json")
    }

    pub(super) fn log_path(&self, object: &ObjectRef, process: &str) -> PathBuf {
        self.dir(object).join("logs").join(format!("{process}.log"))
    }

    pub(super) fn record(&self, object: &ObjectRef) -> Result<Record, RuntimeError> {
        self.load(object)?
            .ok_or_else(|| RuntimeError::Gone(object.clone()))
    }

    /// `None` when there is no such object.
    pub(super) fn load(&self, object: &ObjectRef) -> Result<Option<Record>, RuntimeError> {
        self.files().read_form(&self.record_path(object))
    }

    pub(super) fn save(&self, object: &ObjectRef, record: &Record) -> Result<(), RuntimeError> {
        self.files().write_form(&self.record_path(object), record)
    }

    /// What is in the data folder, and believed.
    pub(super) fn files(&self) -> OwnFiles<'_> {
        OwnFiles::below(&self.data_dir, is_ours)
    }

    /// Held while names and ports are given out and while folders are made or removed that another
    /// provider may be about to use, by all providers that use this data folder. Makes the folder.
    pub(super) fn lock(&self) -> Result<File, RuntimeError> {
        let path = self.data_dir.join(LOCK);
        // The one who held it before may have removed it, with the folder.
        for _ in 0..ATTEMPTS {
            match self.try_to_lock(&path) {
                Ok(Some(lock)) => return Ok(lock),
                Ok(None) => {}
                Err(RuntimeError::File { cause, .. }) if cause.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Err(failed("lock", &path)(ErrorKind::ResourceBusy.into()))
    }

    /// `None` when it was locked, and is no lock any more.
    fn try_to_lock(&self, path: &Path) -> Result<Option<File>, RuntimeError> {
        let lock = self.files().open_lock(path)?;
        lock.lock().map_err(failed("lock", path))?;
        let Some(root) = self.files().folder(&self.data_dir)? else {
            return Ok(None);
        };
        if !root.names_still(OsStr::new(LOCK), &lock)? {
            return Ok(None);
        }
        root.ignore_in_git()?;
        Ok(Some(lock))
    }

    /// The objects of this kind that have a folder.
    pub(super) fn names(&self, kind: Kind) -> Vec<ObjectName> {
        fs::read_dir(self.data_dir.join(kind.plural()))
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect()
    }

    pub(super) fn ports_in_use(&self) -> BTreeSet<u16> {
        [Kind::Superlink, Kind::Supernode]
            .into_iter()
            .flat_map(|kind| self.names(kind).into_iter().map(move |name| (kind, name)))
            .filter_map(|(kind, name)| self.load(&ObjectRef { kind, name }).ok()?)
            .flat_map(|record| record.ports.into_values())
            .collect()
    }

    pub(super) fn layout_of(&self, object: &ObjectRef, record: &Record) -> Layout {
        let dir = self.dir(object);
        let inner = |name: &str| dir.join(name).display().to_string();
        Layout {
            bind_host: LOOPBACK.to_owned(),
            fleet_bind_host: LOOPBACK.to_owned(),
            ports: record.ports.clone(),
            fleet_address: None,
            control: None,
            dns_names: vec!["localhost".to_owned()],
            ip_addresses: vec![LOOPBACK.to_owned(), "::1".to_owned()],
            health: None,
            files: inner("files"),
            state: inner("state"),
            home: inner("home"),
        }
    }

    /// Removes all of an object but its logs and its record. The record goes last, so that a removal
    /// that is cut short is ended by the next one.
    pub(super) fn clear(&self, object: &ObjectRef) -> Result<(), RuntimeError> {
        let folders = ["files", "state", "home"].map(|name| self.dir(object).join(name));
        let files = self.files();
        folders.iter().try_for_each(|folder| files.remove(folder))
    }

    /// Removes the folders that nothing is left in, so that the last destroy leaves none.
    pub(super) fn tidy(&self) {
        // What is not believed, or gone, is left as it is.
        let open = || self.files().folder(&self.data_dir);
        if !matches!(open(), Ok(Some(_))) {
            return;
        }
        let (Ok(_lock), Ok(Some(root))) = (self.lock(), open()) else {
            return;
        };
        files::sweep(&self.data_dir);
        let folders = KINDS.map(Kind::plural).into_iter();
        for name in folders.chain([VAULT, JOURNAL]) {
            let folder = self.data_dir.join(name);
            files::sweep(&folder);
            files::remove_if_empty(&folder);
        }
        let has_record = |kind: Kind| {
            let mut objects = self.names(kind).into_iter();
            objects.any(|name| self.record_path(&ObjectRef { kind, name }).exists())
        };
        let in_use = [VAULT, JOURNAL].map(|name| self.data_dir.join(name).exists());
        // Logs that were asked for may be left.
        if !in_use.contains(&true) && !KINDS.into_iter().any(has_record) {
            // While it is locked: who waits for it sees that it is gone, and makes another one.
            let _ = root.remove_file(OsStr::new(LOCK));
            let is_ours = |text: Vec<u8>| text == ignore_ours().as_bytes();
            let ours = root
                .read(OsStr::new(IGNORE))
                .ok()
                .flatten()
                .is_some_and(is_ours);
            if ours || root.names().is_ok_and(|names| names == [IGNORE.as_bytes()]) {
                let _ = root.remove_file(OsStr::new(IGNORE));
            }
            files::remove_if_empty(&self.data_dir);
        }
    }
}
