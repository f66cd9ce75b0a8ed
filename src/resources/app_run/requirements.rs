//! Whether the app's dependencies are installed where it will run, as far as a plan can know: from
//! what the runtime recorded about the SuperLink and its SuperNodes, and from what this process has
//! planned for them. The content of a cluster's images is not known.

use super::federation::Federation;
use super::model::Model;
use super::source::Source;
use crate::at;
use crate::flower::dependency::lacking;
use crate::flower::fab::Fab;
use crate::resources::Configured;
use crate::resources::connection_attributes::ControlInput;
use crate::runtime::ObjectRef;
use crate::tfplugin::Plan;
use crate::tfplugin::diagnostic::{Diagnostic, Result};
use crate::tfplugin::schema::Maybe;

/// Warns of dependencies that no `requirements` list contains.
pub(super) async fn check(
    provider: Option<&Configured>,
    plan: &mut Plan<Model>,
    source: &Source,
    fab: &Fab,
) -> Result<()> {
    let Maybe::Known(control) = plan.get::<ControlInput>(at!(Model, control))? else {
        return Ok(());
    };
    let Some(provider) = provider.filter(|one| one.runtime.installs_requirements()) else {
        return Ok(());
    };
    let Some(federation) = Federation::of(provider.runtime.as_ref(), &control).await else {
        return Ok(());
    };
    let superlink = &federation.superlink;
    let mut found = Vec::new();
    let mut look = |object: &ObjectRef, recorded: Option<&[String]>, resource| {
        let requirements = match provider.planned_requirements.of(object) {
            Some(Maybe::Known(planned)) => planned,
            Some(Maybe::Unknown) => return,
            None => recorded.unwrap_or_default().to_vec(),
        };
        let lacking = lacking(&fab.project.dependencies, &requirements);
        if !lacking.is_empty() {
            found.push(line(object, resource, &requirements, &lacking));
        }
    };
    look(
        &superlink.object,
        superlink.model.requirements.as_deref(),
        "flower_superlink",
    );
    for node in &federation.supernodes {
        let installs = node.model.extra_args.iter().flatten();
        let mut installs = installs.filter(|flag| flag.contains("allow-runtime-dependency"));
        if installs.next().is_none() {
            look(
                &node.object,
                node.model.requirements.as_deref(),
                "flower_supernode",
            );
        }
    }
    if !found.is_empty() {
        plan.notes.push(warning(source, &found));
    }
    Ok(())
}

fn warning(source: &Source, found: &[String]) -> Diagnostic {
    Diagnostic::warning("`requirements` lack dependencies of the app")
        .detail(format!(
            "The pyproject.toml of the {} lists packages that are not installed where the app \
             runs. A run fails when it imports one of them.",
            source.title()
        ))
        .detail(found.join("\n"))
        .at(source.attribute())
}

/// The `requirements` line to write for one object.
fn line(object: &ObjectRef, resource: &str, has: &[String], lacking: &[&str]) -> String {
    let all = has
        .iter()
        .map(String::as_str)
        .chain(lacking.iter().copied());
    let all: Vec<_> = all.map(|one| format!("{one:?}")).collect();
    format!(
        "{object} lacks {}. Write into its `{resource}`:\n  requirements = [{}]",
        lacking.join(", "),
        all.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Kind;

    #[test]
    fn the_warning_has_the_line_to_write() {
        let object = ObjectRef {
            kind: Kind::Superlink,
            name: "main".parse().unwrap(),
        };
        let has = ["pandas".to_owned()];
        let line = line(
            &object,
            "flower_superlink",
            &has,
            &["torch==2.7.1", "monai"],
        );
        let source = Source::folder("./app");
        let warning = warning(&source, &[line]);
        insta::assert_snapshot!(format!("{}\n\n{}", warning.summary, warning.detail));
    }
}
