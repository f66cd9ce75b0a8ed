//! Federations, which the open-source SuperLink has exactly one of.

use super::wire;

/// The federation of an open-source SuperLink, in which runs start that name none.
pub const DEFAULT_FEDERATION: &str = "@none/default";

/// A federation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Federation {
    /// Its identifier, such as `@none/default`.
    pub name: String,
    /// Its description.
    pub description: String,
    /// True if runs cannot be started in it any more.
    pub archived: bool,
    /// True if runs in it are simulations.
    pub simulation: bool,
}

impl Federation {
    pub(super) fn from_wire(federation: wire::Federation) -> Self {
        Self {
            name: federation.name,
            description: federation.description,
            archived: federation.archived,
            simulation: federation.simulation,
        }
    }
}
