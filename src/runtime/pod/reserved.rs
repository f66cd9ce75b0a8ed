//! What of a pod the provider sets itself, so that no configuration may.

/// The field manager, and the first part of annotations.
pub(in crate::runtime) const MANAGER: &str = "terraform-provider-flower";
/// Marks what is ours.
pub(in crate::runtime) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
pub(in crate::runtime) const PART_OF: &str = "app.kubernetes.io/part-of";
/// Which kind of object it belongs to.
pub(in crate::runtime) const COMPONENT: &str = "app.kubernetes.io/component";
/// Which object it belongs to.
pub(in crate::runtime) const INSTANCE: &str = "app.kubernetes.io/instance";

/// Where processes see their files, state and home.
pub(in crate::runtime) const FILES: &str = "/flower/files";
pub(in crate::runtime) const STATE: &str = "/flower/state";
pub(in crate::runtime) const HOME: &str = "/flower/home";
pub(in crate::runtime) const TMP: &str = "/tmp";

/// Whether a volume of ours is mounted at this path of containers, so that nobody else's can be.
pub fn is_own_mount(path: &str) -> bool {
    [FILES, STATE, HOME, TMP].contains(&path)
}

/// Whether a label or annotation is one of those by which the provider knows its own.
pub fn is_own_label(key: &str) -> bool {
    let ours = [MANAGED_BY, PART_OF, COMPONENT, INSTANCE];
    ours.contains(&key)
        || key
            .split_once('/')
            .is_some_and(|(prefix, _)| prefix == MANAGER)
}
