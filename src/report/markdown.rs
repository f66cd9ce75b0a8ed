//! The report as GitHub flavoured Markdown, for the summary of a CI job.

use std::fmt::{self, Write as _};

use super::Report;
use super::markup::{NAME, Out, SENTENCE, line};
use super::numbers::{counted, duration, short};
use super::rounds::{failures, nodes_by_id};
use super::series::{Label, MetricSet, RoundNames};
use super::summary::{self, Fact, NO_METRICS, NO_ROUNDS, headline};
use super::times::{Shown, parse};
use crate::flower::progress::Phase;

/// How many rounds the table has: the last ones.
const MOST_ROUNDS: usize = 20;
/// How many failures the table has: the last ones.
const MOST_FAILURES: usize = 20;
/// How many SuperNodes are named.
const MOST_NAMES: usize = 20;
/// How many metrics the table has.
const MOST_METRICS: usize = 64;

/// Foreign text on one line that is only text in Markdown, in a table, too. Punctuation becomes
/// entities: they are never markup, and a `|` in one does not end a cell.
fn harmless(text: &str, most: usize) -> String {
    let text = line(text, most);
    let mut out = String::with_capacity(text.as_str().len());
    let mut before = None;
    let mut chars = text.as_str().chars().peekable();
    while let Some(c) = chars.next() {
        let after = chars.peek().copied();
        let digit = |c: char| c.is_ascii_digit();
        let between = |kind: fn(char) -> bool| before.is_some_and(kind) && after.is_some_and(kind);
        let ends_word = before.is_some_and(char::is_alphabetic) && after.is_none_or(|c| c == ' ');
        let plain = match c {
            // `0.5`, `12:30` and `my-app` stay readable in the source; `1.`, `www.`, `http:` and
            // `--` are markup.
            '.' | ':' => between(digit) || ends_word,
            '-' => between(char::is_alphanumeric),
            ',' | '/' | '\'' => true,
            c => !c.is_ascii_punctuation(),
        };
        if plain {
            out.push(c);
        } else {
            let _ = write!(out, "&#{};", u32::from(c));
        }
        // GitHub looks for mentions and references in the text that it has rendered. An invisible
        // character keeps it from finding a name or a number.
        if matches!(c, '@' | '#') {
            out.push_str("&#8203;");
        }
        before = Some(c);
    }
    out
}

/// Writes the report.
pub(super) fn markdown(report: &Report<'_>) -> String {
    let mut out = Out::with_capacity(8 << 10);
    heading(&mut out, report);
    facts(&mut out, report);
    rounds(&mut out, report);
    metrics(&mut out, report);
    failed(&mut out, report);
    let by = harmless(report.written_by, NAME);
    match parse(report.written_at) {
        Some(time) => writeln!(out, "\nWritten by {by} on {}.", Shown(time)),
        None => writeln!(
            out,
            "\nWritten by {by} at {}.",
            harmless(report.written_at, NAME)
        ),
    }
    out.into_string()
}

fn heading(out: &mut Out, report: &Report<'_>) {
    let headline = headline(report);
    let (app, version) = (
        harmless(report.app.name, 80),
        harmless(report.app.version, 40),
    );
    let status = harmless(&headline.status, NAME);
    writeln!(
        out,
        "## {} {app} {version}: {status}\n",
        headline.tone.sign()
    );
    if let Some(warning) = &headline.warning {
        writeln!(out, "**{}**\n", harmless(warning, SENTENCE));
    }
}

fn facts(out: &mut Out, report: &Report<'_>) {
    writeln!(out, "- Run: {}", harmless(report.run.id, NAME));
    for Fact { name, value, more } in summary::facts(report) {
        write!(out, "- {name}: {}", harmless(&value, SENTENCE));
        if let Some(more) = more {
            write!(out, " ({})", harmless(&more, SENTENCE));
        }
        out.push("\n");
    }
    let shown = report.nodes.iter().filter_map(|node| {
        let name = harmless(node.name?, 80);
        Some(format!("{name} ({})", harmless(node.state, 40)))
    });
    let mut names: Vec<_> = shown.collect();
    let more = names.len().saturating_sub(MOST_NAMES);
    names.truncate(MOST_NAMES);
    if !names.is_empty() {
        write!(out, "- SuperNodes: {}", names.join(", "));
        if more > 0 {
            write!(out, " and {more} more");
        }
        out.push("\n");
    }
    if let Some(version) = report.superlink.flower_version {
        writeln!(out, "- Flower: {}", harmless(version, NAME));
    }
    if !report.run.details.is_empty() {
        writeln!(
            out,
            "- Flower's details: {}",
            harmless(report.run.details, SENTENCE)
        );
    }
}

