//! The name of this runtime's place. Without the machine and the folder in it, a state that was made on
//! another machine would find nothing here, and plan to make all of it anew, runs included.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::super::Whereabouts;

/// What states said before places had names.
const NAMELESS: &str = "local";

/// A folder of a machine.
pub(super) struct Place {
    /// The machine's name, for people: it may change.
    host: String,
    /// What the machine is known by. Its own id is for its programs alone, so this is a digest.
    machine: String,
    folder: PathBuf,
}

impl Place {
    pub(super) fn of(folder: &Path) -> Self {
        let host = rustix::system::uname();
        let host = host.nodename().to_string_lossy().into_owned();
        // Containers often have an empty one.
        let id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
        let id = Some(id.trim()).filter(|id| !id.is_empty()).unwrap_or(&host);
        let digest = hex::encode(Sha256::digest(format!("terraform-provider-flower:{id}")));
        Self {
            machine: digest.get(..8).unwrap_or(&digest).to_owned(),
            host,
            folder: folder.components().collect(),
        }
    }

    /// Where an object of that place is, seen from here; `recorded` when the folder knows it.
    pub(super) fn sees(&self, place: &str, recorded: bool) -> Whereabouts {
        let is_local = place == NAMELESS || place.starts_with(MACHINE);
        let is_this = place == NAMELESS || place.ends_with(&self.last_words());
        match (is_local, recorded || is_this) {
            (false, _) => Whereabouts::Elsewhere,
            (true, true) => Whereabouts::Here,
            (true, false) => Whereabouts::OutOfReach,
        }
    }

    /// The folder of a place of this machine, where it is another one than this.
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
        // What an earlier provider wrote says nothing.
        assert_eq!(here.sees("local", false), Whereabouts::Here);
        let cluster = "cluster 1-2-3, namespace fl";
        assert_eq!(here.sees(cluster, true), Whereabouts::Elsewhere);
    }
}
