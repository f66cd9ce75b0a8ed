//! Artifacts in a cluster: HTTP with the file service in the SuperLink's pod, through a
//! port-forward. Any app of the SuperLink could answer in its place, so no answer is believed before
//! it is parsed, and none may be long.

use std::fmt::Write as _;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::sync::mpsc::Sender;

use super::super::artifacts::{ArtifactError, ArtifactPath, ArtifactStore, Artifacts, Listing};
use super::super::{Network as _, ObjectRef, RuntimeError};
use super::KubernetesRuntime;
use super::names;
use super::ports::ARTIFACTS_PORT;
use crate::pod_address::PodAddress;
use crate::terminal::visible;

/// The longest time without a byte of an answer.
const SILENCE: Duration = Duration::from_mins(1);
/// The longest time to compute the SHA-256 of a file.
const HASHING: Duration = Duration::from_mins(30);
const MOST_LISTING: usize = 8 << 20;
const MOST_WORDS: usize = 4 << 10;

impl Artifacts for KubernetesRuntime {
    fn artifacts<'a>(
        &'a self,
        superlink: &ObjectRef,
        run: u64,
    ) -> Result<Box<dyn ArtifactStore + 'a>, RuntimeError> {
        Ok(Box::new(Service {
            runtime: self,
            superlink: superlink.clone(),
            run,
            connection: None,
        }))
    }
}

/// The file service, and the connection to it while there is one.
struct Service<'a> {
    runtime: &'a KubernetesRuntime,
    superlink: ObjectRef,
    run: u64,
    connection: Option<SendRequest<Empty<Bytes>>>,
}

/// The body of a list.
#[derive(Deserialize)]
struct Listed {
    files: Vec<(String, u64)>,
    left_out: Vec<(String, String)>,
    #[serde(default)]
    more: usize,
}

fn cut(cause: impl ToString) -> ArtifactError {
    ArtifactError::Cut {
        cause: cause.to_string(),
    }
}

fn unexpected(what: impl Into<String>) -> ArtifactError {
    ArtifactError::Answer { what: what.into() }
}

impl Service<'_> {
    async fn connect(&self) -> Result<SendRequest<Empty<Bytes>>, ArtifactError> {
        let api = self.runtime.api().await?;
        let pod = PodAddress::new(api.namespace.clone(), names::of(&self.superlink));
        let stream = self.runtime.connect(&pod, ARTIFACTS_PORT).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(cut)?;
        // It ends when the sender is dropped.
        tokio::spawn(connection);
        Ok(sender)
    }

    /// Sends a request; `None` if the run or the file does not exist.
    async fn get(
        &mut self,
        what: &str,
        path: Option<&ArtifactPath>,
        more: &str,
        limit: Duration,
    ) -> Result<Option<Response<Incoming>>, ArtifactError> {
        let mut connection = match self.connection.take().filter(|one| !one.is_closed()) {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let query = path.map_or_else(String::new, |path| {
            format!("&path={}", encoded(path.as_str()))
        });
        let request = Request::get(format!("/{what}?run={}{query}{more}", self.run))
            .header(http::header::HOST, "localhost")
            .body(Empty::new())
            .map_err(|error| unexpected(error.to_string()))?;
        let response = within(limit, async {
            connection.ready().await.map_err(cut)?;
            connection.send_request(request).await.map_err(cut)
        });
        let response = response.await?;
        let status = response.status();
        if status == StatusCode::OK {
            self.connection = Some(connection);
            return Ok(Some(response));
        }
        let words = whole(response, MOST_WORDS).await.unwrap_or_default();
        if status == StatusCode::NOT_FOUND && words == b"no such file".as_slice() {
            return Ok(None);
        }
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            return Err(ArtifactError::TooMany);
        }
        if let (Some(path), StatusCode::CONFLICT) = (path, status) {
            return Err(gone(path));
        }
        let words = visible(&String::from_utf8_lossy(&words)).replace(char::is_control, " ");
        Err(match path {
            Some(path) if status == StatusCode::FORBIDDEN => ArtifactError::File {
                path: path.to_string(),
                cause: words,
            },
            _ => unexpected(format!("{status}: {words}")),
        })
    }
}

