//! Names that the provider reserves in a pod, so that no configuration may use them.

/// The field manager, and the prefix of annotations.
pub(in crate::runtime) const MANAGER: &str = "terraform-provider-flower";
/// Marks the provider's own objects.
pub(in crate::runtime) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub(in crate::runtime) const PART_OF: &str = "app.kubernetes.io/part-of";
/// The kind of the object that a part belongs to.
pub(in crate::runtime) const COMPONENT: &str = "app.kubernetes.io/component";
/// The object that a part belongs to.
pub(in crate::runtime) const INSTANCE: &str = "app.kubernetes.io/instance";

/// The mount paths of files, state, home and artifacts in containers.
pub(in crate::runtime) const FILES: &str = "/flower/files";
pub(in crate::runtime) const STATE: &str = "/flower/state";
pub(in crate::runtime) const HOME: &str = "/flower/home";
pub(in crate::runtime) const ARTIFACTS: &str = "/flower/artifacts";
pub(in crate::runtime) const TMP: &str = "/tmp";

/// Whether the provider mounts its own volume at this path, so that no other volume may use it.
pub fn is_own_mount(path: &str) -> bool {
    [FILES, STATE, HOME, ARTIFACTS, TMP].contains(&path)
}

/// Whether the provider recognises its own objects by this label or annotation.
pub fn is_own_label(key: &str) -> bool {
    let ours = [MANAGED_BY, PART_OF, COMPONENT, INSTANCE];
    ours.contains(&key)
        || key
            .split_once('/')
            .is_some_and(|(prefix, _)| prefix == MANAGER)
}
