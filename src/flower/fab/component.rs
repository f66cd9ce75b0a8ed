//! Whether the objects that `pyproject.toml` names as apps exist in the source.
//!
//! `flwr build` looks each module up in a Python environment. There is none here, so only what the tree itself
//! proves wrong is refused: a module of the app's own package that has no file, or a file in which the name of the
//! object never occurs. A module of some other package passes.

use super::error::Problem;
use super::pyproject::Component;
use crate::flower::app_source::AppTree;

/// Checks one reference against the files, before any filter.
pub(super) fn check(tree: &AppTree, component: &Component) -> Option<Problem> {
    let base = component.module.replace('.', "/");
    let top = base.split('/').next().unwrap_or(&base);
    let own = tree.contains(&format!("{top}.py")) || tree.contains(&format!("{top}/__init__.py"));
    if !own {
        return None;
    }
    // Python prefers the package to the module of the same name.
    let files = [format!("{base}/__init__.py"), format!("{base}.py")];
    let Some(file) = files.iter().find(|file| tree.contains(file)) else {
        let unknown = files.iter().any(|file| tree.is_behind_link(file));
        return (!unknown).then(|| {
            Problem::new(
                &component.key,
                format!(
                    "module \"{}\" is not in the app, it has no file {}.py",
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