#[async_trait]
impl ArtifactStore for Service<'_> {
    async fn list(&mut self) -> Result<Option<Listing>, ArtifactError> {
        let Some(response) = self.get("list", None, "", SILENCE).await? else {
            return Ok(None);
        };
        let body = whole(response, MOST_LISTING).await?;
        let listed: Listed = serde_json::from_slice(&body)
            .map_err(|error| unexpected(format!("a list that cannot be read ({error})")))?;
        listing(listed).map(Some)
    }

    async fn sha256(&mut self, path: &ArtifactPath, size: u64) -> Result<String, ArtifactError> {
        let more = format!("&size={size}");
        let found = self.get("sha256", Some(path), &more, HASHING).await?;
        let response = found.ok_or_else(|| gone(path))?;
        let body = whole(response, MOST_WORDS).await?;
        let is_hash = body.len() == 64 && body.iter().all(u8::is_ascii_hexdigit);
        match String::from_utf8(body.to_vec()) {
            Ok(text) if is_hash => Ok(text.to_ascii_lowercase()),
            _ => Err(unexpected("something that is not a SHA-256")),
        }
    }

    async fn read(
        &mut self,
        path: &ArtifactPath,
        from: u64,
        to: Sender<Bytes>,
    ) -> Result<(), ArtifactError> {
        let more = format!("&from={from}");
        let found = self.get("file", Some(path), &more, SILENCE).await?;
        let mut body = found.ok_or_else(|| gone(path))?.into_body();
        loop {
            let frame = within(SILENCE, async { Ok(body.frame().await) }).await?;
            let Some(frame) = frame else {
                return Ok(());
            };
            let Ok(data) = frame.map_err(cut)?.into_data() else {
                continue;
            };
            if to.send(data).await.is_err() {
                // The receiver has enough; the rest of the body must not be read as an answer.
                self.connection = None;
                return Ok(());
            }
        }
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, ArtifactError>>,
) -> Result<T, ArtifactError> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(cut(format!("no byte came for {} s", limit.as_secs()))),
    }
}

/// A whole body of at most this many bytes.
async fn whole(response: Response<Incoming>, most: usize) -> Result<Bytes, ArtifactError> {
    let body = Limited::new(response.into_body(), most).collect();
    let body = within(SILENCE, async { body.await.map_err(cut) });
    Ok(body.await?.to_bytes())
}

fn gone(path: &ArtifactPath) -> ArtifactError {
    ArtifactError::Changed {
        path: path.to_string(),
    }
}

/// A path as the value of a query.
fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// The list, with the names that are paths.
fn listing(listed: Listed) -> Result<Listing, ArtifactError> {
    let mut found = Listing::default();
    found.more_left_out = listed.more;
    for (path, why) in listed.left_out {
        found.leave_out(&visible(&path), visible(&why));
    }
    for (text, size) in listed.files {
        match text.parse::<ArtifactPath>() {
            Ok(path) => found.add(path, size)?,
            Err(why) => found.leave_out(&visible(&text), why),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::super::artifacts::MOST_FILES;
    use super::*;

    #[test]
    fn a_list_of_a_hostile_pod_names_only_files_below_the_run() {
        let listed = Listed {
            files: vec![
                ("model.bin".to_owned(), 1),
                ("../../etc/passwd".to_owned(), 1),
                ("/etc/passwd".to_owned(), 1),
                ("a/.git/config".to_owned(), 1),
            ],
            left_out: vec![("link\x1b[2J".to_owned(), "it is\na link".to_owned())],
            more: 0,
        };
        let found = listing(listed).unwrap();
        let files: Vec<_> = found.files.keys().map(ArtifactPath::as_str).collect();
        assert_eq!(files, ["model.bin"]);
        assert_eq!(found.left_out.len(), 4);
        let told = found.left_out.concat();
        assert!(!told.contains(['\x1b', '\n']), "{told:?}");
    }

    #[test]
    fn too_many_files_are_refused() {
        let files = (0..=MOST_FILES).map(|number| (number.to_string(), 0));
        let listed = Listed {
            files: files.collect(),
            left_out: Vec::new(),
            more: 0,
        };
        assert!(matches!(listing(listed), Err(ArtifactError::TooMany)));
    }

    #[test]
    fn a_path_in_a_query_is_encoded() {
        assert_eq!(encoded("a b/ü&c=d%.bin"), "a%20b/%C3%BC%26c%3Dd%25.bin");
    }
}
