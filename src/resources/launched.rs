//! What SuperLinks and SuperNodes have in common: processes that are started from the same attributes.

use super::recorded_configuration::Recorded;
use crate::tfplugin::schema::ModelPath;

/// A model of an object with processes, and the paths of its attributes.
pub trait Launched: Recorded {
    const REQUIREMENTS: ModelPath<Self>;
    const EXTRA_ARGS: ModelPath<Self>;
    const ENV: ModelPath<Self>;
    const PORT: ModelPath<Self>;
    const TIMEOUTS: ModelPath<Self>;
}
