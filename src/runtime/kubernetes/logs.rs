//! The logs of the containers of an object's pod.

use std::time::Duration;

use futures_util::{AsyncBufRead, AsyncBufReadExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::api::LogParams;

use super::api::{Api, named};
use super::error::ClusterError;
use super::forward::running;
use super::names;
use crate::terminal::{self, Lines};

const AGAIN: Duration = Duration::from_millis(500);
/// How often an empty log is requested.
const TRIES: usize = 4;
/// How long a followed log may be silent before it is requested again.
const SILENT: Duration = Duration::from_mins(1);
/// The maximum number of bytes to read for the last lines.
const LARGEST: i64 = 1 << 20;

/// Follows the log of a container until `found` accepts a line; starts again if the pod is
/// replaced. It retries after temporary errors. A refusal to show the log is an error immediately.
pub(super) async fn wait(
    api: &Api,
    name: &str,
    container: &str,
    found: &(dyn for<'a> Fn(&'a str) -> Option<String> + Sync),
) -> Result<String, ClusterError> {
    loop {
        match follow(api, name, container, found).await {
            Ok(Some(answer)) => return Ok(answer),
            Err(error) if error.is_refusal() => return Err(error),
            Ok(None) | Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

/// The same until the log ends.
async fn follow(
    api: &Api,
    name: &str,
    container: &str,
    found: &(dyn for<'a> Fn(&'a str) -> Option<String> + Sync),
) -> Result<Option<String>, ClusterError> {
    let pod = running(api, name).await?.name_any();
    let follow = LogParams {
        container: Some(container.to_owned()),
        follow: true,
        ..LogParams::default()
    };
    let stream = api.all::<Pod>().log_stream(&pod, &follow).await;
    let stream = stream.map_err(|error| api.failed(error, &named::<Pod>(&pod)))?;
    let mut stream = std::pin::pin!(stream);
    // A connection that was dropped without notice is silent, too.
    Ok(first_found(&mut stream, found).await)
}

/// The result of `found` for a line of a stream, until the stream ends, fails or is silent.
async fn first_found(
    stream: &mut (impl AsyncBufRead + Unpin),
    found: &(dyn for<'a> Fn(&'a str) -> Option<String> + Sync),
) -> Option<String> {
    let mut lines = Lines::default();
    loop {
        let piece = tokio::time::timeout(SILENT, stream.fill_buf()).await;
        let piece = piece.ok()?.ok()?;
        let length = piece.len();
        if let Some(answer) = lines.add(piece, found) {
            return Some(answer);
        }
        stream.consume_unpin(length);
        if length == 0 {
            return lines.rest().and_then(|line| found(&line));
        }
    }
}

/// Whether a container wrote this text. After the kubelet has removed an earlier instance of the
/// container, it returns a sentence of its own in place of the log.
fn is_log(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && !text.starts_with("unable to retrieve container logs for ")
}

/// The last lines of a container of the newest pod. If it runs, these are lines of the current
/// instance, and of the previous one only if the current one has written nothing yet.
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
    let order = if runs(pod, container) {
        [Life::Now, Life::Last]
    } else {
        [Life::Last, Life::Now]
    };
    of_lives(api, &pod.name_any(), container, lines, order).await
}

/// The last lines of a failed container, from the instance that failed.
pub(super) async fn of_pod(api: &Api, pod: &str, container: &str, lines: usize) -> Vec<String> {
    let order = [Life::Last, Life::Now];
    of_lives(api, pod, container, lines, order).await
}

/// An instance of a container: before its last restart, or since then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Last,
    Now,
}

fn runs(pod: &Pod, container: &str) -> bool {
    let statuses = pod
        .status
        .iter()
        .flat_map(|status| &status.container_statuses);
    let mut own = statuses.flatten().filter(|one| one.name == container);
    own.any(|one| {
        one.state
            .as_ref()
            .is_some_and(|state| state.running.is_some())
    })
}

/// The last lines of the first of these instances that has any.
async fn of_lives(
    api: &Api,
    pod: &str,
    container: &str,
    lines: usize,
    order: [Life; 2],
) -> Vec<String> {
    let of = |life| LogParams {
        container: Some(container.to_owned()),
        tail_lines: i64::try_from(lines).ok(),
        limit_bytes: Some(LARGEST),
        previous: life == Life::Last,
        ..LogParams::default()
    };
    // While a container restarts, its last log is for a moment available as neither of the two.
    for _ in 0..TRIES {
        for life in order {
            match api.all::<Pod>().logs(pod, &of(life)).await {
                Ok(text) if is_log(&text) => {
                    return terminal::lines(&text);
                }
                // Without the right to read the log, this message is all there is.
                Err(kube::Error::Api(status)) if status.code == 403 => {
                    return vec![format!("(the provider cannot read it: {})", status.message)];
                }
                Ok(_) | Err(_) => {}
            }
        }
        tokio::time::sleep(AGAIN).await;
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use futures_util::io::{AsyncReadExt as _, BufReader, Cursor, repeat};

    use super::*;

    #[test]
    fn a_container_runs_when_its_own_status_says_so() {
        let status = |name: &str, state: serde_json::Value| {
            serde_json::json!({
                "name": name, "state": state, "image": "", "imageID": "", "ready": true,
                "restartCount": 1, "lastState": { "terminated": { "exitCode": 1 } },
            })
        };
        let pod: Pod = serde_json::from_value(serde_json::json!({ "status": {
            "containerStatuses": [
                status("superlink", serde_json::json!({ "running": {} })),
                status("gateway", serde_json::json!({ "waiting": {} })),
            ],
        } }))
        .unwrap();
        assert!(runs(&pod, "superlink"));
        assert!(!runs(&pod, "gateway") && !runs(&pod, "superexec"));
    }

    #[test]
    fn what_the_kubelet_says_of_a_log_is_none() {
        assert!(is_log("Exit Code: 305\n"));
        for none in [
            " \n",
            "unable to retrieve container logs for containerd://6",
        ] {
            assert!(!is_log(none), "{none}");
        }
    }

    #[tokio::test]
    async fn what_follows_a_line_without_end_is_found() {
        let endless = repeat(b'x').take(40 << 20);
        let log = b"\nSuperNode ID: 7\n\nlast 8";
        let mut stream = BufReader::new(endless.chain(Cursor::new(log)));
        let found =
            |words: &'static str| move |line: &str| line.strip_prefix(words).map(str::to_owned);
        let answer = first_found(&mut stream, &found("SuperNode ID: ")).await;
        assert_eq!(answer.as_deref(), Some("7"));
        let mut stream = BufReader::new(Cursor::new(log));
        assert_eq!(
            first_found(&mut stream, &found("last ")).await.as_deref(),
            Some("8")
        );
        let mut stream = BufReader::new(Cursor::new(log));
        assert_eq!(first_found(&mut stream, &found("none")).await, None);
    }
}
