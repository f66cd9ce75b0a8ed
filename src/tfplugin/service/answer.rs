//! How an answer carries messages: one place, so that no call can forget them.

use super::super::diagnostic::Diagnostics;
use super::super::proto;
use super::messages;

/// A response of the protocol that has room for messages.
pub(super) trait Answer: Default {
    fn diagnostics(&mut self) -> &mut Vec<proto::Diagnostic>;

    /// An answer that is only messages.
    fn only(found: Diagnostics) -> Self {
        Self::default().with(found)
    }

    fn with(mut self, found: Diagnostics) -> Self {
        self.diagnostics().extend(messages(found));
        self
    }
}

macro_rules! answers {
    ($($module:ident),*) => { $(
        impl Answer for proto::$module::Response {
            fn diagnostics(&mut self) -> &mut Vec<proto::Diagnostic> {
                &mut self.diagnostics
            }
        }
    )* };
}

answers!(
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
