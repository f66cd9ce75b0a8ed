//! The requirements that the plans of this process have set for SuperLinks and SuperNodes.
//! Terraform plans a run after them, when the runtime's record still has the old values.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::launched::Launched;
use crate::runtime::{ObjectName, ObjectRef};
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::Result;
use crate::tfplugin::schema::Maybe;

/// The planned requirements by object.
#[derive(Debug, Default)]
pub struct PlannedRequirements(Mutex<HashMap<ObjectRef, Maybe<Vec<String>>>>);

impl PlannedRequirements {
    /// Keeps the planned requirements of a SuperLink or a SuperNode.
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

    /// The planned requirements of an object.
    pub fn of(&self, object: &ObjectRef) -> Option<Maybe<Vec<String>>> {
        let planned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        planned.get(object).cloned()
    }
}
