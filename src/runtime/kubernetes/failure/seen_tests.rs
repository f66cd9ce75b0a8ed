//! How long which trouble is waited for.

use serde_json::json;

use super::seen::{Attaches, GRACE, Seen, node_comes};
use super::tests::event;
use super::*;

const HOUR: Duration = Duration::from_hours(1);

fn trouble(what: &str, words: &str) -> Trouble {
    Trouble {
        process: "pod".to_owned(),
        what: what.to_owned(),
        words: words.to_owned(),
        advice: None,
        outlook: match what {
            "crash" => Outlook::Lasting,
            "node" | "volume" => Outlook::Placing,
            "start" => Outlook::Starting,
            _ => Outlook::Passing,
        },
        log_of: None,
        claims: Vec::new(),
    }
}

fn seen(scheduling: Option<u64>, limit: Duration) -> (Seen, Instant) {
    let begun = Instant::now();
    let patience = Patience {
        scheduling: scheduling.map(Duration::from_secs),
        starting: None,
        until: begun + limit,
    };
    (Seen::new(patience), begun)
}

#[test]
fn what_may_pass_must_last_and_its_words_may_change() {
    let (mut seen, begun) = seen(None, HOUR);
    let mut lasts = |what: &str, words: &str, at: u32| {
        let trouble = (!what.is_empty()).then(|| trouble(what, words));
        seen.lasts(trouble.as_ref(), begun + GRACE / 2 * at)
    };
    assert!(lasts("crash", "", 0));
    assert!(!lasts("pull", "ErrImagePull", 0));
    assert!(!lasts("pull", "ImagePullBackOff", 1));
    assert!(lasts("pull", "ErrImagePull", 2));
    assert!(!lasts("mount", "", 2));
    assert!(!lasts("", "", 4));
    assert!(!lasts("mount", "", 4));
    // So it is with nodes and volumes, where nothing else was set.
    assert!(!lasts("node", "", 5));
    assert!(!lasts("node", "", 6));
    assert!(lasts("node", "", 7));
}

#[test]
fn nodes_and_volumes_are_waited_for_as_long_as_was_set() {
    let (mut seen, begun) = seen(Some(60), HOUR);
    let mut lasts = |what: &str, at: u64| {
        let trouble = (!what.is_empty()).then(|| trouble(what, ""));
        seen.lasts(trouble.as_ref(), begun + Duration::from_secs(at))
    };
    assert!(!lasts("node", 0));
    assert!(!lasts("node", 30));
    // One after the other, and with a moment between them, they are waited for together.
    assert!(!lasts("volume", 31));
    assert!(!lasts("", 32));
    assert!(!lasts("volume", 50));
    assert!(lasts("volume", 60));
    // Other things are not.
    assert!(!lasts("pull", 61));
    assert!(lasts("pull", 69));
    // After a long time without a word it is another wait.
    assert!(!lasts("node", 300));
    assert!(!lasts("node", 350));
    assert!(lasts("node", 360));
    let waited = |what: &str| seen.waited(&trouble(what, ""), begun + Duration::from_mins(6));
    assert_eq!(waited("node"), Some(60));
    assert_eq!(waited("pull"), None);
}

#[test]
fn a_start_is_waited_for_as_long_as_it_may_take() {
    let start = trouble("start", "");
    for (set, limit, named) in [(None, 600, 180), (Some(20), 600, 20), (Some(20), 10, 8)] {
        let (mut seen, begun) = seen(None, Duration::from_secs(limit));
        seen.patience.starting = set.map(Duration::from_secs);
        let mut lasts = |at: u64| seen.lasts(Some(&start), begun + Duration::from_secs(at));
        assert!(!lasts(0));
        assert!(!lasts(named - 1));
        assert!(lasts(named));
        let at = begun + Duration::from_secs(named);
        assert_eq!(seen.waited(&start, at), Some(named));
    }
}

#[test]
fn the_trouble_is_named_before_the_time_for_everything_is_over() {
    let (mut seen, begun) = seen(Some(600), Duration::from_secs(30));
    let node = trouble("node", "");
    assert!(!seen.lasts(Some(&node), begun));
    assert!(!seen.lasts(Some(&node), begun + Duration::from_secs(27)));
    assert!(seen.lasts(Some(&node), begun + Duration::from_secs(28)));
}

#[test]
fn a_node_that_comes_is_waited_for() {
    let (mut seen, begun) = seen(None, HOUR);
    let node = trouble("node", "");
    let at = |seconds| begun + Duration::from_secs(seconds);
    assert!(!seen.lasts(Some(&node), at(0)));
    assert!(seen.lasts(Some(&node), at(8)));
    assert!(seen.may_ask(&node, at(8)));
    assert!(!seen.may_ask(&trouble("pull", ""), at(8)));
    seen.answer(true);
    assert!(!seen.may_ask(&node, at(8)));
    assert!(!seen.lasts(Some(&node), at(8)));
    assert!(!seen.lasts(Some(&node), at(150)));
    assert!(!seen.lasts(Some(&node), at(299)));
    assert!(seen.lasts(Some(&node), at(300)));

    let said = |reason: &str| {
        [
            event("Scheduled", "", json!({})),
            event(reason, "", json!({})),
        ]
    };
    assert!(node_comes(&said("TriggeredScaleUp")));
    assert!(node_comes(&said("Nominated")));
    assert!(!node_comes(&said("NotTriggerScaleUp")));
}

#[test]
fn an_attach_that_is_not_tried_again_is_forgotten() {
    let of = |reason: &str, message: &str, version: &str| {
        let metadata = json!({ "name": reason, "resourceVersion": version });
        event(reason, message, json!({ "metadata": metadata }))
    };
    let all = |version: &str| {
        by_name(vec![
            of("FailedAttachVolume", "Multi-Attach error", version),
            of("FailedMount", "secret \"x\" not found", version),
        ])
    };
    let mut attaches = Attaches::default();
    let begun = Instant::now();
    let mut left = |version: &str, at: u64| {
        let mut events = all(version);
        attaches.forget_aged(&mut events, begun + Duration::from_secs(at));
        events.into_keys().collect::<Vec<_>>()
    };
    let both = ["FailedAttachVolume", "FailedMount"];
    assert_eq!(left("1", 0), both);
    assert_eq!(left("1", 29), both);
    // It is listed again, and is the same.
    assert_eq!(left("1", 30), ["FailedMount"]);
    assert_eq!(left("2", 31), both);
    assert_eq!(left("2", 60), both);
    assert_eq!(left("2", 61), ["FailedMount"]);
}
