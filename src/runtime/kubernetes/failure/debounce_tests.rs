//! How long the provider waits for each kind.

use serde_json::json;

use super::debounce::{Debounce, UNREPORTED};
use super::kind::{GRACE, Kind};
use super::placement::comes;
use super::reports::Reports;
use super::tests::event;
use super::*;

const HOUR: Duration = Duration::from_hours(1);

fn of(kind: Kind) -> Diagnosis {
    Diagnosis::of_pod(kind, "")
}

/// A diagnosis with so many reports within so many seconds.
fn reported(kind: Kind, count: u32, over: u64) -> Diagnosis {
    Diagnosis {
        reports: Reports {
            count,
            over: Duration::from_secs(over),
        },
        ..of(kind)
    }
}

fn debounce(scheduling: Option<u64>, limit: Duration) -> (Debounce, Instant) {
    let begun = Instant::now();
    let wait_policy = WaitPolicy {
        scheduling: scheduling.map(Duration::from_secs),
        starting: None,
        until: begun + limit,
    };
    (Debounce::new(wait_policy), begun)
}

#[test]
fn what_passes_by_itself_must_be_reported_again() {
    let (mut debounce, begun) = debounce(None, HOUR);
    let mut due = |diagnosis: Option<Diagnosis>, at: u64| {
        debounce.is_due(diagnosis.as_ref(), begun + Duration::from_secs(at))
    };
    assert!(due(Some(of(Kind::Ended)), 0));
    let pull = |count, over| Some(reported(Kind::ImageNotPulled, count, over));
    assert!(!due(pull(1, 0), 0));
    // There is only one attempt, however long our own clock waits.
    assert!(!due(pull(1, 0), 12));
    assert!(due(pull(2, 13), 13));
    // Two reports at the same time count as one.
    let mount = |count, over| Some(reported(Kind::VolumeNotMounted, count, over));
    assert!(!due(mount(1, 0), 20));
    assert!(!due(mount(3, 2), 22));
    assert!(!due(mount(4, 6), 26));
    assert!(due(mount(5, 7), 28));
    // A different diagnosis was in between.
    assert!(!due(None, 40));
    assert!(!due(mount(6, 20), 41));
    assert!(due(mount(7, 28), 49));
}

#[test]
fn reports_that_nobody_shows_are_not_waited_for_without_end() {
    let (mut debounce, begun) = debounce(None, HOUR);
    let pull = of(Kind::ImageNotPulled);
    let mut due = |at: u64| debounce.is_due(Some(&pull), begun + Duration::from_secs(at));
    let limit = 5 + UNREPORTED.as_secs();
    assert!(!due(0));
    assert!(!due(limit - 1));
    assert!(due(limit));
}

#[test]
fn its_words_may_change_and_so_may_its_kind_where_that_is_called_alike() {
    let (mut debounce, begun) = debounce(None, HOUR);
    let mut due = |kind, count, over: u64| {
        debounce.is_due(
            Some(&reported(kind, count, over)),
            begun + Duration::from_secs(over),
        )
    };
    assert!(!due(Kind::RegistryBusy, 1, 0));
    assert!(!due(Kind::RegistryBusy, 2, 13));
    assert!(due(Kind::ImageNotPulled, 3, 30));
}

#[test]
fn nodes_and_volumes_are_waited_for_as_long_as_was_set() {
    let (mut debounce, begun) = debounce(Some(60), HOUR);
    let mut due = |kind: Option<Kind>, at: u64| {
        let diagnosis = kind.map(of);
        debounce.is_due(diagnosis.as_ref(), begun + Duration::from_secs(at))
    };
    assert!(!due(Some(Kind::NoNode), 0));
    assert!(!due(Some(Kind::NoNode), 30));
    // If they follow each other, even with a short gap, they are one wait.
    assert!(!due(Some(Kind::VolumeNotMade), 31));
    assert!(!due(None, 32));
    assert!(!due(Some(Kind::VolumeNotMade), 50));
    assert!(due(Some(Kind::VolumeNotMade), 60));
    // After a long time without a report, a new wait begins.
    assert!(!due(Some(Kind::NoNode), 300));
    assert!(!due(Some(Kind::NoNode), 350));
    assert!(due(Some(Kind::NoNode), 360));
    let waited = |kind| debounce.waited(&of(kind), begun + Duration::from_mins(6));
    assert_eq!(waited(Kind::NoNode), Some(60));
    assert_eq!(waited(Kind::ImageNotPulled), None);
}

