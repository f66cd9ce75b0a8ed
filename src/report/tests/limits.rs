//! How large a report may get, and how long it may take.

use std::time::{Duration, Instant};

use super::*;

/// Every metric of every round has a value with 17 digits.
fn run(count: u32, metrics: u32, sources: usize) -> Progress {
    let record = |round: u32| {
        let values = (0..metrics).map(|metric| {
            let value = (f64::from(round) * 0.013 + f64::from(metric)).sin() / 3.0;
            format!("'metric-{metric}': {value:?}")
        });
        format!("{{{}}}", values.collect::<Vec<_>>().join(", "))
    };
    rounds((1..=count).map(|round| {
        std::array::from_fn(|source| {
            if source < sources {
                record(round)
            } else {
                String::new()
            }
        })
    }))
}

#[test]
fn a_report_stays_small_and_quick() {
    // The times are ten times those of a release build: this is for a debug build on a busy machine.
    for (rounds, metrics, sources, most, milliseconds) in [
        (500, 8, 1, 400_000, 200),
        (500, 8, 3, 400_000, 400),
        (1000, 64, 1, 600_000, 1000),
        (1000, 64, 3, 600_000, 2000),
    ] {
        let progress = run(rounds, metrics, sources);
        let report = report(&progress);
        let began = Instant::now();
        let html = report.html();
        let took = began.elapsed();
        assert!(
            html.len() <= most,
            "{rounds} x {metrics}: {} bytes",
            html.len()
        );
        assert!(
            took < Duration::from_millis(milliseconds),
            "{rounds} x {metrics}: {took:?}"
        );
        let page = read(&html);
        assert!(page.count("svg") <= curves::MOST_PLOTS);
        assert!(report.markdown().len() < 20_000);
    }
}

#[test]
fn a_thousand_rounds_keep_their_ends_and_peaks() {
    let values: Vec<_> = (1..=1000_u32)
        .map(|round| match round {
            137 => "99.5".to_owned(),
            681 => "-99.5".to_owned(),
            500 => "nan".to_owned(),
            round => format!("{:?}", f64::from(round) / 1000.0),
        })
        .collect();
    let values: Vec<_> = values.iter().map(String::as_str).collect();
    let page = page(&trained(&values));
    let points = page.values("data-value");
    assert!(points.len() <= points::MOST_POINTS, "{}", points.len());
    for kept in ["0.001", "99.5", "-99.5", "1.0"] {
        assert!(points.contains(&kept), "{kept}");
    }
    let gaps = page
        .values("d")
        .iter()
        .filter(|d| d.contains('L') && d.matches('M').count() == 2)
        .count();
    assert_eq!(gaps, 1);
    for words in [
        "800 earlier rounds are not in this table.",
        "the last 200 rounds",
        "Of 999 values, the line",
    ] {
        assert!(page.text.contains(words), "{words}");
    }
}

#[test]
fn what_is_left_out_is_told() {
    let lines: String = (1..=1005).fold(String::new(), |mut log, round| {
        writeln!(
            log,
            "INFO :      [ROUND {round}]\nINFO :      MetricRecord: {{'m{round}': 1, 'text': 'x'}}"
        )
        .unwrap();
        log
    });
    let progress = progress(&lines);
    let page = page(&progress);
    for words in [
        "5 earlier rounds are not kept",
        "112 more metrics stand only in the table of last values.",
        "872 more names are not shown.",
        "1000 reported values are not shown",
    ] {
        assert!(page.text.contains(words), "{words}");
    }
    let markdown = report(&progress).markdown();
    for words in [
        "The last 20 of 1000 rounds.",
        "936 more metrics are not shown.",
    ] {
        assert!(markdown.contains(words), "{words}");
    }
}

#[test]
fn many_nodes_values_failures_and_lines_are_cut() {
    let nodes: Vec<_> = (0..1000)
        .map(|id| Node {
            id: NodeId(id),
            name: None,
            location: None,
            state: "online",
        })
        .collect();
    let configuration: Vec<_> = (0..1000)
        .map(|key| (format!("key-{key}"), "x".repeat(5000)))
        .collect();
    let log: Vec<_> = (0..100_000).map(|line| format!("line {line}")).collect();
    let failed = "INFO :      \t> Received error in reply from node 7: no data\n".repeat(90);
    let round = |number| {
        format!(
            "INFO :      [ROUND {number}]\nINFO :      configure_train: Sampled 90 nodes (out of 90)\n\
             INFO :      aggregate_train: Received 0 results and 90 failures\n{failed}"
        )
    };
    let progress = progress(&(1..=10).map(round).collect::<Vec<_>>().concat());
    let report = Report {
        nodes: &nodes,
        configuration: &configuration,
        log: &log,
        ..report(&progress)
    };
    let html = report.html();
    assert!(html.len() < 300_000, "{}", html.len());
    let page = read(&html);
    for words in [
        "800 more nodes are not in this table.",
        "800 more values are not in this table.",
        "the last 200 of 900",
        "The last 200 lines that the run wrote.",
        "line 99999",
    ] {
        assert!(page.text.contains(words), "{words}");
    }
    let wide = vec!["&".repeat(10_000); 500];
    assert!(
        Report {
            log: &wide,
            ..report
        }
        .html()
        .len()
            < 350_000
    );
}
