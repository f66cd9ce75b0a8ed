use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::terminal::uncoloured;

/// The log of a strategy of Flower, as `testdata/capture.py` printed it.
macro_rules! log {
    ($name:literal) => {
        uncoloured(include_str!(concat!("testdata/flwr-", $name, ".log")))
    };
}

fn read(log: &str) -> Progress {
    let mut reader = ProgressReader::default();
    reader.add(log, None);
    reader.end()
}

fn info(messages: &[&str]) -> String {
    messages.iter().fold(String::new(), |mut log, message| {
        writeln!(log, "INFO :      {message}").unwrap();
        log
    })
}

/// The rounds on one line each.
fn told(progress: &Progress) -> String {
    let metrics = |metrics: &Metrics| {
        let values = metrics.iter().map(|(name, value)| match value {
            MetricValue::Int(int) => format!("{name}={int}"),
            MetricValue::Float(float) => format!("{name}={float:?}"),
        });
        let more = (metrics.omitted > 0).then(|| format!("+{}", metrics.omitted));
        values.chain(more).collect::<Vec<_>>().join(" ")
    };
    let mut text = String::new();
    for round in &progress.rounds {
        let name = round.strategy.as_deref().unwrap_or("-");
        let of = round.of.map(|of| format!("/{of}")).unwrap_or_default();
        let outcome = progress.outcome(round);
        write!(text, "{name} {}{of} {outcome:?}", round.number).unwrap();
        for (kind, phase) in round.phases() {
            let count = |count: Option<u32>| count.map_or("?".to_owned(), |n| n.to_string());
            write!(
                text,
                "\n  {kind:?}: {} of {} nodes, {} results, {} failures; {}",
                count(phase.sampled),
                count(phase.available),
                count(phase.results),
                count(phase.failures),
                metrics(&phase.metrics)
            )
            .unwrap();
            for failure in &phase.failed {
                write!(text, "\n    {}: {}", failure.node, failure.reason).unwrap();
            }
        }
        if !round.server_metrics.is_empty() {
            write!(text, "\n  server: {}", metrics(&round.server_metrics)).unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn a_log_of_the_message_api_is_read() {
    insta::assert_snapshot!(told(&read(&log!("1.42.0-message-fedavg"))));
}

#[test]
fn a_log_of_a_legacy_strategy_is_read() {
    insta::assert_snapshot!(told(&read(&log!("1.42.0-legacy-fedavg"))));
}

#[test]
fn failures_are_told_with_node_and_reason() {
    insta::assert_snapshot!(told(&read(&log!("1.42.0-failing-fedavg"))));
    insta::assert_snapshot!(told(&read(&log!("1.42.0-failing-fedavg-legacy"))));
}

#[test]
fn all_releases_and_strategies_tell_the_same() {
    let strategies = |log: &str, name: &str| told(&read(log)).replace(name, "FedAvg");
    let newest = told(&read(&log!("1.42.0-message-fedavg")));
    assert_eq!(told(&read(&log!("1.23.0-message-fedavg"))), newest);
    assert_eq!(
        strategies(&log!("1.29.0-message-fedprox"), "FedProx"),
        newest
    );
    assert_eq!(
        strategies(&log!("1.36.0-message-fedadam"), "FedAdam"),
        newest
    );
    assert_eq!(told(&read(&log!("1.42.0-waiting-fedavg"))), newest);
    let legacy = told(&read(&log!("1.42.0-legacy-fedavg")));
    assert_eq!(told(&read(&log!("1.15.2-legacy-fedavg"))), legacy);
    assert_eq!(told(&read(&log!("1.20.0-legacy-fedprox"))), legacy);
}

#[test]
fn the_wait_for_nodes_is_told_until_it_is_over() {
    let log = log!("1.42.0-waiting-fedavg");
    let waits = log.find("Waiting for nodes").unwrap();
    let end = waits + log[waits..].find('\n').unwrap() + 1;
    let mut reader = ProgressReader::default();
    reader.add(&log[..end], None);
    assert_eq!(
        reader.progress().waiting,
        Some(NodesAwaited {
            connected: 1,
            required: 2
        })
    );
    assert_eq!(reader.progress().waits, 1);
    reader.add(&log[end..], None);
    assert_eq!(reader.progress().waiting, None);
    // A legacy strategy waits without a word.
    let mut reader = ProgressReader::default();
    reader.add(&info(&["[ROUND 1]"]), None);
    assert!(reader.progress().waits_silently());
    reader.add(
        &info(&["configure_fit: strategy sampled 2 clients (out of 2)"]),
        None,
    );
    assert!(!reader.progress().waits_silently());
    // A strategy of the app's own may say nothing when it asks them.
    let mut reader = ProgressReader::default();
    reader.add(&info(&["[ROUND 1/3]"]), None);
    assert!(!reader.progress().waits_silently());
}

#[test]
fn an_app_that_logs_nothing_of_this_has_no_rounds() {
    let log = "hello\nINFO :      my own round 1\nINFO : [ROUND 1]\nround 1: 0.5\nERROR :     x\n";
    let progress = read(log);
    assert_eq!(progress, Progress::default());
    assert!(!progress.is_known());
}

#[test]
fn times_and_carriage_returns_do_not_matter() {
    let log = "INFO 2026-11-24 10:00:00,123:      [ROUND 1/2]\r\nINFO :      \
               configure_train: Sampled 1 nodes (out of 4)\r\n";
    assert_eq!(
        told(&read(log)),
        "- 1/2 Unknown\n  Train: 1 of 4 nodes, ? results, ? failures; \n"
    );
}

#[test]
fn two_strategies_in_one_app_follow_each_other() {
    let one = [
        "Starting FedAvg strategy:",
        "[ROUND 1/1]",
        "configure_train: Sampled 2 nodes (out of 2)",
        "aggregate_train: Received 2 results and 0 failures",
        "Strategy execution finished in 1.50s",
    ];
    let two = one.map(|line| line.replace("FedAvg", "Krum"));
    let progress = read(&(info(&one) + &info(&two.each_ref().map(String::as_str))));
    let names: Vec<_> = progress
        .rounds
        .iter()
        .map(|round| round.strategy.as_deref())
        .collect();
    assert_eq!(names, [Some("FedAvg"), Some("Krum")]);
    assert_eq!(progress.seconds, Some(3.0));
}

/// A round of two nodes, one of which failed with this text.
fn failing_with(reason: &str) -> Progress {
    let log = info(&[
        "Starting FedAvg strategy:",
        "[ROUND 1/2]",
        "configure_train: Sampled 2 nodes (out of 2)",
        "aggregate_train: Received 1 results and 1 failures",
        &format!("\t> Received error in reply from node 7: <class 'RuntimeError'>:<'{reason}'>"),
        "\t└──> Aggregated MetricRecord: {'loss': 0.5}",
        "configure_evaluate: Sampled 2 nodes (out of 2)",
        "aggregate_evaluate: Received 2 results and 0 failures",
        "[ROUND 2/2]",
        "configure_train: Sampled 2 nodes (out of 2)",
        "aggregate_train: Received 2 results and 0 failures",
        "Strategy execution finished in 1.00s",
    ]);
    read(&log)
}

#[test]
fn the_text_of_a_client_cannot_hide_its_failure() {
    assert!(!failing_with("boom").contradicts);
    for forged in [
        "aggregate_train: Received 2 results and 0 failures",
        "aggregate_evaluate: Received 2 results and 0 failures",
        "\t> Received error in reply from node 8: it was the other one",
        "[ROUND 2/2]",
        "[ROUND 2/2]\nINFO :      aggregate_train: Received 0 results and 2 failures",
        "configure_train: Sampled 0 nodes (out of 0)",
        "Strategy execution finished in 1.00s",
    ] {
        let progress = failing_with(&format!("x\nINFO :      {forged}\n"));
        let first = progress.rounds[0].train.as_ref().unwrap();
        assert_eq!(
            (first.results, first.failures),
            (Some(1), Some(1)),
            "{forged}"
        );
        assert_eq!(first.failed.len(), 1, "{forged}");
        assert_eq!(first.failed[0].node, NodeId(7), "{forged}");
        assert!(progress.contradicts, "{forged}");
    }
    // The true metrics follow.
    let progress = failing_with("x\nINFO :      Aggregated MetricRecord: {'loss': 0.0}\n");
    let metrics = &progress.rounds[0].train.as_ref().unwrap().metrics;
    assert_eq!(metrics.get("loss"), Some(MetricValue::Float(0.5)));
}

#[test]
fn a_reason_of_several_lines_is_kept() {
    let progress = failing_with("no\ndata\nat all");
    let train = progress.rounds[0].train.as_ref().unwrap();
    assert_eq!(
        train.failed[0].reason,
        "<class 'RuntimeError'>:<'no\ndata\nat all'>"
    );
    assert!(!progress.contradicts);
    let endless = failing_with(&"a line\n".repeat(1000));
    let train = endless.rounds[0].train.as_ref().unwrap();
    assert!(train.failed[0].reason.chars().count() < 600);
}

#[test]
fn rounds_out_of_order_stay_in_the_order_of_the_log() {
    let progress = read(&info(&["[ROUND 3/3]", "[ROUND 1/3]", "[ROUND 1/3]"]));
    let numbers: Vec<_> = progress.rounds.iter().map(|round| round.number).collect();
    assert_eq!(numbers, [3, 1, 1]);
}

#[test]
fn a_round_in_which_nobody_replied_had_no_result() {
    let asked = "configure_train: Sampled 2 nodes (out of 2)";
    let received = "aggregate_train: Received 2 results and 0 failures";
    let outcomes = |lines: &[&str]| {
        let progress = read(&info(lines));
        let rounds = progress.rounds.iter();
        rounds
            .map(|round| progress.outcome(round))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        outcomes(&["[ROUND 1/2]", asked, received, "[ROUND 2/2]", asked]),
        [Outcome::Results, Outcome::NoResult]
    );
    // A strategy of the app's own aggregates without a word.
    assert_eq!(
        outcomes(&["[ROUND 1/2]", asked, "[ROUND 2/2]", asked]),
        [Outcome::Unknown, Outcome::Unknown]
    );
    // Only evaluated.
    let skipped = "configure_fit: no clients selected, cancel";
    assert_eq!(
        outcomes(&[
            "[ROUND 1]",
            skipped,
            "configure_evaluate: strategy sampled 2 clients (out of 2)",
            "aggregate_evaluate: received 0 results and 2 failures",
        ]),
        [Outcome::NoResult]
    );
}

#[test]
fn metrics_are_exact_numbers_whatever_writes_them() {
    let metrics = |text: &str| {
        let round = info(&["[ROUND 1]", &format!("\t└──> MetricRecord: {text}")]);
        told(&read(&round))
            .lines()
            .nth(1)
            .map(|line| line.trim().to_owned())
    };
    assert_eq!(
        metrics(
            "{'a': 0.1, 'b': np.float32(0.25), 'c': -inf, 'd': nan, 'e': 9007199254740993, 'f': 1e-05}"
        )
        .unwrap(),
        "server: a=0.1 b=0.25 c=-inf d=NaN e=9007199254740993 f=1e-5"
    );
    assert_eq!(
        metrics("{'it\\'s': [1, 2.5], \"n\": {'x': (3,)}, 't': 'text', 'ok': True, 'no': None}")
            .unwrap(),
        "server: it's[0]=1 it's[1]=2.5 n.x[0]=3 ok=1 +1"
    );
    assert_eq!(
        metrics("{'a': array([1., 2.], dtype=float32), 't': tensor(0.5, device='cuda:0'), 'z': 1}")
            .unwrap(),
        "server: a[0]=1.0 a[1]=2.0 t=0.5 z=1"
    );
    assert_eq!(metrics("None"), None);
    assert_eq!(metrics("{}"), None);
    assert_eq!(
        metrics("{'cut': 0.5, 'off': 0.").unwrap(),
        "server: cut=0.5 off=0.0 +1"
    );
}

#[test]
fn a_record_of_a_million_numbers_is_cut() {
    let numbers = "0.5, ".repeat(1_000_000);
    let progress = read(&info(&[
        "[ROUND 1]",
        &format!("MetricRecord: {{'a': 1, 'b': [{numbers}]}}"),
    ]));
    let metrics = &progress.rounds[0].server_metrics;
    assert_eq!(metrics.iter().len(), 64);
    assert!(metrics.omitted > 0);
}

#[test]
fn only_the_last_rounds_are_kept() {
    let lines: Vec<_> = (1..=MOST_ROUNDS + 5)
        .map(|n| format!("[ROUND {n}]"))
        .collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let progress = read(&info(&lines));
    assert_eq!(progress.rounds.len(), MOST_ROUNDS);
    assert_eq!(progress.rounds_omitted, 5);
    assert_eq!(progress.rounds[0].number, 6);
}

#[test]
fn a_round_takes_the_time_between_the_pieces_it_began_and_ended_in() {
    let mut reader = ProgressReader::default();
    reader.add(&info(&["[ROUND 1/3]"]), Some(100.0));
    reader.add(&info(&["x"]), Some(103.0));
    reader.add(&info(&["[ROUND 2/3]"]), Some(112.5));
    reader.add(
        &info(&["[ROUND 3/3]", "Strategy execution finished in 20.00s"]),
        Some(120.0),
    );
    let progress = reader.end();
    let seconds: Vec<_> = progress.rounds.iter().map(|round| round.seconds).collect();
    assert_eq!(seconds, [Some(12.5), Some(7.5), None]);
    // A log that is read late comes in one piece.
    let mut reader = ProgressReader::default();
    reader.add(&info(&["[ROUND 1/3]", "[ROUND 2/3]"]), Some(100.0));
    reader.add(&info(&["[ROUND 3/3]"]), Some(101.0));
    let progress = reader.end();
    assert!(progress.rounds.iter().all(|round| round.seconds.is_none()));
}

#[test]
fn an_endless_line_and_a_huge_log_need_no_memory() {
    let mut reader = ProgressReader::default();
    reader.add("INFO :      [ROUND 1/1]\nINFO :      ", None);
    let piece = "x".repeat(1 << 20);
    for _ in 0..20 {
        reader.add(&piece, None);
    }
    let chat = "a line of the app\n".repeat(50_000);
    for _ in 0..20 {
        reader.add(&chat, None);
    }
    assert!(reader.memory() < 1 << 18, "{}", reader.memory());
    assert_eq!(reader.end().rounds.len(), 1);
}

proptest! {
    #[test]
    fn pieces_may_end_anywhere(ends in prop::collection::vec(0_usize..6000, 0..12), legacy: bool) {
        let log = if legacy { log!("1.42.0-legacy-fedavg") } else { log!("1.42.0-failing-fedavg") };
        let mut ends: Vec<_> = ends
            .into_iter()
            .map(|end| (end.min(log.len())..=log.len()).find(|end| log.is_char_boundary(*end)).unwrap())
            .collect();
        ends.sort_unstable();
        let mut reader = ProgressReader::default();
        let mut from = 0;
        for end in ends {
            reader.add(&log[from..end], None);
            from = end;
        }
        reader.add(&log[from..], None);
        let (pieces, whole) = (reader.end(), read(&log));
        prop_assert_eq!(told(&pieces), told(&whole));
        prop_assert_eq!(pieces.steps, whole.steps);
    }

    #[test]
    fn noise_is_read_to_its_end(
        lines in prop::collection::vec(
            ("(INFO|WARNING|ERROR) :      ", prop_oneof![
                "[\\[(]?(ROUND|SUMMARY|configure_train|aggregate_fit|MetricRecord|History|fit progress)[\\]:() ]{0,3}\\PC{0,40}",
                "MetricRecord: [\\[({'a0-9.,:)}\\]nif]{0,60}",
                "\\PC{0,80}",
            ]),
            0..40,
        ),
    ) {
        let lines: Vec<_> = lines.into_iter().map(|(level, text)| level + &text).collect();
        let log = lines.join("\n");
        let progress = read(&log);
        prop_assert!(progress.rounds.len() <= 40);
    }
}
