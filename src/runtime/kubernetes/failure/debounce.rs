//! Debounce: a diagnosis becomes a failure only if it lasts. The wait depends on its kind.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::super::super::WaitPolicy;
use super::super::START;
use super::diagnosis::{Diagnosis, DiagnosisId};
use super::kind::{GRACE, NODE, Wait};

/// How long to wait for a report that does not arrive. The kubelet retries everything within 15
/// seconds, so the missing reports are hidden from us, or the API server has dropped them.
pub(super) const UNREPORTED: Duration = Duration::from_secs(20);
/// How long a node or volume that the pod still needs may go without a report: an attach is retried
/// every two minutes.
const QUIET: Duration = Duration::from_secs(150);
/// How long a start may take before the provider logs it.
const SLOW: Duration = Duration::from_secs(15);
/// How long before the overall deadline the diagnosis is reported.
const BEFORE: Duration = Duration::from_secs(2);

/// The current diagnosis and since when it has lasted.
pub(super) struct Debounce {
    pub(super) wait_policy: WaitPolicy,
    same: Option<(DiagnosisId, Instant)>,
    /// Since when the pod waits for a node or volume, and when the last report about it arrived.
    placing: Option<(Instant, Instant)>,
    /// The diagnoses that were logged.
    told: BTreeSet<DiagnosisId>,
    /// Whether a controller is creating a node or a volume; `None` until the provider has checked.
    it_comes: Option<bool>,
    /// Whether the diagnosis is due only because the overall deadline is near.
    out_of_time: bool,
}

impl Debounce {
    pub(super) fn new(wait_policy: WaitPolicy) -> Self {
        Self {
            wait_policy,
            same: None,
            placing: None,
            told: BTreeSet::new(),
            it_comes: None,
            out_of_time: false,
        }
    }

    /// Whether the diagnosis is a failure, and not a temporary state.
    pub(super) fn is_due(&mut self, diagnosis: Option<&Diagnosis>, now: Instant) -> bool {
        let Some(diagnosis) = diagnosis else {
            self.same = None;
            return false;
        };
        let id = diagnosis.id();
        let since = match &self.same {
            Some((before, since)) if *before == id => *since,
            _ => {
                self.same = Some((id.clone(), now));
                now
            }
        };
        let waited = now.duration_since(since);
        let (is_over, slow) = match diagnosis.kind.judgement().wait {
            Wait::No => return true,
            Wait::Repeated { reports, over } => {
                let seen = diagnosis.reports;
                let is_repeated = seen.count >= reports && seen.over >= over;
                let is_over = is_repeated && waited >= GRACE || waited >= over + UNREPORTED;
                (is_over, GRACE)
            }
            Wait::Lasting(limit) => (waited >= limit, GRACE),
            Wait::Starting => (waited >= self.wait_policy.starting.unwrap_or(START), SLOW),
            Wait::Placing { default } => (self.is_placed(default, waited, now), GRACE),
        };
        if waited >= slow && !is_over {
            self.tell(id, diagnosis);
        }
        self.out_of_time = !is_over && self.is_late(now);
        is_over || self.out_of_time
    }

    /// Whether the provider would wait longer if there were more time.
    pub(super) const fn is_out_of_time(&self) -> bool {
        self.out_of_time
    }

    /// Whether the time limit for a node or a volume has passed. `waited` is how long this
    /// diagnosis has lasted.
    fn is_placed(&mut self, default: Duration, waited: Duration, now: Instant) -> bool {
        let begun = match self.placing {
            Some((begun, last)) if now.duration_since(last) < QUIET => begun,
            _ => now,
        };
        self.placing = Some((begun, now));
        let all = now.duration_since(begun);
        waited >= GRACE
            && match (self.wait_policy.scheduling, self.it_comes) {
                (Some(set), _) => all >= set,
                (None, Some(true)) => all >= NODE.max(default),
                (None, _) => waited >= default,
            }
    }

    /// Logs each diagnosis once.
    fn tell(&mut self, id: DiagnosisId, diagnosis: &Diagnosis) {
        if self.told.insert(id) {
            tracing::warn!(
                process = diagnosis.process,
                diagnosis = diagnosis.how(),
                "still waiting for it"
            );
        }
    }

    /// Whether the overall deadline is near.
    fn is_late(&self, now: Instant) -> bool {
        now + BEFORE >= self.wait_policy.until
    }

    /// Whether to check if a controller is creating a node or a volume.
    pub(super) fn may_ask(&self, diagnosis: &Diagnosis, now: Instant) -> bool {
        matches!(diagnosis.kind.judgement().wait, Wait::Placing { .. })
            && self.wait_policy.scheduling.is_none()
            && self.it_comes.is_none()
            && !self.is_late(now)
    }

    pub(super) fn answer(&mut self, it_comes: bool) {
        self.it_comes = Some(it_comes);
    }

    /// How long the provider waited, if longer than usual.
    pub(super) fn waited(&self, diagnosis: &Diagnosis, now: Instant) -> Option<u64> {
        let (_, since) = self.same.as_ref()?;
        let waited = now.duration_since(*since);
        match diagnosis.kind.judgement().wait {
            Wait::No | Wait::Repeated { .. } => None,
            Wait::Placing { .. } => {
                let (begun, last) = self.placing?;
                let waited = last.duration_since(begun);
                (waited > GRACE * 2).then_some(waited.as_secs())
            }
            Wait::Lasting(_) => (waited > GRACE * 2).then_some(waited.as_secs()),
            Wait::Starting => Some(waited.as_secs()),
        }
    }
}