fn rounds(out: &mut Out, report: &Report<'_>) {
    let progress = report.progress;
    out.push("\n### Rounds\n\n");
    if !progress.is_known() {
        writeln!(out, "{NO_ROUNDS}");
        return;
    }
    let names = RoundNames::of(progress);
    let earlier = progress.rounds.len().saturating_sub(MOST_ROUNDS);
    if earlier > 0 {
        writeln!(
            out,
            "The last {MOST_ROUNDS} of {} rounds.\n",
            progress.rounds.len()
        );
    }
    out.push(
        "| Round | Time | Train: results | Failures | Evaluate: results | Failures | Outcome |\n\
         | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n",
    );
    for (index, round) in progress.rounds.iter().enumerate().skip(earlier) {
        let time = round.seconds.map_or_else(|| "–".to_owned(), duration);
        write!(out, "| {} | {time} ", round_name(&names.label(index)));
        for phase in [round.train.as_ref(), round.evaluate.as_ref()] {
            write!(out, "| {} | {} ", Results(phase), Failures(phase));
        }
        let outcome = summary::outcome(report, round);
        writeln!(out, "| {} |", outcome.words());
    }
    if let Some(omitted) = summary::omitted_rounds(report) {
        writeln!(out, "\n{omitted}");
    }
}

/// The number of a round, and its strategy where the number alone is ambiguous.
fn round_name(label: &Label<'_>) -> String {
    match &label.strategy {
        Some(strategy) => format!("{} {}", harmless(strategy.as_str(), NAME), label.number),
        None => label.number.to_string(),
    }
}

/// `8 of 10`: results of nodes asked.
struct Results<'a>(Option<&'a Phase>);

impl fmt::Display for Results<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.map(|phase| (phase.results, phase.sampled)) {
            Some((Some(results), Some(sampled))) => write!(f, "{results} of {sampled}"),
            Some((Some(results), None)) => write!(f, "{results}"),
            Some((None, Some(sampled))) => write!(f, "– of {sampled}"),
            Some((None, None)) | None => f.write_str("–"),
        }
    }
}

struct Failures<'a>(Option<&'a Phase>);

impl fmt::Display for Failures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.and_then(summary::phase_failures) {
            Some(failures) => write!(f, "{failures}"),
            None => f.write_str("–"),
        }
    }
}

fn metrics(out: &mut Out, report: &Report<'_>) {
    let set = MetricSet::of(report.progress);
    out.push("\n### Last metrics\n\n");
    if set.metrics.is_empty() {
        writeln!(out, "{NO_METRICS}");
        return;
    }
    out.push("| Metric | Source | Last | Round |\n| --- | --- | ---: | ---: |\n");
    let names = RoundNames::of(report.progress);
    for metric in set.metrics.iter().take(MOST_METRICS) {
        for series in &metric.series {
            let Some(last) = series.samples.last() else {
                continue;
            };
            let (name, source) = (harmless(metric.name, NAME), series.source.word());
            let (value, round) = (short(last.value), round_name(&names.label(last.round)));
            writeln!(out, "| {name} | {source} | {value} | {round} |");
        }
    }
    let more = set.metrics.len().saturating_sub(MOST_METRICS) + set.names_omitted;
    if more > 0 {
        let more = counted(more as u64, "more metric is", "more metrics are");
        writeln!(out, "\n{more} not shown.");
    }
}

fn failed(out: &mut Out, report: &Report<'_>) {
    let count = failures(report.progress).count();
    if count == 0 {
        return;
    }
    out.push("\n### Client failures\n\n");
    let earlier = count.saturating_sub(MOST_FAILURES);
    if earlier > 0 {
        writeln!(out, "The last {MOST_FAILURES} of {count}.\n");
    }
    out.push("| Round | Phase | Node | Reason |\n| ---: | --- | --- | --- |\n");
    let nodes = nodes_by_id(report);
    let names = RoundNames::of(report.progress);
    for failure in failures(report.progress).skip(earlier) {
        let round = round_name(&names.label(failure.round));
        let (id, phase) = (failure.failed.node, failure.phase);
        write!(out, "| {round} | {phase} | ");
        if let Some(name) = nodes.get(&id).and_then(|node| node.name) {
            write!(out, "{}, ", harmless(name, NAME));
        }
        writeln!(out, "{id} | {} |", harmless(&failure.failed.reason, 300));
    }
}
