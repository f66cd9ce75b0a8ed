//! `flower_log`: the output of a SuperLink's or a SuperNode's own processes.

use crate::resources::Configured;
use crate::resources::report;
use crate::runtime::{Kind, ObjectName, ObjectRef};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{Computed, Maybe, ModelPath, Tree, computed, defaulted, optional};
use crate::tfplugin::{Call, DataSource};
use crate::{at, choice_attribute, model};

model! {
    /// The last lines that a process of a SuperLink or a SuperNode has written since its last
    /// start, without colour codes. A SuperLink logs the provider's own requests, so an output of
    /// its lines changes with each plan. The SuperLink or SuperNode must be one that this provider
    /// configuration runs. For the output of a run's ServerApp, see `flower_run_log`.
    pub struct Model {
        /// The name of a SuperLink: `flower_superlink.NAME.name`. Either this or `supernode` must
        /// be set.
        superlink: Option<ObjectName> = optional(),
        /// The name of a SuperNode: `flower_supernode.NAME.name`.
        supernode: Option<ObjectName> = optional(),
        /// Which process. Allowed values: `superexec` (which starts the apps, with `isolation =
        /// "process"`; also the programs that did this before Flower 1.20) and `main` (default; the
        /// SuperLink or SuperNode itself).
        process: Process = defaulted(Process::Main),
        /// The maximum number of lines.
        last: u32 = defaulted(200_u32),
        /// The lines, oldest first.
        lines: Computed<Vec<String>> = computed(),
    }
}

/// A process of a SuperLink or a SuperNode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Process {
    Main,
    SuperExec,
}

choice_attribute!(Process {
    "main" => Self::Main => Self::Main,
    "superexec" => Self::SuperExec => Self::SuperExec,
});

/// The data source `flower_log`.
pub struct Log;

impl DataSource for Log {
    type Model = Model;
    type Provider = Configured;

    const TYPE: &'static str = "flower_log";

    fn validate(config: &Tree<Model>) -> Diagnostics {
        let mut found = Diagnostics::default();
        let superlink = found.absorb(config.get::<Option<ObjectName>>(at!(Model, superlink)));
        let supernode = found.absorb(config.get::<Option<ObjectName>>(at!(Model, supernode)));
        let (Some(Maybe::Known(superlink)), Some(Maybe::Known(supernode))) = (superlink, supernode)
        else {
            return found;
        };
        if superlink.is_some() == supernode.is_some() {
            found.push(wrong_count(superlink.is_some()));
        }
        found
    }

    async fn read(call: Call<Configured>, mut config: Model) -> Result<Model> {
        let (object, at) = object(&config)?;
        let runtime = call.provider.runtime.as_ref();
        let failed = format!("The log of {object} could not be read");
        let observed = runtime.observe(&object, &[]).await;
        let observed = observed.map_err(|error| report::error(failed.clone(), &error))?;
        if observed.is_none() {
            return Err(Diagnostic::error(failed)
                .detail("The runtime of this provider configuration has no such object.")
                .detail(
                    "Write the name of an object that this provider configuration runs, such as \
                     `flower_superlink.NAME.name`, so that it is created first.",
                )
                .at(at)
                .into());
        }
        let most = usize::try_from(config.last).unwrap_or(usize::MAX);
        let mut lines = Vec::new();
        for process in processes(object.kind, config.process) {
            lines = runtime
                .log_tail(&object, process, most)
                .await
                .map_err(|error| report::error(failed.clone(), &error))?;
            if !lines.is_empty() {
                break;
            }
        }
        config.lines.set(lines);
        Ok(config)
    }
}

/// The object whose log is read, and the attribute that names it.
fn object(config: &Model) -> Result<(ObjectRef, ModelPath<Model>)> {
    let of = |kind, name: &ObjectName| ObjectRef {
        kind,
        name: name.clone(),
    };
    match (&config.superlink, &config.supernode) {
        (Some(name), None) => Ok((of(Kind::Superlink, name), at!(Model, superlink))),
        (None, Some(name)) => Ok((of(Kind::Supernode, name), at!(Model, supernode))),
        // A name that was unknown to the validation.
        (None, None) | (Some(_), Some(_)) => Err(wrong_count(config.superlink.is_some()).into()),
    }
}

fn wrong_count(both: bool) -> Diagnostic {
    Diagnostic::error(if both {
        "A log is of one object"
    } else {
        "The object of the log is not set"
    })
    .detail("Set either `superlink` or `supernode`.")
    .at(at!(Model, superlink))
}

/// The names that a process has in the releases.
const fn processes(kind: Kind, process: Process) -> &'static [&'static str] {
    match (kind, process) {
        (Kind::Superlink, Process::Main) => &["superlink"],
        (Kind::Superlink, Process::SuperExec) => &["superexec", "serverapp"],
        (_, Process::Main) => &["supernode"],
        (_, Process::SuperExec) => &["superexec", "clientapp"],
    }
}
