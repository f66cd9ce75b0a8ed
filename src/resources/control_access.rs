//! Access to a SuperLink: through the `control` of a configuration, and while the SuperLink may
//! still be starting.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Configured;
use super::app_run::Model as AppRun;
use super::connection_attributes::ControlInput;
use super::report;
use super::supernode::Model as Supernode;
use crate::at;
use crate::flower::control::{ControlClient, ControlError, SharedReads};
use crate::tfplugin::Call;
use crate::tfplugin::diagnostic::Result as Told;

const LOOK: Duration = Duration::from_millis(200);
/// How long a starting SuperLink may refuse calls: several threads of Flower 1.26 and 1.27 may open
/// the database at once when they first need it, and calls may fail meanwhile. SuperLinks of this
/// provider have a lock for that, but `control` may name others.
const STUMBLES: Duration = Duration::from_secs(10);

/// The SuperLink of an attribute `control`; no request is sent yet.
pub fn control(call: &Call<Configured>, input: &ControlInput) -> Told<Arc<SharedReads>> {
    let control = call.provider.control(input);
    control.map_err(|error| {
        report::error("This SuperLink cannot be reached", &error)
            .at(at!(AppRun | Supernode, control))
            .into()
    })
}

/// Asks until the Control API answers. An error that is not temporary is returned at once.
pub async fn until_healthy(client: &ControlClient) -> Result<(), ControlError> {
    let mut stumbled: Option<Instant> = None;
    loop {
        match client.health().await {
            Err(error) if error.may_pass() => {}
            Err(ControlError::Refused(_))
                if stumbled.get_or_insert_with(Instant::now).elapsed() < STUMBLES => {}
            done => return done,
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::flower::control::ControlEndpoint;

    #[tokio::test]
    async fn one_that_stumbles_over_its_own_start_is_asked_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            for status in ["500 Oops", "500 Oops", "200 OK"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut asked = [0; 4096];
                assert!(stream.read(&mut asked).await.unwrap() > 0);
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let endpoint = ControlEndpoint::parse(&url, None).unwrap();
        let client = ControlClient::connect(&endpoint);
        let stumble = client.health().await;
        assert!(
            matches!(stumble, Err(ControlError::Refused(_))),
            "{stumble:?}"
        );
        until_healthy(&client).await.unwrap();
        server.await.unwrap();
    }
}
