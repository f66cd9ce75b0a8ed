//! What lasts is a failure; what often passes is waited for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Event;

use super::super::super::Patience;
use super::super::START;
use super::trouble::{Outlook, Trouble};
use super::volumes::is_attach;

/// What may pass by itself is named only when it lasted as long.
pub(super) const GRACE: Duration = Duration::from_secs(8);
/// How long a node is waited for that somebody is making.
const NODE: Duration = Duration::from_mins(5);
/// How long there may be no word of a node or volume that is still waited for: an attach is tried
/// again every two minutes.
const QUIET: Duration = Duration::from_secs(150);
/// How long a start may take before it is worth a line in the log.
const SLOW: Duration = Duration::from_secs(15);
/// How long before the time for all of it is over the trouble is named.
const BEFORE: Duration = Duration::from_secs(2);
/// How long a failed attach counts that is not tried again.
const AGED: Duration = Duration::from_secs(30);

/// Since when there is which trouble.
pub(super) struct Seen {
    pub(super) patience: Patience,
    same: Option<(String, Instant)>,
    /// Since when a node or volume is waited for, and when there was word of that last.
    placing: Option<(Instant, Instant)>,
    /// What was logged.
    told: BTreeSet<String>,
    /// Whether somebody makes a node, once that was asked for.
    node_comes: Option<bool>,
}

impl Seen {
    pub(super) fn new(patience: Patience) -> Self {
        Self {
            patience,
            same: None,
            placing: None,
            told: BTreeSet::new(),
            node_comes: None,
        }
    }

    /// Whether the trouble is one, and not a moment's.
    pub(super) fn lasts(&mut self, trouble: Option<&Trouble>, now: Instant) -> bool {
        let Some(trouble) = trouble else {
            self.same = None;
            return false;
        };
        let name = format!("{} {}", trouble.process, trouble.what);
        let since = match &self.same {
            Some((before, since)) if *before == name => *since,
            _ => {
                self.same = Some((name.clone(), now));
                now
            }
        };
        let waited = now.duration_since(since);
        let lasted = waited >= GRACE;
        match trouble.outlook {
            Outlook::Lasting => return true,
            Outlook::Passing => return lasted,
            Outlook::Starting => {
                let is_over = waited >= self.patience.starting.unwrap_or(START);
                if waited >= SLOW && !is_over {
                    self.tell(name, trouble);
                }
                return is_over || self.is_late(now);
            }
            Outlook::Placing => {}
        }
        let begun = match self.placing {
            Some((begun, last)) if now.duration_since(last) < QUIET => begun,
            _ => now,
        };
        self.placing = Some((begun, now));
        let patience = match (self.patience.scheduling, self.node_comes) {
            (Some(set), _) => set,
            (None, Some(true)) => NODE,
            (None, _) => Duration::ZERO,
        };
        let is_over = lasted && now.duration_since(begun) >= patience;
        if lasted && !is_over {
            self.tell(name, trouble);
        }
        is_over || self.is_late(now)
    }

    /// Logs once what is waited for.
    fn tell(&mut self, name: String, trouble: &Trouble) {
        if self.told.insert(name) {
            tracing::warn!(
                process = trouble.process,
                trouble = trouble.how(),
                "it is waited for"
            );
        }
    }

    /// Whether the time for all of it is nearly over.
    fn is_late(&self, now: Instant) -> bool {
        now + BEFORE >= self.patience.until
    }

    /// Whether it is worth asking if somebody makes a node.
    pub(super) fn may_ask(&self, trouble: &Trouble, now: Instant) -> bool {
        trouble.outlook == Outlook::Placing
            && self.patience.scheduling.is_none()
            && self.node_comes.is_none()
            && !self.is_late(now)
    }

    pub(super) fn answer(&mut self, node_comes: bool) {
        self.node_comes = Some(node_comes);
    }

    /// How long a start was waited for, or a node or volume, when that was longer than it is by default.
    pub(super) fn waited(&self, trouble: &Trouble, now: Instant) -> Option<u64> {
        match trouble.outlook {
            Outlook::Lasting | Outlook::Passing => None,
            Outlook::Placing => {
                let (begun, last) = self.placing?;
                let waited = last.duration_since(begun);
                (waited > GRACE * 2).then_some(waited.as_secs())
            }
            Outlook::Starting => {
                let (_, since) = self.same.as_ref()?;
                Some(now.duration_since(*since).as_secs())
            }
        }
    }
}

/// Whether these events of a pod say that a node is being made for it.
pub(super) fn node_comes(events: &[Event]) -> bool {
    // By the cluster-autoscaler, and by Karpenter.
    let reasons = ["TriggeredScaleUp", "Nominated"];
    let mut all = events.iter().filter_map(|event| event.reason.as_deref());
    all.any(|reason| reasons.contains(&reason))
}

/// When it was heard of attaches that failed: that one worked in the end is not told.
#[derive(Default)]
pub(super) struct Attaches(BTreeMap<String, (Option<String>, Instant)>);

impl Attaches {
    /// Takes out those that were not tried again for a while.
    pub(super) fn forget_aged(&mut self, events: &mut BTreeMap<String, Event>, now: Instant) {
        events.retain(|name, event| {
            if !is_attach(event) {
                return true;
            }
            let version = &event.metadata.resource_version;
            match self.0.get(name) {
                Some((before, heard)) if before == version => now.duration_since(*heard) < AGED,
                _ => {
                    self.0.insert(name.clone(), (version.clone(), now));
                    true
                }
            }
        });
    }
}
