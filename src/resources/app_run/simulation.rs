//! Runs on a SuperLink that simulates its SuperNodes: they exist only while the run runs.

use super::changes::is_taken_over;
use super::model::Model;
use super::run_log::counted;
use crate::at;
use crate::flower::version::FlowerVersion;
use crate::resources::simulation;
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::Result;

/// An error if the release of the SuperLink cannot simulate.
pub(super) fn check(plan: &Plan<Model>) -> Result<()> {
    let version = plan.get::<Option<FlowerVersion>>(at!(Model, control.flower_version))?;
    match version.known().flatten() {
        Some(version) if is_simulated(plan) => {
            simulation::takes(version, at!(Model, control.simulation))
        }
        _ => Ok(()),
    }
}

fn is_simulated(plan: &Plan<Model>) -> bool {
    let simulation = plan.planned.value(at!(Model, control.simulation));
    !simulation.is_null() && !simulation.is_unknown()
}

/// Whether the run would be simulated in another way, or no longer. How an imported run was
/// simulated is not known.
pub(super) fn differs(plan: &Plan<Model>) -> Result<bool> {
    Ok(!plan.is_create() && plan.changes(at!(Model, control.simulation)) && !is_taken_over(plan)?)
}

/// How many SuperNodes the run simulates, as text; `None` if it has real ones.
pub(super) fn words(model: &Model) -> Option<String> {
    let simulation = model.control.simulation.as_ref()?;
    let supernodes = counted(simulation.num_supernodes, "SuperNode");
    Some(format!("Flower simulates {supernodes} for this run."))
}
