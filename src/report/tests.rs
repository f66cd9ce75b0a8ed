mod checker;
mod hostile;
mod limits;
mod look;

use std::fmt::Write as _;

use super::*;
use crate::flower::progress::ProgressReader;
use checker::{Page, read};

/// The log of a strategy of Flower.
macro_rules! log {
    ($name:literal) => {
        crate::terminal::uncoloured(include_str!(concat!(
            "../flower/progress/testdata/flwr-",
            $name,
            ".log"
        )))
    };
}

fn progress(log: &str) -> Progress {
    let mut reader = ProgressReader::default();
    reader.add(log, None);
    reader.end()
}

/// The run whose last round has no result.
fn failing() -> Progress {
    progress(&log!("1.42.0-failing-fedavg"))
}

/// A log in which each round reports these records for the training, the evaluation and the server.
fn rounds(records: impl IntoIterator<Item = [String; 3]>) -> Progress {
    let mut log = String::new();
    for (index, [train, evaluate, server]) in records.into_iter().enumerate() {
        writeln!(log, "INFO :      [ROUND {}]", index + 1).unwrap();
        for (phase, record) in [("train", train), ("evaluate", evaluate)] {
            writeln!(
                log,
                "INFO :      configure_{phase}: Sampled 2 nodes (out of 3)\n\
                 INFO :      aggregate_{phase}: Received 2 results and 0 failures"
            )
            .unwrap();
            if !record.is_empty() {
                writeln!(log, "INFO :      \t└──> Aggregated MetricRecord: {record}").unwrap();
            }
        }
        if !server.is_empty() {
            writeln!(log, "INFO :      \t└──> MetricRecord: {server}").unwrap();
        }
    }
    progress(&log)
}

/// Rounds with one metric from the training.
fn trained(values: &[&str]) -> Progress {
    let records = values.iter().map(|value| format!("{{'loss': {value}}}"));
    rounds(records.map(|record| [record, String::new(), String::new()]))
}

/// A report in which only the progress is of interest.
fn report(progress: &Progress) -> Report<'_> {
    Report {
        run: Run {
            id: "7283910284719283746",
            status: "finished",
            sub_status: Some("completed"),
            details: "",
            pending_at: Some("2026-11-24T10:00:00.5+00:00"),
            running_at: Some("2026-11-24T10:00:04.5+00:00"),
            finished_at: Some("2026-11-24T11:01:16Z"),
        },
        superlink: SuperLink {
            url: "superlink.example:9093",
            flower_version: Some("1.42.0"),
        },
        app: App {
            name: "acme/x-ray",
            version: "1.3.0",
            fab_hash: "9f86d081",
        },
        configuration: &[],
        nodes: &[],
        usage: None,
        progress,
        log: &[],
        written_by: "a test",
        written_at: "2026-11-24T11:02:00Z",
    }
}

/// Compares the page, without its style, and the Markdown with the files in `snapshots`.
fn snapshots(name: &str, report: &Report<'_>) {
    let html = report.html();
    let body = &html[html.find("<body>").unwrap()..];
    // The files are named as here, whatever the crate is called.
    insta::with_settings!({ prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(format!("{name}.html"), body);
        insta::assert_snapshot!(format!("{name}.md"), report.markdown());
    });
}

fn page(progress: &Progress) -> Page {
    read(&report(progress).html())
}

#[test]
fn a_report_has_all_sections() {
    let progress = failing();
    let nodes = [
        Node {
            id: NodeId(1_234_567_890_123_456_789),
            name: Some("hospital-a"),
            location: Some("Tübingen"),
            state: "online",
        },
        Node {
            id: NodeId(7),
            name: None,
            location: None,
            state: "offline",
        },
    ];
    let configuration = [("lr".to_owned(), "0.1".to_owned())];
    let log = ["first".to_owned(), "\tlast".to_owned()];
    let report = Report {
        nodes: &nodes,
        configuration: &configuration,
        log: &log,
        usage: Some(Usage {
            bytes_sent: 12_345_678,
            bytes_received: 999,
            clientapp_seconds: 72.4,
        }),
        ..report(&progress)
    };
    read(&report.html());
    snapshots("report", &report);
}

#[test]
fn without_data_each_section_says_why() {
    let progress = Progress::default();
    let report = Report {
        run: Run {
            id: "1",
            status: "pending",
            sub_status: None,
            details: "",
            pending_at: None,
            running_at: None,
            finished_at: None,
        },
        ..report(&progress)
    };
    assert_eq!(read(&report.html()).count("table"), 0);
    snapshots("empty-report", &report);
}

#[test]
fn the_headline_tells_of_a_round_without_a_result() {
    let fruitless = failing();
    let fruitful = trained(&["0.5"]);
    let headline = |progress: &Progress, status, sub_status| {
        let report = report(progress);
        let run = Run {
            status,
            sub_status,
            ..report.run
        };
        summary::headline(&Report { run, ..report }).status
    };
    let completed = Some("completed");
    assert_eq!(headline(&fruitful, "finished", completed), "Completed");
    assert_eq!(
        headline(&fruitless, "finished", completed),
        "Completed – the last round had no result"
    );
    let doubts = [
        (
            trained(&["0.5", "nan"]),
            "the last metrics are not all numbers",
        ),
        (Progress::default(), "nothing is known of its rounds"),
        (
            progress(
                log!("1.42.0-failing-fedavg")
                    .split("[ROUND 3/3]")
                    .next()
                    .unwrap(),
            ),
            "some nodes failed",
        ),
    ];
    for (progress, doubt) in doubts {
        assert_eq!(
            headline(&progress, "finished", completed),
            format!("Completed – {doubt}")
        );
        assert_eq!(headline(&progress, "running", None), "Running");
    }
    assert_eq!(
        headline(&fruitful, "finished", Some("stopped")),
        "Stopped before its end"
    );
    assert_eq!(
        headline(&fruitful, "finished", Some("merged")),
        "Finished: merged"
    );
    assert_eq!(headline(&fruitful, "queued", None), "queued");
    assert!(headline(&fruitful, "lost", None).starts_with("Lost: "));
    let html = report(&fruitless).html();
    assert!(
        html.contains("None of the 2 nodes asked in round 3 returned a result."),
        "{html}"
    );
}

