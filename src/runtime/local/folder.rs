//! The folder of a configuration: where things are in it, who has which ports, and how what is left of
//! an object is taken away.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::PathBuf;

use super::super::{Kind, Layout, ObjectName, ObjectRef, RuntimeError};
use super::record::Record;
use super::{LOOPBACK, LocalRuntime, files};

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
        Record::load(&self.record_path(object))?.ok_or_else(|| RuntimeError::Gone(object.clone()))
    }

    /// Held while names and ports are given out, by all providers that use this data folder.
    pub(super) fn lock(&self) -> Result<File, RuntimeError> {
        files::private_dir(&self.data_dir)?;
        let path = self.data_dir.join(".lock");
        let lock = File::create(&path).map_err(files::failed("open", &path))?;
        lock.lock().map_err(files::failed("lock", &path))?;
        Ok(lock)
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
            .filter_map(|(kind, name)| {
                Record::load(&self.record_path(&ObjectRef { kind, name })).ok()?
            })
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
            control_url: None,
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
        folders.iter().try_for_each(|folder| files::remove(folder))
    }

    /// Removes the folders that nothing is left in, so that the last destroy leaves none.
    pub(super) fn tidy(&self) {
        let kinds = [Kind::Superlink, Kind::Supernode, Kind::SupernodeKey];
        for name in kinds
            .map(Kind::plural)
            .into_iter()
            .chain(["vault", "journal"])
        {
            let folder = self.data_dir.join(name);
            files::sweep(&folder);
            files::remove_if_empty(&folder);
        }
        let has_record = |kind: Kind| {
            let mut objects = self.names(kind).into_iter();
            objects.any(|name| self.record_path(&ObjectRef { kind, name }).exists())
        };
        let in_use = ["vault", "journal"].map(|name| self.data_dir.join(name).exists());
        // Logs that were asked for may be left.
        if !in_use.contains(&true) && !kinds.into_iter().any(has_record) {
            let _ = fs::remove_file(self.data_dir.join(".lock"));
            files::remove_if_empty(&self.data_dir);
        }
    }
}
