//! The volumes of a pod. They are checked here, because a cluster refuses a wrong volume only after
//! the rest of the object is created.

use std::collections::BTreeMap;

use super::VolumeSettings;
use crate::at;
use crate::resources::quantity;
use crate::runtime::{ObjectName, Volume, VolumeSource, is_own_mount};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::refused;

/// The volumes in the form that a runtime uses.
pub(super) fn volumes(set: &BTreeMap<String, VolumeSettings>, at: &Path) -> Result<Vec<Volume>> {
    let mut found = Diagnostics::default();
    let mut mounted: BTreeMap<&str, &str> = BTreeMap::new();
    let mut volumes = Vec::new();
    for (name, one) in set {
        let at = at.key(name);
        if let Err(error) = name.parse::<ObjectName>() {
            found.extend(refused(name, &error, &at));
        }
        let path = one.mount_path.trim_end_matches('/');
        if let Some(why) = unfit(path) {
            found.push(unmountable(name, one, &at).detail(why));
        } else if let Some(other) = mounted.insert(path, name) {
            let why = format!("The volume {other:?} is mounted there.");
            found.push(unmountable(name, one, &at).detail(why));
        }
        found.absorb(sizes(one, &at));
        volumes.extend(found.absorb(volume(name, one, at)));
    }
    found.or(volumes)
}

/// Why a volume cannot be mounted at a path.
fn unfit(path: &str) -> Option<String> {
    let is_plain =
        |part: &str| !matches!(part, "" | "." | "..") && !part.contains(char::is_control);
    let parts = path.strip_prefix('/').unwrap_or_default();
    if path.contains(':') || !parts.split('/').all(is_plain) {
        return Some(
            "Write an absolute path below `/`, without a colon, `.` or `..` in it.".to_owned(),
        );
    }
    is_own_mount(path).then(|| "The provider mounts its own files there.".to_owned())
}

fn unmountable(name: &str, one: &VolumeSettings, at: &Path) -> Diagnostic {
    let path = &one.mount_path;
    Diagnostic::error(format!("The volume {name:?} cannot be mounted at {path:?}"))
        .at(at.then(at!(VolumeSettings, mount_path)))
}

fn sizes(one: &VolumeSettings, at: &Path) -> Result<()> {
    if let Some(limit) = one
        .empty_dir
        .as_ref()
        .and_then(|one| one.size_limit.as_ref())
    {
        quantity::check(limit, at.then(at!(VolumeSettings, empty_dir.size_limit)))?;
    }
    match &one.ephemeral {
        Some(claim) => {
            quantity::check_size(&claim.size, at.then(at!(VolumeSettings, ephemeral.size)))
        }
        None => Ok(()),
    }
}

fn volume(name: &str, one: &VolumeSettings, at: Path) -> Result<Volume> {
    let sources = [
        one.claim.clone().map(VolumeSource::Claim),
        one.secret.clone().map(VolumeSource::Secret),
        one.config_map.clone().map(VolumeSource::ConfigMap),
        one.empty_dir
            .as_ref()
            .map(|empty| VolumeSource::Empty(empty.size_limit.clone())),
        one.ephemeral.as_ref().map(|claim| VolumeSource::Ephemeral {
            size: claim.size.clone(),
            storage_class: claim.storage_class.clone(),
        }),
    ];
    let mut sources = sources.into_iter().flatten();
    match (sources.next(), sources.next()) {
        (Some(source), None) => Ok(Volume {
            name: name.to_owned(),
            mount_path: one.mount_path.clone(),
            read_only: one.read_only.unwrap_or(false),
            source,
        }),
        _ => Err(
            Diagnostic::error(format!("The volume {name:?} needs exactly one source"))
                .detail("Set one of `claim`, `secret`, `config_map`, `empty_dir` and `ephemeral`.")
                .at(at)
                .into(),
        ),
    }
}
