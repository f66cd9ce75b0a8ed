//! The right to change an object. A creation has it through a claim, [`Claimed`]; an update has it
//! because the object is in its state, [`Managed`].
//!
//! The order of a creation is always the same: `Objects::claim` reserves the name durably,
//! `Network::layout` assigns addresses and paths, `Objects::start` starts the processes, and
//! `Objects::settle` records that the caller has the object in its state. Each step needs a value
//! that only the step before returns. If the provider is killed in between, the next one gets
//! [`Claim::Unfinished`].

use std::ops::Deref;

use super::ObjectRef;

/// How the name was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    New,
    /// A provider was killed while it created the object: the parts that it created still exist.
    Unfinished,
}

/// An object that the caller may change: it has claimed the name, or has the object in its state.
#[derive(Debug)]
pub struct Managed(ObjectRef);

impl Managed {
    /// An object in a state. An update has no claim: the object stays even if the update fails.
    pub const fn in_state(object: ObjectRef) -> Self {
        Self(object)
    }

    pub const fn object(&self) -> &ObjectRef {
        &self.0
    }
}

/// An object whose name was claimed and which is in no state yet.
///
/// A claim ends once, by `Objects::settle` or `Objects::release`:
///
/// ```compile_fail,E0382
/// use terraform_provider_flower::runtime::{Claimed, Objects, RuntimeError};
///
/// async fn twice(runtime: &dyn Objects, claimed: Claimed) -> Result<(), RuntimeError> {
///     runtime.settle(claimed, &serde_json::Value::Null).await?;
///     runtime.settle(claimed, &serde_json::Value::Null).await
/// }
/// ```
///
/// A method that needs a claim or a state cannot be called with a name alone:
///
/// ```compile_fail,E0308
/// use terraform_provider_flower::runtime::{ObjectRef, Objects, RuntimeError};
///
/// async fn unclaimed(runtime: &dyn Objects, object: &ObjectRef) -> Result<(), RuntimeError> {
///     runtime.record_configuration(object, &serde_json::Value::Null).await
/// }
/// ```
#[derive(Debug)]
#[must_use = "a claim must be settled or released"]
pub struct Claimed {
    object: Managed,
    claim: Claim,
    is_open: bool,
}

impl Claimed {
    /// For runtimes, which have reserved the name.
    pub(super) const fn new(object: ObjectRef, claim: Claim) -> Self {
        Self {
            object: Managed(object),
            claim,
            is_open: true,
        }
    }

    pub const fn claim(&self) -> Claim {
        self.claim
    }

    /// Ends the claim and returns its object.
    pub(super) fn end(mut self) -> Managed {
        self.is_open = false;
        Managed(self.object.0.clone())
    }

    /// Leaves the claim open, like a provider that is killed.
    #[cfg(test)]
    pub(crate) fn abandon(self) -> Claim {
        let claim = self.claim;
        self.end();
        claim
    }
}

/// Every operation on an object in a state is also allowed on a claimed one.
impl Deref for Claimed {
    type Target = Managed;

    fn deref(&self) -> &Managed {
        &self.object
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        let object = &self.object.0;
        tracing::warn!(%object, "it was claimed, and neither settled nor released");
        #[cfg(test)]
        assert!(
            std::thread::panicking(),
            "{object} was claimed, and neither settled nor released"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Kind;

    #[test]
    #[should_panic(expected = "neither settled nor released")]
    fn a_claim_that_is_dropped_is_noticed() {
        let object = ObjectRef {
            kind: Kind::Superlink,
            name: "a".parse().unwrap(),
        };
        drop(Claimed::new(object, Claim::New));
    }
}
