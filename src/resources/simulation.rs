//! The simulation of a federation: a SuperLink sets it, and `control` passes it on to runs.

use super::Configured;
use super::release;
use super::superlink::Model as Superlink;
use crate::at;
use crate::flower::control::SimulationConfig;
use crate::flower::launch::simulation_remedy;
use crate::flower::version::FlowerVersion;
use crate::model;
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Attr, Maybe, ModelPath, Tree, computed, optional, required};
use crate::tfplugin::value::{Number, Value};

/// How many SuperNodes can be simulated. Flower has no maximum, but a mistyped number can fill the
/// memory of the machine.
const MOST_SUPERNODES: u32 = 10_000;
const MOST_GPUS: f64 = 1024.0;

model! {
    /// How Flower simulates SuperNodes.
    pub struct Simulation {
        /// How many SuperNodes Flower simulates: 1 to 10000. Each gets a `partition-id` (from 0 on)
        /// and `num-partitions` in its node configuration.
        num_supernodes: u32 = required(),
        /// How many CPUs the ClientApp of one SuperNode uses: 1 or more. As many ClientApps run at
        /// the same time as fit on the machine. If not even one fits, the run fails. Default: 2, from
        /// Flower.
        client_resources_num_cpus: Option<u32> = optional(),
        /// How many GPUs the ClientApp of one SuperNode uses, such as `0.5` for two ClientApps on
        /// one GPU. Default: 0, from Flower.
        client_resources_num_gpus: Option<Number> = optional(),
    }
}

model! {
    /// How Flower simulates SuperNodes. Null if the SuperLink has no `simulation`.
    pub struct SimulationOutput {
        /// How many SuperNodes Flower simulates.
        num_supernodes: u32 = computed(),
        /// How many CPUs the ClientApp of one SuperNode uses.
        client_resources_num_cpus: Option<u32> = computed(),
        /// How many GPUs the ClientApp of one SuperNode uses.
        client_resources_num_gpus: Option<Number> = computed(),
    }
}

impl Simulation {
    /// The configuration to submit a run with.
    pub(crate) fn config(&self) -> SimulationConfig {
        let gpus = self.client_resources_num_gpus.as_ref();
        SimulationConfig {
            num_supernodes: self.num_supernodes,
            client_resources_num_cpus: self.client_resources_num_cpus,
            client_resources_num_gpus: gpus.and_then(|gpus| gpus.plain().parse().ok()),
        }
    }
}

impl From<Simulation> for SimulationOutput {
    fn from(simulation: Simulation) -> Self {
        Self {
            num_supernodes: simulation.num_supernodes,
            client_resources_num_cpus: simulation.client_resources_num_cpus,
            client_resources_num_gpus: simulation.client_resources_num_gpus,
        }
    }
}

impl From<SimulationOutput> for Simulation {
    fn from(output: SimulationOutput) -> Self {
        Self {
            num_supernodes: output.num_supernodes,
            client_resources_num_cpus: output.client_resources_num_cpus,
            client_resources_num_gpus: output.client_resources_num_gpus,
        }
    }
}

/// Errors for numbers that no simulation can have.
pub(crate) fn validate<M>(config: &Tree<M>, simulation: ModelPath<M>) -> Diagnostics {
    let supernodes = simulation.then(at!(Simulation, num_supernodes));
    let cpus = simulation.then(at!(Simulation, client_resources_num_cpus));
    let gpus = simulation.then(at!(Simulation, client_resources_num_gpus));
    let mut found = Diagnostics::default();
    let mut refuse = |at: ModelPath<M>, rule: String| {
        found.push(
            Diagnostic::error("This simulation is not possible")
                .detail(format!("`{at}` must be {rule}."))
                .at(at),
        );
    };
    if known::<u32, M>(config, supernodes).is_some_and(|one| !(1..=MOST_SUPERNODES).contains(&one))
    {
        refuse(supernodes, format!("a number from 1 to {MOST_SUPERNODES}"));
    }
    if known::<u32, M>(config, cpus) == Some(0) {
        refuse(cpus, "1 or more".to_owned());
    }
    let is_possible = |gpus: Number| (0.0..=MOST_GPUS).contains(&gpus.as_f64());
    if known(config, gpus).is_some_and(|gpus| !is_possible(gpus)) {
        refuse(gpus, format!("a number from 0 to {MOST_GPUS}"));
    }
    found
}

fn known<T: Attr, M>(config: &Tree<M>, path: ModelPath<M>) -> Option<T> {
    // The schema reports a value of another type.
    config.get::<Option<T>>(path).ok()?.known().flatten()
}

/// An error if a SuperLink has both simulated SuperNodes and real ones. A configuration may choose
/// between them with a variable, which is not known at first.
pub(super) fn excludes_supernodes(config: &Tree<Superlink>) -> Result<()> {
    let mut both = [at!(Superlink, simulation), at!(Superlink, supernodes)].into_iter();
    let is_there = |value: &Value| !value.is_null() && !value.is_unknown();
    if !both.all(|path| is_there(config.value(path))) {
        return Ok(());
    }
    Err(Diagnostic::error("A simulation has no other SuperNodes")
        .detail(
            "With `simulation`, Flower simulates every SuperNode, and the SuperNodes in \
                 `supernodes` would take part in no run.",
        )
        .detail("Remove `simulation` or `supernodes`.")
        .at(at!(Superlink, simulation))
        .into())
}

/// An error of the plan of a SuperLink whose release or runtime cannot simulate.
pub(super) fn is_possible(provider: Option<&Configured>, plan: &Plan<Superlink>) -> Result<()> {
    let simulation = plan.planned.value(at!(Superlink, simulation));
    if simulation.is_null() || simulation.is_unknown() {
        return Ok(());
    }
    if let Maybe::Known(version) = plan.get::<FlowerVersion>(at!(Superlink, flower_version))? {
        takes(version, at!(Superlink, simulation))?;
    }
    is_without(provider.is_some_and(|provider| provider.runtime.has_pods()))
}

/// An error for a release that takes no configuration of a simulation with a run.
pub(crate) fn takes<M>(version: FlowerVersion, at: ModelPath<M>) -> Result<()> {
    if release::row(version)?.simulates {
        return Ok(());
    }
    Err(
        Diagnostic::error(format!("Flower {version} cannot be used for simulations"))
            .detail(
                "The provider submits the configuration of the simulation together with a run, \
                 which this version does not accept.",
            )
            .detail(simulation_remedy())
            .at(at)
            .into(),
    )
}

/// An error for a runtime with pods.
pub(super) fn is_without(has_pods: bool) -> Result<()> {
    if !has_pods {
        return Ok(());
    }
    Err(
        Diagnostic::error("A simulation cannot run in the runtime `kubernetes`")
            .detail(
                "Flower's images do not contain Ray, which runs simulated SuperNodes, and the \
                 provider installs nothing into images.",
            )
            .detail(
                "Use a provider without `kubernetes` for the simulation, or remove `simulation` \
                 and create SuperNodes.",
            )
            .at(at!(Superlink, simulation))
            .into(),
    )
}

#[cfg(test)]
#[path = "simulation_tests.rs"]
mod tests;
