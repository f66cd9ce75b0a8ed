//! What lasts is a failure; what passes by itself is waited for, each kind in its own way.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::super::super::WaitPolicy;
use super::super::START;
use super::diagnosis::{Diagnosis, DiagnosisId};
use super::kind::{GRACE, NODE, Wait};

/// How long a report is waited for that does not come. The kubelet tries everything again within 15
/// seconds, so reports are not shown to us, or the API server has dropped them.
pub(super) const UNREPORTED: Duration = Duration::from_secs(20);
/// How long there may be no word of a node or volume that is still waited for: an attach is tried
/// again every two minutes.
const QUIET: Duration = Duration::from_secs(150);
/// How long a start may take before it is worth a line in the log.
const SLOW: Duration = Duration::from_secs(15);
/// How long before the time for all of it is over the diagnosis is named.
const BEFORE: Duration = Duration::from_secs(2);

/// Since when there is which diagnosis.
pub(super) struct Debounce {
    pub(super) wait_policy: WaitPolicy,
    same: Option<(DiagnosisId, Instant)>,
    /// Since when a node or volume is waited for, and when there was word of that last.
    placing: Option<(Instant, Instant)>,
    /// What was logged.
    told: BTreeSet<DiagnosisId>,
    /// Whether somebody makes a node or a volume, once that was asked for.
    it_comes: Option<bool>,
    /// Whether what is due is due only because the time for all of it is nearly over.
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

    /// Whether it is a failure, and not a moment's.
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

    /// Whether it would still be waited for if there were more time.
    pub(super) const fn is_out_of_time(&self) -> bool {
        self.out_of_time
    }

    /// Whether the time of a node or a volume is over that was waited for in this way for so long.
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

    /// Logs once what is waited for.
    fn tell(&mut self, id: DiagnosisId, diagnosis: &Diagnosis) {
        if self.told.insert(id) {
            tracing::warn!(
                process = diagnosis.process,
                diagnosis = diagnosis.how(),
                "still waiting for it"
            );
        }
    }

    /// Whether the time for all of it is nearly over.
    fn is_late(&self, now: Instant) -> bool {
        now + BEFORE >= self.wait_policy.until
    }

    /// Whether it is worth asking if somebody makes a node or a volume.
    pub(super) fn may_ask(&self, diagnosis: &Diagnosis, now: Instant) -> bool {
        matches!(diagnosis.kind.judgement().wait, Wait::Placing { .. })
            && self.wait_policy.scheduling.is_none()
            && self.it_comes.is_none()
            && !self.is_late(now)
    }

    pub(super) fn answer(&mut self, it_comes: bool) {
        self.it_comes = Some(it_comes);
    }

    /// How long it was waited for, where that was longer than for most.
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
