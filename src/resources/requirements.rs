//! What the plans of this process have said that SuperLinks and SuperNodes get installed. The plan of a
//! run comes after theirs, and what is recorded of them is as it was before.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::launched::Launched;
use crate::runtime::{ObjectName, ObjectRef};
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::Result;
use crate::tfplugin::schema::Maybe;

/// By object.
#[derive(Debug, Default)]
pub struct PlannedRequirements(Mutex<HashMap<ObjectRef, Maybe<Vec<String>>>>);

impl PlannedRequirements {
    /// Keeps what is planned for a SuperLink or a SuperNode.
    pub fn note<M: Launched>(&self, plan: &Plan<M>) -> Result<()> {
        let Maybe::Known(name) = plan.get::<ObjectName>(M::NAME)? else {
            return Ok(());
        };
        let kind = M::KIND;
        let requirements = plan.get::<Option<Vec<String>>>(M::REQUIREMENTS)?;
        let requirements = match requirements {
            Maybe::Known(requirements) => Maybe::Known(requirements.unwrap_or_default()),
            Maybe::Unknown => Maybe::Unknown,
        };
        let mut planned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        planned.insert(ObjectRef { kind, name }, requirements);
        Ok(())
    }

    /// What was planned for an object.
    pub fn of(&self, object: &ObjectRef) -> Option<Maybe<Vec<String>>> {
        let planned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        planned.get(object).cloned()
    }
}
