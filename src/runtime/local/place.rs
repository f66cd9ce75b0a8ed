//! The name of this runtime's place. It contains the machine and the folder. Otherwise a state from
//! another machine would find no objects here, and the plan would recreate all of them, including
//! runs.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::super::Whereabouts;

/// The place in states from before places had names.
const NAMELESS: &str = "local";

/// A folder on a machine.
pub(super) struct Place {
    /// The host name, for people: it may change.
    host: String,
    /// The identity of the machine. It is a digest, because the machine ID itself must not leave
    /// the machine.
    machine: String,
    folder: PathBuf,
}

impl Place {
    pub(super) fn of(folder: &Path) -> Self {
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy().into_owned();
        // In containers, the file is often empty.
        let id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
        let id = Some(id.trim()).filter(|id| !id.is_empty()).unwrap_or(&host);
        let digest = hex::encode(Sha256::digest(format!("terraform-provider-flower:{id}")));
        Self {
            machine: digest.get(..8).unwrap_or(&digest).to_owned(),
            host,
            folder: folder.components().collect(),
        }
    }

    /// Where an object of that place is, relative to this one; `recorded` if this folder has its
    /// record.
    pub(super) fn sees(&self, place: &str, recorded: bool) -> Whereabouts {
        let is_local = place == NAMELESS || place.starts_with(MACHINE);
        let is_this = place == NAMELESS || place.ends_with(&self.last_words());
        match (is_local, recorded || is_this) {
            (false, _) => Whereabouts::Elsewhere,
            (true, true) => Whereabouts::Here,
            (true, false) => Whereabouts::OutOfReach,
        }
    }

    /// The folder of a place on this machine, if it is not this folder.
    pub(super) fn other_folder(&self, place: &str) -> Option<PathBuf> {
        let (_, folder) = place.split_once(&format!(" ({}), folder ", self.machine))?;
        let folder = PathBuf::from(folder);
        let real = |folder: &Path| fs::canonicalize(folder).ok();
        (real(&folder)? != real(&self.folder)?).then_some(folder)
    }

    fn last_words(&self) -> String {
        format!(" ({}), folder {}", self.machine, self.folder.display())
    }
}

const MACHINE: &str = "machine ";

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MACHINE}{}{}", self.host, self.last_words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_here_by_its_record_or_by_the_machine_and_folder() {
        let here = Place::of(Path::new("/a/.flower"));
        let name = here.to_string();
        assert!(name.starts_with("machine ") && name.ends_with(", folder /a/.flower"));
        assert_eq!(here.sees(&name, false), Whereabouts::Here, "gone, then");
        let renamed = Place {
            host: "other".to_owned(),
            ..Place::of(&here.folder)
        };
        assert_eq!(renamed.sees(&name, false), Whereabouts::Here);
        let moved = Place::of(Path::new("/b/.flower"));
        assert_eq!(moved.sees(&name, true), Whereabouts::Here);
        assert_eq!(moved.sees(&name, false), Whereabouts::OutOfReach);
        let far = Place {
            machine: "0000".to_owned(),
            ..Place::of(&here.folder)
        };
        assert_eq!(far.sees(&name, false), Whereabouts::OutOfReach);
        // The place that an earlier provider wrote contains no information.
        assert_eq!(here.sees("local", false), Whereabouts::Here);
        let cluster = "cluster 1-2-3, namespace fl";
        assert_eq!(here.sees(cluster, true), Whereabouts::Elsewhere);
    }
}
