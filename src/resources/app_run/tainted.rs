//! Failed runs whose app no longer exists.
//!
//! Terraform taints a run that failed, and plans a tainted resource like a new one: the request
//! does not show that the state has a run. Terraform asks for such a plan also before it destroys,
//! and an error would prevent the destroy of the failed run without its app. The provider
//! recognises this case because the same process has just read the run.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::model::Model;
use super::planned_app::PlannedApp;
use super::source::{self, Source};
use crate::at;
use crate::flower::fab::FabError;
use crate::resources::Configured;
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::{Diagnostic, Result, Severity};

/// The sources of the runs that this process has read.
#[derive(Debug, Default)]
pub(crate) struct RunsSeen(Mutex<BTreeSet<String>>);

impl RunsSeen {
    pub(super) fn add(&self, source: &Source) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(source.key());
    }

    pub(super) fn has(&self, source: &Source) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.contains(&source.key())
    }
}

/// Plans a run that cannot be created without its app: an error, unless the run may be a failed
/// one. The apply of that plan is refused before the failed run is removed.
pub(super) fn without_app(
    provider: Option<&Configured>,
    plan: &mut Plan<Model>,
    source: &Source,
    error: &FabError,
) -> Result<()> {
    let may_be_tainted = provider.is_some_and(|provider| provider.runs_seen.has(source));
    let error_message = source::not_built(source, error);
    if !error.is_missing() {
        return Err(if plan.is_create() && !may_be_tainted {
            error_message
        } else {
            error_message.detail(
                "To destroy the run without the app, use `terraform destroy -refresh=false`, which \
                 does not read the app.",
            )
        }
        .into());
    }
    if !may_be_tainted {
        return Err(error_message.into());
    }
    plan.set_unknown(at!(Model, fab_hash));
    plan.private = PlannedApp::missing(source).to_private();
    let unread = Diagnostic {
        severity: Severity::Warning,
        ..error_message
    };
    plan.notes.push(unread.detail(
        "A new run needs the app, so an apply of this plan fails. You can destroy the failed run \
         without the app.",
    ));
    Ok(())
}
