//! Reads that many resources need at the same time, sent once.
//!
//! A refresh reads every run and every node of a SuperLink at the same time. The first read
//! requests the whole list; reads that come meanwhile wait for it, and reads that come soon after
//! reuse the result. Reads that waited share an error; later ones do not.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::client::ControlClient;
use super::error::ControlError;
use super::federation::Federation;
use super::node::Node;
use super::run::{Run, RunListing};
use super::run_id::RunId;

/// Shared reads of one SuperLink.
#[derive(Debug)]
pub struct SharedReads {
    client: ControlClient,
    runs: Shared<RunListing>,
    nodes: Shared<Vec<Node>>,
    federations: Shared<Vec<Federation>>,
}

impl SharedReads {
    /// Shared reads with this client.
    pub fn new(client: ControlClient) -> Self {
        Self {
            client,
            runs: Shared::default(),
            nodes: Shared::default(),
            federations: Shared::default(),
        }
    }

    /// The client, for all calls that are not shared reads.
    pub const fn client(&self) -> &ControlClient {
        &self.client
    }

    /// All runs, at most `max_age` old.
    pub async fn runs(&self, max_age: Duration) -> Result<Arc<RunListing>, ControlError> {
        self.runs.get(max_age, || self.client.list_runs()).await
    }

    /// One run, at most `max_age` old. A run that is not in the list is requested alone: it may be
    /// too old for the list, or belong to another account.
    pub async fn run(&self, id: RunId, max_age: Duration) -> Result<Run, ControlError> {
        match self.runs(max_age).await?.runs.get(&id) {
            Some(run) => Ok(run.clone()),
            None => self.client.run(id).await,
        }
    }

    /// All nodes, at most `max_age` old.
    pub async fn nodes(&self, max_age: Duration) -> Result<Arc<Vec<Node>>, ControlError> {
        self.nodes.get(max_age, || self.client.list_nodes()).await
    }

    /// All federations, at most `max_age` old.
    pub async fn federations(
        &self,
        max_age: Duration,
    ) -> Result<Arc<Vec<Federation>>, ControlError> {
        let read = || self.client.list_federations();
        self.federations.get(max_age, read).await
    }

    /// Drops all results, including those of running reads. Call this after every change.
    pub fn forget(&self) {
        self.runs.forget();
        self.nodes.forget();
        self.federations.forget();
    }
}

/// The last result of a read, and the lock for the next read.
#[derive(Debug)]
struct Shared<T> {
    last: Mutex<Option<Outcome<T>>>,
    epoch: AtomicU64,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Self {
            last: Mutex::new(None),
            epoch: AtomicU64::new(0),
        }
    }
}

#[derive(Debug)]
struct Outcome<T> {
    result: Result<Arc<T>, ControlError>,
    began: Instant,
    ended: Instant,
    epoch: u64,
}

impl<T> Shared<T> {
    async fn get<Reading>(
        &self,
        max_age: Duration,
        read: impl FnOnce() -> Reading,
    ) -> Result<Arc<T>, ControlError>
    where
        Reading: Future<Output = Result<T, ControlError>>,
    {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if let Some(outcome) = &*last {
            let current = outcome.epoch == self.epoch.load(Ordering::Acquire);
            let usable = match outcome.result {
                Ok(_) => outcome.began >= asked || outcome.began.elapsed() <= max_age,
                Err(_) => outcome.ended >= asked,
            };
            if current && usable {
                return outcome.result.clone();
            }
        }
        let epoch = self.epoch.load(Ordering::Acquire);
        let began = Instant::now();
        let result = read().await.map(Arc::new);
        *last = Some(Outcome {
            result: result.clone(),
            began,
            ended: Instant::now(),
            epoch,
        });
        result
    }

    fn forget(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::super::call::Call;
    use super::super::fake::{Fake, list_of};
    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn a_thousand_reads_at_once_are_two_calls() {
        let fake =
            Fake::new(|_, request, _| Ok(list_of(request, 1000))).slow(Duration::from_millis(20));
        let shared = Arc::new(SharedReads::new(fake.client()));
        let reads = (0..1000).map(|n| {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move { shared.run(RunId(n), LONG).await })
        });
        for (n, read) in reads.collect::<Vec<_>>().into_iter().enumerate() {
            assert_eq!(read.await.unwrap().unwrap().id, RunId(n as u64));
        }
        for n in 0..1000 {
            shared.run(RunId(n), LONG).await.unwrap();
        }
        // 1000 runs fill the first page, so only a second page tells that it was the last.
        assert_eq!(fake.count(Call::ListRuns), 2);
    }

    #[tokio::test]
    async fn an_old_answer_is_not_used() {
        let fake = Fake::new(|_, request, _| Ok(list_of(request, 1)));
        let shared = SharedReads::new(fake.client());
        shared.runs(LONG).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        shared.runs(Duration::from_millis(1)).await.unwrap();
        assert_eq!(fake.count(Call::ListRuns), 2);
    }

    #[tokio::test]
    async fn after_a_change_of_our_own_nothing_from_before_is_used() {
        let fake =
            Fake::new(|_, request, _| Ok(list_of(request, 1))).slow(Duration::from_millis(30));
        let shared = Arc::new(SharedReads::new(fake.client()));
        let early = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move { shared.runs(LONG).await.map(|_| ()) }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        shared.forget();
        shared.runs(LONG).await.unwrap();
        early.await.unwrap().unwrap();
        assert_eq!(fake.count(Call::ListRuns), 2);
    }

    #[tokio::test]
    async fn a_failure_is_shared_by_those_who_waited_and_forgotten_after() {
        let tries = AtomicUsize::new(0);
        let shared: Shared<u8> = Shared::default();
        let read = || async {
            tries.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(20)).await;
            Err(ControlError::Unavailable {
                at: "h:1".to_owned(),
                never_connected: true,
                cause: "refused".to_owned(),
            })
        };
        let (a, b, c) = tokio::join!(
            shared.get(LONG, read),
            shared.get(LONG, read),
            shared.get(LONG, read)
        );
        assert!(a.is_err() && b.is_err() && c.is_err());
        assert_eq!(tries.load(Ordering::Relaxed), 1);
        shared.get(LONG, read).await.unwrap_err();
        assert_eq!(tries.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_reader_that_was_cancelled_leaves_the_turn_to_the_next() {
        let shared: Arc<Shared<u8>> = Arc::default();
        let never = {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move { shared.get(LONG, std::future::pending).await })
        };
        tokio::time::sleep(Duration::from_millis(10)).await;
        never.abort();
        assert_eq!(*shared.get(LONG, || async { Ok(7) }).await.unwrap(), 7);
    }
}
