//! Adds diagnostics to responses, so that no call can forget them.

use super::super::diagnostic::Diagnostics;
use super::super::proto;
use super::messages;

/// A response of the protocol that has diagnostics.
pub(super) trait HasDiagnostics: Default {
    fn diagnostics(&mut self) -> &mut Vec<proto::Diagnostic>;

    /// A response with these diagnostics and nothing else.
    fn from_diagnostics(found: Diagnostics) -> Self {
        Self::default().with_diagnostics(found)
    }

    fn with_diagnostics(mut self, found: Diagnostics) -> Self {
        self.diagnostics().extend(messages(found));
        self
    }
}

macro_rules! has_diagnostics {
    ($($module:ident),*) => { $(
        impl HasDiagnostics for proto::$module::Response {
            fn diagnostics(&mut self) -> &mut Vec<proto::Diagnostic> {
                &mut self.diagnostics
            }
        }
    )* };
}

has_diagnostics!(
    get_provider_schema,
    validate_provider_config,
    validate_resource_config,
    validate_data_resource_config,
    validate_ephemeral_resource_config,
    configure_provider,
    upgrade_resource_state,
    upgrade_resource_identity,
    read_resource,
    plan_resource_change,
    apply_resource_change,
    import_resource_state,
    move_resource_state,
    read_data_source,
    open_ephemeral_resource,
    renew_ephemeral_resource,
    close_ephemeral_resource
);
