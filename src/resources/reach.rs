//! Reaching a SuperLink that may still be starting.

use std::time::Duration;

use crate::flower::control::{ControlClient, ControlError};

const LOOK: Duration = Duration::from_millis(200);

/// Asks until the Control API answers. What cannot pass by itself is an error at once.
pub async fn until_healthy(client: &ControlClient) -> Result<(), ControlError> {
    loop {
        match client.health().await {
            Err(error) if error.may_pass() => tokio::time::sleep(LOOK).await,
            done => return done,
        }
    }
}