#[test]
fn a_run_that_waits_for_nodes_says_so_until_it_ends() {
    let log = log!("1.42.0-waiting-fedavg");
    let end = log.find("Waiting for nodes").unwrap();
    let end = end + log[end..].find('\n').unwrap() + 1;
    let waits = progress(&log[..end]);
    let words = "The ServerApp waits for nodes: 1 connected, 2 required.";
    assert!(!report(&waits).html().contains(words));
    let base = report(&waits);
    let run = Run {
        status: "running",
        sub_status: None,
        finished_at: None,
        ..base.run
    };
    let running = Report { run, ..base };
    assert!(running.html().contains(words));
    assert!(
        running
            .html()
            .contains("<dt>Has run for</dt><dd>1 h 1 min</dd>")
    );
}

#[test]
fn values_that_are_no_numbers_leave_gaps() {
    let progress = trained(&["0.5", "nan", "0.4", "0.3", "inf", "-inf", "0.2"]);
    let html = report(&progress).html();
    let page = read(&html);
    assert_eq!(page.values("data-value"), ["0.5", "0.4", "0.3", "0.2"]);
    let line = page
        .values("d")
        .into_iter()
        .find(|d| d.matches('M').count() == 3 && d.contains('L'));
    assert_eq!(line.unwrap().matches('L').count(), 1);
    assert!(
        page.text.contains(
            "train: not drawn: NaN in round 2, infinity in round 5, -infinity in round 6."
        ),
        "{}",
        page.text
    );
    let none = super::tests::page(&trained(&["nan", "nan"]));
    assert_eq!((none.count("svg"), none.values("data-value").len()), (0, 0));
    assert!(none.text.contains("NaN"));
}

#[test]
fn every_finite_value_is_a_point_with_its_exact_value() {
    let value = |at: u32| format!("{{'loss': {:?}, 'n': {at}}}", f64::from(at).sqrt());
    let progress = rounds((1..=30).map(|at| [value(at), value(at + 100), value(at + 200)]));
    let page = page(&progress);
    let points = page.values("data-value");
    assert_eq!(points.len(), 30 * 3 * 2);
    for at in 1..=30 {
        let root = format!("{:?}", f64::from(at).sqrt());
        assert!(points.contains(&root.as_str()), "{root}");
        assert!(points.contains(&(at + 200).to_string().as_str()), "{at}");
    }
    assert_eq!(page.count("svg"), 2);
}

#[test]
fn one_round_is_one_mark() {
    let page = page(&trained(&["0.25"]));
    assert_eq!(page.values("data-value"), ["0.25"]);
    assert_eq!(
        page.values("d").iter().filter(|d| d.contains('L')).count(),
        0
    );
    assert!(page.text.contains("train, round 1: 0.25"));
}

#[test]
fn magnitudes_do_not_matter() {
    for values in [
        ["3.0", "3.0", "3.0"],
        ["0", "0", "0"],
        ["-1e308", "0.0", "1e308"],
        ["1e300", "2e300", "-3e300"],
        ["1e-12", "-2e-12", "3e-12"],
        ["5e-324", "0.0", "5e-324"],
        ["9223372036854775807", "-9223372036854775808", "1"],
        ["0.1", "0.10000000000000002", "0.1"],
    ] {
        let html = report(&trained(&values)).html();
        let page = read(&html);
        assert_eq!(page.values("data-value").len(), 3, "{values:?}");
        for d in page.values("d") {
            assert!(!d.contains("NaN") && !d.contains("inf"), "{values:?}: {d}");
            let numbers = d.split(|c: char| !(c.is_ascii_digit() || c == '.'));
            let numbers = numbers.filter_map(|number| number.parse::<f64>().ok());
            assert!(
                numbers.into_iter().all(|number| number <= 360.0),
                "{values:?}: {d}"
            );
        }
    }
}

#[test]
fn rounds_of_several_strategies_are_told_apart() {
    let one = "INFO :      Starting FedAvg strategy:\nINFO :      [ROUND 1/2]\n\
               INFO :      \t└──> MetricRecord: {'loss': 2}\nINFO :      [ROUND 2/2]\n\
               INFO :      \t└──> MetricRecord: {'loss': 1}\n";
    let progress = progress(&(one.to_owned() + &one.replace("FedAvg", "Krum")));
    let page = page(&progress);
    for words in [
        "rounds in the order of the log",
        "server, round Krum 2: 1",
        "Strategy",
    ] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    let markdown = report(&progress).markdown();
    assert!(
        markdown.contains("| loss | server | 1 | Krum 2 |"),
        "{markdown}"
    );
}

#[test]
fn failures_without_names_are_counted() {
    let progress = progress(&log!("1.42.0-failing-fedavg-legacy"));
    let page = page(&progress);
    assert!(
        page.text.contains("without node and reason"),
        "{}",
        page.text
    );
}
