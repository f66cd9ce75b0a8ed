//! Reaching a SuperLink: by the `control` that a configuration gives, and while it may still be
//! starting.

use std::sync::Arc;
use std::time::Duration;

use super::Configured;
use super::handover::ControlInput;
use super::report::failed;
use crate::flower::control::{ControlClient, ControlError, SharedReads};
use crate::tfplugin::Call;
use crate::tfplugin::diagnostic::Result as Told;

const LOOK: Duration = Duration::from_millis(200);

/// The SuperLink of an attribute `control`; nothing is sent yet.
pub fn control(call: &Call<Configured>, input: &ControlInput) -> Told<Arc<SharedReads>> {
    let control = call.provider.control(input);
    control.map_err(|error| {
        failed("This SuperLink cannot be reached", &error)
            .on("control")
            .into()
    })
}

/// Asks until the Control API answers. What cannot pass by itself is an error at once.
pub async fn until_healthy(client: &ControlClient) -> Result<(), ControlError> {
    loop {
        match client.health().await {
            Err(error) if error.may_pass() => tokio::time::sleep(LOOK).await,
            done => return done,
        }
    }
}
