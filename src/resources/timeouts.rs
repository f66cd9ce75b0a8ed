//! The time limits of operations, with the same schema for all resources.

use crate::tfplugin::GoDuration;
use crate::tfplugin::diagnostic::Diagnostics;
use crate::tfplugin::schema::{Maybe, ModelPath, Tree, optional, refused};
use crate::{at, model};

model! {
    /// How long each operation may take, as durations such as `90s`, `10m` or `1h30m`.
    pub struct Timeouts {
        /// How long to create the object and wait for it.
        create: Option<GoDuration> = optional(),
        /// How long to update the object and wait for it.
        update: Option<GoDuration> = optional(),
        /// How long to delete the object.
        delete: Option<GoDuration> = optional(),
    }
}

/// An error for each limit of zero, within which no operation can end.
pub fn validate<M>(config: &Tree<M>, timeouts: ModelPath<M>) -> Diagnostics {
    let mut found = Diagnostics::default();
    for limit in [
        at!(Timeouts, create),
        at!(Timeouts, update),
        at!(Timeouts, delete),
    ] {
        let path = timeouts.then(limit);
        if let Ok(Maybe::Known(Some(limit))) = config.get::<Option<GoDuration>>(path)
            && limit.get().is_zero()
        {
            let why = "it must be longer than zero";
            found.extend(refused(&limit.to_string(), &why, &path.path()));
        }
    }
    found
}