#[test]
fn what_is_not_set_is_waited_for_by_kind() {
    for (kind, seconds) in [
        (Kind::NoNode, GRACE.as_secs()),
        (Kind::VolumeMissing, GRACE.as_secs()),
        (Kind::Unanswering, GRACE.as_secs()),
        (Kind::VolumeNotMade, 20),
        (Kind::NetworkNotReady, 60),
        // A volume that is still attached to another node is reported once, and is released a
        // minute later.
        (Kind::VolumeNotAttached, 120),
        (Kind::NodeIsFreed, 120),
        (Kind::NodeStarts, 300),
    ] {
        let (mut debounce, begun) = debounce(None, HOUR);
        let mut due = |at: u64| debounce.is_due(Some(&of(kind)), begun + Duration::from_secs(at));
        assert!(!due(0), "{kind:?}");
        assert!(!due(seconds - 1), "{kind:?}");
        assert!(due(seconds), "{kind:?}");
    }
}

#[test]
fn a_start_is_waited_for_as_long_as_it_may_take() {
    let start = of(Kind::Unanswered);
    for (set, limit, named) in [(None, 600, 180), (Some(20), 600, 20), (Some(20), 10, 8)] {
        let (mut debounce, begun) = debounce(None, Duration::from_secs(limit));
        debounce.wait_policy.starting = set.map(Duration::from_secs);
        let mut lasts = |at: u64| debounce.is_due(Some(&start), begun + Duration::from_secs(at));
        assert!(!lasts(0));
        assert!(!lasts(named - 1));
        assert!(lasts(named));
        let at = begun + Duration::from_secs(named);
        assert_eq!(debounce.waited(&start, at), Some(named));
    }
}

#[test]
fn the_diagnosis_is_named_before_the_time_for_everything_is_over() {
    let (mut debounce, begun) = debounce(Some(600), Duration::from_secs(30));
    let node = of(Kind::NoNode);
    assert!(!debounce.is_due(Some(&node), begun));
    assert!(!debounce.is_due(Some(&node), begun + Duration::from_secs(27)));
    assert!(debounce.is_due(Some(&node), begun + Duration::from_secs(28)));
}

#[test]
fn a_node_that_comes_is_waited_for() {
    let (mut debounce, begun) = debounce(None, HOUR);
    let node = of(Kind::NoNode);
    let at = |seconds| begun + Duration::from_secs(seconds);
    assert!(!debounce.is_due(Some(&node), at(0)));
    assert!(debounce.is_due(Some(&node), at(8)));
    assert!(debounce.may_ask(&node, at(8)));
    assert!(!debounce.may_ask(&of(Kind::ImageNotPulled), at(8)));
    debounce.answer(true);
    assert!(!debounce.may_ask(&node, at(8)));
    assert!(!debounce.is_due(Some(&node), at(8)));
    assert!(!debounce.is_due(Some(&node), at(150)));
    assert!(!debounce.is_due(Some(&node), at(299)));
    assert!(debounce.is_due(Some(&node), at(300)));

    let said = |reason: &str| {
        [
            event("Scheduled", "", json!({})),
            event(reason, "", json!({})),
        ]
    };
    assert!(comes(&said("TriggeredScaleUp")));
    assert!(comes(&said("Nominated")));
    assert!(comes(&said("ExternalProvisioning")));
    assert!(!comes(&said("NotTriggerScaleUp")));
}
