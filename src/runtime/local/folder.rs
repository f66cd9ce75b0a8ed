//! The data folder of a configuration: the paths in it, the ports of its objects, and the removal
//! of an object's remaining files.

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
/// How often the locked file may turn out to be deleted before this is an error, because it cannot
/// be chance any more.
const ATTEMPTS: usize = 1000;
const KINDS: [Kind; 3] = [Kind::Superlink, Kind::Supernode, Kind::SupernodeKey];
const VAULT: &str = "vault";
const JOURNAL: &str = "journal";

/// Whether this is a name that we use in a data folder itself.
pub(super) fn is_ours(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else {
        return false;
    };
    [LOCK, IGNORE, VAULT, JOURNAL].contains(&name)
        || KINDS.map(Kind::plural).contains(&name)
        || name.starts_with(UNFINISHED)
}

impl PrivateFolder {
    /// Keeps keys and databases out of version control: the whole folder if it contains only our
    /// files, or else only our files in it. An existing file of the user stays unchanged.
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

/// The ignore rules for our own files only.
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

    /// Part of the folder that outlives the processes.
    pub(super) fn artifacts_dir(&self, object: &ObjectRef) -> PathBuf {
        self.dir(object).join("state").join("artifacts")
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

    /// `None` if the object does not exist.
    pub(super) fn load(&self, object: &ObjectRef) -> Result<Option<Record>, RuntimeError> {
        self.files().read_form(&self.record_path(object))
    }

    pub(super) fn save(&self, object: &ObjectRef, record: &Record) -> Result<(), RuntimeError> {
        self.files().write_form(&self.record_path(object), record)
    }

    /// The trusted files of the data folder.
    pub(super) fn files(&self) -> OwnFiles<'_> {
        OwnFiles::below(&self.data_dir, is_ours)
    }

    /// Locks the data folder against all providers that use it: while names and ports are assigned,
    /// and while folders are created or removed that another provider may be about to use. Creates
    /// the folder.
    pub(super) fn lock(&self) -> Result<File, RuntimeError> {
        let path = self.data_dir.join(LOCK);
        // The previous holder may have deleted the lock file, with the folder.
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

    /// `None` if the locked file was deleted meanwhile, and so is no lock any more.
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

    /// The objects of this kind with a folder.
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
            artifacts: self.artifacts_dir(object).display().to_string(),
        }
    }

    /// Removes everything of an object except its logs and its record. The caller removes the
    /// record last, so that the next removal completes one that was interrupted.
    pub(super) fn clear(&self, object: &ObjectRef) -> Result<(), RuntimeError> {
        let folders = ["files", "state", "home"].map(|name| self.dir(object).join(name));
        let files = self.files();
        folders.iter().try_for_each(|folder| files.remove(folder))
    }

    /// Removes empty folders, so that nothing is left after the last destroy.
    pub(super) fn tidy(&self) {
        // A folder that is not trusted, or does not exist, is left alone.
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
        // Logs may remain if the user wants to keep them.
        if !in_use.contains(&true) && !KINDS.into_iter().any(has_record) {
            // Deleted while it is locked: a waiting process detects this, and creates another one.
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
