//! What the containers of an object's pod write.

use std::time::Duration;

use futures_util::{AsyncBufReadExt as _, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::LogParams;

use super::api::Api;
use super::forward::running;
use super::names;
use crate::terminal::plain;

const AGAIN: Duration = Duration::from_millis(500);
/// How often a log that is empty is asked for.
const TRIES: usize = 4;

/// Follows the log of a container until `found` accepts a line; begun again when the pod moves.
pub(super) async fn wait(
    api: &Api,
    name: &str,
    container: &str,
    found: &(dyn for<'a> Fn(&'a str) -> Option<String> + Sync),
) -> String {
    loop {
        if let Ok(pod) = running(api, name).await {
            let follow = LogParams {
                container: Some(container.to_owned()),
                follow: true,
                ..LogParams::default()
            };
            if let Ok(stream) = api.all::<Pod>().log_stream(&pod.name_any(), &follow).await {
                let mut lines = stream.lines();
                while let Some(Ok(line)) = lines.next().await {
                    if let Some(answer) = found(&plain(&line)) {
                        return answer;
                    }
                }
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The last lines of a container of the newest pod; of its last life, when it has just begun anew.
pub(super) async fn tail(api: &Api, name: &str, container: &str, lines: usize) -> Vec<String> {
    let Ok(pods) = api.list::<Pod>(&names::query(name)).await else {
        return Vec::new();
    };
    let newest = pods
        .items
        .iter()
        .max_by_key(|pod| pod.metadata.creation_timestamp.clone());
    let Some(pod) = newest else {
        return Vec::new();
    };
    of_pod(api, &pod.name_any(), container, lines).await
}

/// The last lines of a container that failed.
pub(super) async fn of_pod(api: &Api, pod: &str, container: &str, lines: usize) -> Vec<String> {
    let of = |previous| LogParams {
        container: Some(container.to_owned()),
        tail_lines: i64::try_from(lines).ok(),
        previous,
        ..LogParams::default()
    };
    // While a container is started anew, its last log is for a moment neither the one nor the other.
    for _ in 0..TRIES {
        for previous in [true, false] {
            match api.all::<Pod>().logs(pod, &of(previous)).await {
                Ok(text) if !text.trim().is_empty() => return text.lines().map(plain).collect(),
                // Without the right to read it, that is what there is to tell.
                Err(kube::Error::Api(status)) if status.code == 403 => {
                    return vec![format!("(it is not shown to us: {})", status.message)];
                }
                Ok(_) | Err(_) => {}
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
    Vec::new()
}
