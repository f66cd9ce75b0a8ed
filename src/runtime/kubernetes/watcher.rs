//! The objects of a kind and their changes: a list, then a watch, then a list again. Networks drop
//! silent connections without notice, so the provider ends a watch that lasts longer than
//! requested.

use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use kube::api::{ListParams, WatchEvent, WatchParams};
use tokio::time::Instant;

use super::api::{Api, Object, named};
use super::error::ClusterError;

/// How long one watch lasts: the API server ends it.
const WATCH: Duration = Duration::from_mins(1);
/// The additional time before we end the watch ourselves.
const SLACK: Duration = Duration::from_secs(10);
/// A watch that lasted this long was not ended immediately.
const LASTED: Duration = Duration::from_secs(10);
/// The first pause before the next list, doubled up to the longest.
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long a wait may go without a successful request: API servers restart, and networks fail.
const BLIND: Duration = Duration::from_mins(2);

impl Api {
    /// Waits until `there` returns a value for the object of this name (or for its absence).
    pub(super) async fn until<K: Object, T>(
        &self,
        name: &str,
        there: impl Fn(Option<&K>) -> Option<T>,
    ) -> Result<T, ClusterError> {
        let mut changes = Watcher::<K>::new(self, "", &format!("metadata.name={name}"));
        let mut blind: Option<Instant> = None;
        loop {
            let change = changes.next().await;
            let now = match &change {
                Ok(Change::All(all)) => all.first(),
                Ok(Change::Is(one)) => Some(one),
                Ok(Change::Gone(_)) => None,
                Err(error) => {
                    let since = *blind.get_or_insert_with(Instant::now);
                    if !error.may_pass() || since.elapsed() >= BLIND {
                        return Err(error.clone());
                    }
                    tracing::warn!(object = named::<K>(name), %error, "it cannot be watched now");
                    continue;
                }
            };
            blind = None;
            if let Some(found) = there(now) {
                return Ok(found);
            }
        }
    }
}

/// A change of the known objects.
pub(super) enum Change<K> {
    /// All objects.
    All(Vec<K>),
    /// The object was added or modified.
    Is(K),
    Gone(K),
}

/// An endless sequence of changes. After an error, which may be temporary, it lists all objects
/// again.
pub(super) struct Watcher<K> {
    api: Api,
    labels: String,
    fields: String,
    what: String,
    at: At<K>,
    /// How long to wait before the next list.
    pause: Duration,
}

enum At<K> {
    /// Nothing is known yet.
    Begin,
    /// The list was returned; the watch continues from this version.
    Listed(String),
    Watching(BoxStream<'static, kube::Result<WatchEvent<K>>>, Instant),
}

impl<K: Object> Watcher<K> {
    pub(super) fn new(api: &Api, labels: &str, fields: &str) -> Self {
        let what = match fields.strip_prefix("metadata.name=") {
            Some(name) => named::<K>(name),
            None => <K as k8s_openapi::Resource>::KIND.to_owned(),
        };
        Self {
            api: api.clone(),
            labels: labels.to_owned(),
            fields: fields.to_owned(),
            what,
            at: At::Begin,
            pause: Duration::ZERO,
        }
    }

    /// The same as a stream, so that a caller can wait for its next item and other things at the
    /// same time.
    pub(super) fn stream(self) -> BoxStream<'static, Result<Change<K>, ClusterError>> {
        stream::unfold(self, |mut changes| async move {
            let change = changes.next().await;
            Some((change, changes))
        })
        .boxed()
    }

    pub(super) async fn next(&mut self) -> Result<Change<K>, ClusterError> {
        loop {
            match std::mem::replace(&mut self.at, At::Begin) {
                At::Begin => {
                    tokio::time::sleep(self.pause).await;
                    self.pause = (self.pause * 2).clamp(PAUSE, LONGEST_PAUSE);
                    return self.list().await.map(Change::All);
                }
                At::Listed(version) => {
                    let watch = WatchParams::default()
                        .labels(&self.labels)
                        .fields(&self.fields)
                        .timeout(u32::try_from(WATCH.as_secs()).unwrap_or(u32::MAX));
                    let all = self.api.all::<K>();
                    let events = all.watch(&watch, &version).await;
                    let events = events.map_err(|error| self.api.failed(error, &self.what))?;
                    self.at = At::Watching(events.boxed(), Instant::now());
                }
                At::Watching(mut events, begun) => {
                    let next = tokio::time::timeout_at(begun + WATCH + SLACK, events.try_next());
                    // However a watch ends, the next list contains what it did not report.
                    let change = match next.await {
                        Ok(Ok(Some(WatchEvent::Added(one) | WatchEvent::Modified(one)))) => {
                            Some(Change::Is(one))
                        }
                        Ok(Ok(Some(WatchEvent::Deleted(one)))) => Some(Change::Gone(one)),
                        Ok(Ok(Some(WatchEvent::Bookmark(_)))) => None,
                        Ok(Ok(Some(WatchEvent::Error(_)) | None) | Err(_)) | Err(_) => {
                            if begun.elapsed() >= LASTED {
                                self.pause = Duration::ZERO;
                            }
                            continue;
                        }
                    };
                    self.at = At::Watching(events, begun);
                    if let Some(change) = change {
                        return Ok(change);
                    }
                }
            }
        }
    }

    async fn list(&mut self) -> Result<Vec<K>, ClusterError> {
        let list = ListParams::default()
            .labels(&self.labels)
            .fields(&self.fields);
        let list = self.api.all::<K>().list(&list).await;
        let list = list.map_err(|error| self.api.failed(error, &self.what))?;
        self.at = At::Listed(list.metadata.resource_version.unwrap_or_default());
        Ok(list.items)
    }
}
