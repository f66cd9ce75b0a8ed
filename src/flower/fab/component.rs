//! Checks whether the source defines the app objects that `pyproject.toml` names.
//!
//! `flwr build` looks up each module in a Python environment. The provider has none, so it refuses
//! only what the files prove wrong: a module of the app's own package without a file, or a file
//! that does not contain the name of the object. A module of another package passes.

use super::error::Problem;
use super::pyproject::Component;
use crate::flower::app_source::AppTree;

/// Checks one reference against all files, before any filter.
pub(super) fn check(tree: &AppTree, component: &Component) -> Option<Problem> {
    let base = component.module.replace('.', "/");
    let top = base.split('/').next().unwrap_or(&base);
    let own = tree.contains(&format!("{top}.py")) || tree.contains(&format!("{top}/__init__.py"));
    if !own {
        return None;
    }
    // Python prefers a package to a module of the same name.
    let files = [format!("{base}/__init__.py"), format!("{base}.py")];
    let Some(file) = files.iter().find(|file| tree.contains(file)) else {
        let unknown = files.iter().any(|file| tree.is_behind_link(file));
        return (!unknown).then(|| {
            Problem::new(
                &component.key,
                format!(
                    "module \"{}\" is not in the app: there is no file {}.py",
                    component.module, base
                ),
            )
        });
    };
    let content = tree.read(file).ok()?;
    let text = std::str::from_utf8(&content).ok()?;
    let root = component
        .attribute
        .split('.')
        .next()
        .unwrap_or(&component.attribute);
    let occurs = text
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|word| word == root);
    (!occurs).then(|| Problem::new(&component.key, format!("{file} does not define \"{root}\"")))
}
