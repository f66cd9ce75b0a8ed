//! The differences between Flower releases, as data.
//!
//! The provider looks up a release once, when it reads a configuration; all later code uses the
//! row, never the version number. To add a release, add or widen a row.

mod row;
mod table;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

pub use row::{
    AppPlane, AppRunner, ControlPlane, FleetPlane, FleetProtocol, NodeAuth, PluginType, Pythons,
    VersionRow,
};
pub use table::{
    DEFAULT, FAB_LIMIT, first_with, is_newer_than_known, keeps_state, newest, oldest, row_of,
    speakers,
};

/// A Flower release, such as 1.42.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowerVersion {
    major: u16,
    minor: u16,
    patch: u16,
}

impl FlowerVersion {
    /// The release with these numbers, which need not exist.
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// Major and minor number.
    pub const fn release(self) -> (u16, u16) {
        (self.major, self.minor)
    }
}

impl fmt::Display for FlowerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for FlowerVersion {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || VersionError::Malformed {
            text: text.to_owned(),
        };
        let mut numbers = text.split('.').map(number);
        let mut next = || numbers.next().flatten().ok_or_else(malformed);
        let version = Self::new(next()?, next()?, next()?);
        match numbers.next() {
            None => Ok(version),
            Some(_) => Err(malformed()),
        }
    }
}

/// Why a text is not a usable release.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VersionError {
    /// The text is not three numbers.
    #[error("{text:?} is not a Flower version like {DEFAULT}")]
    Malformed {
        /// The text.
        text: String,
    },
    /// The table has no row for the release.
    #[error(
        "Flower {version} is not among the versions that this provider knows ({oldest} to \
         {newest})"
    )]
    Unknown {
        /// The release.
        version: FlowerVersion,
        /// The first release of the table.
        oldest: FlowerVersion,
        /// The last release of the table.
        newest: FlowerVersion,
    },
}

impl VersionError {
    /// The remedy, if there is one.
    pub fn remedy(&self) -> Option<String> {
        Some(match self {
            Self::Malformed { .. } => {
                format!("Write the version as three numbers, for example \"{DEFAULT}\".")
            }
            Self::Unknown {
                version, newest, ..
            } if version > newest => {
                format!("Use {newest}, or a newer version of this provider.")
            }
            Self::Unknown { oldest, .. } => format!("Use {oldest} or newer."),
        })
    }
}

/// A number in the form of releases: digits only, no sign, no leading zero.
fn number(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_three_plain_numbers() {
        assert_eq!("1.42.0".parse(), Ok(FlowerVersion::new(1, 42, 0)));
        assert_eq!(FlowerVersion::new(1, 9, 10).to_string(), "1.9.10");
        for text in [
            "",
            "1",
            "1.42",
            "1.42.0.1",
            "v1.42.0",
            "1.42.0rc1",
            "1.+4.0",
            "1.042.0",
            " 1.42.0",
        ] {
            assert_eq!(
                text.parse::<FlowerVersion>(),
                Err(VersionError::Malformed {
                    text: text.to_owned()
                })
            );
        }
    }

    #[test]
    fn releases_compare_by_number_not_by_text() {
        assert!(FlowerVersion::new(1, 9, 0) < FlowerVersion::new(1, 42, 0));
    }

    #[test]
    fn a_release_without_a_row_is_an_error_that_says_which_exist() {
        let error = row_of(FlowerVersion::new(2, 0, 0)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Flower 2.0.0 is not among the versions that this provider knows (1.13.0 to 1.42.0)"
        );
        assert_eq!(
            error.remedy().unwrap(),
            "Use 1.42.0, or a newer version of this provider."
        );
        assert!(row_of(FlowerVersion::new(1, 12, 0)).is_err());
        assert_eq!(row_of(FlowerVersion::new(1, 99, 0)), row_of(DEFAULT));
    }
}
