//! Federations as the SuperLink lists them.

use super::wire;

/// A federation in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Federation {
    /// The ID, such as `@none/default`; `default` in 1.24 and 1.25.
    pub id: String,
    /// The description; empty in 1.24 and 1.25.
    pub description: String,
    /// Whether it is archived, so that it starts no run; before 1.27 there are no archives.
    pub is_archived: bool,
}

impl Federation {
    pub(super) fn from_wire(federation: wire::Federation) -> Self {
        Self {
            id: federation.name,
            description: federation.description,
            is_archived: federation.archived,
        }
    }
}
