//! The sections on rounds and on the failures of the clients.

use std::collections::HashMap;

use super::markup::{CLOSE_TABLE, Out, SENTENCE, line, name, note, open_section, open_table};
use super::numbers::{counted, duration};
use super::series::RoundNames;
use super::summary::{self, NO_ROUNDS};
use super::{Node, Report};
use crate::flower::control::NodeId;
use crate::flower::progress::{ClientFailure, Phase, PhaseKind, Progress, Round};

/// How many rounds the table has: the last ones.
const MOST_ROUNDS: usize = 200;
/// How many failures the table has: the last ones.
const MOST_FAILURES: usize = 200;

/// Writes the section on rounds.
pub(super) fn section(out: &mut Out, report: &Report<'_>) {
    let progress = report.progress;
    open_section(out, "rounds", "Rounds");
    if progress.is_known() {
        table(out, report);
        let earlier = progress.rounds.len().saturating_sub(MOST_ROUNDS);
        if earlier > 0 {
            let earlier = counted(earlier as u64, "earlier round is", "earlier rounds are");
            note(out, format_args!("{earlier} not in this table."));
        }
        legend(out, progress);
    } else {
        note(out, format_args!("{NO_ROUNDS}"));
    }
    if let Some(omitted) = summary::omitted_rounds(report) {
        note(out, format_args!("{omitted}"));
    }
    out.push("</section>\n");
}

/// What the table of rounds has beside the fixed columns.
#[derive(Debug, Clone, Copy)]
struct Columns {
    strategies: bool,
    times: bool,
}

impl Columns {
    fn of(report: &Report<'_>) -> Self {
        let rounds = &report.progress.rounds;
        let mut strategies = rounds.iter().map(|round| &round.strategy);
        let first = strategies.next();
        Self {
            strategies: strategies.any(|strategy| Some(strategy) != first),
            times: rounds.iter().any(|round| round.seconds.is_some()),
        }
    }
}

fn table(out: &mut Out, report: &Report<'_>) {
    let progress = report.progress;
    let columns = Columns::of(report);
    let caption = "What the clients did in each round";
    open_table(
        out,
        "rounds-table",
        format_args!("{caption}"),
        "numbers rounds",
    );
    heads(out, columns);
    let earlier = progress.rounds.len().saturating_sub(MOST_ROUNDS);
    for round in progress.rounds.iter().skip(earlier) {
        row(out, report, round, columns);
    }
    out.push(CLOSE_TABLE);
}

fn heads(out: &mut Out, columns: Columns) {
    let single = 2 + usize::from(columns.strategies) + usize::from(columns.times);
    writeln!(
        out,
        "<colgroup span=\"{single}\"></colgroup><colgroup span=\"3\"></colgroup>\
         <colgroup span=\"3\"></colgroup>"
    );
    out.push("<thead><tr>");
    for heading in ["Round", "Outcome"] {
        write!(out, "<th scope=\"col\" rowspan=\"2\">{heading}</th>");
    }
    if columns.strategies {
        out.push("<th scope=\"col\" rowspan=\"2\">Strategy</th>");
    }
    if columns.times {
        out.push("<th scope=\"col\" rowspan=\"2\" class=\"number\">Time</th>");
    }
    for phase in ["Train", "Evaluate"] {
        write!(
            out,
            "<th scope=\"colgroup\" colspan=\"3\" class=\"group\">{phase}</th>"
        );
    }
    out.push("</tr>\n<tr>");
    for heading in ["Sampled", "Results", "Failures"].repeat(2) {
        write!(out, "<th scope=\"col\" class=\"number\">{heading}</th>");
    }
    out.push("</tr></thead>\n<tbody>\n");
}

fn row(out: &mut Out, report: &Report<'_>, round: &Round, columns: Columns) {
    let outcome = summary::outcome(report, round);
    let (class, words) = (outcome.class(), outcome.words());
    let number = round.number;
    write!(
        out,
        "<tr><th scope=\"row\">{number}</th><td class=\"text {class}\">{words}</td>"
    );
    if columns.strategies {
        let strategy = round.strategy.as_deref().unwrap_or("–");
        write!(out, "<td class=\"text\">{}</td>", name(strategy));
    }
    if columns.times {
        match round.seconds {
            Some(seconds) => {
                write!(
                    out,
                    "<td title=\"{seconds:?} s\">{}</td>",
                    duration(seconds)
                );
            }
            None => out.push("<td>–</td>"),
        }
    }
    for kind in [PhaseKind::Train, PhaseKind::Evaluate] {
        phase_cells(out, round.phase(kind));
    }
    out.push("</tr>\n");
}

fn phase_cells(out: &mut Out, phase: Option<&Phase>) {
    let Some(phase) = phase else {
        out.push("<td>–</td><td>–</td><td>–</td>");
        return;
    };
    match (phase.sampled, phase.available) {
        (Some(sampled), Some(available)) => write!(out, "<td>{sampled} of {available}</td>"),
        (sampled, _) => count_cell(out, sampled.map(u64::from)),
    }
    count_cell(out, phase.results.map(u64::from));
    match summary::phase_failures(phase) {
        Some(failures) if failures > 0 => write!(out, "<td class=\"bad\">{failures}</td>"),
        failures => count_cell(out, failures),
    }
}

fn count_cell(out: &mut Out, count: Option<u64>) {
    match count {
        Some(count) => write!(out, "<td>{count}</td>"),
        None => out.push("<td>–</td>"),
    }
}

fn legend(out: &mut Out, progress: &Progress) {
    let begins = progress.rounds.iter().any(|round| round.number == 0);
    let zero = if begins {
        " Round 0 is the evaluation before the first round."
    } else {
        ""
    };
    note(
        out,
        format_args!(
            "Sampled is how many of the connected nodes were asked. – means that the log does not tell.{zero}"
        ),
    );
}

/// Which client failed, when.
pub(super) struct Failure<'a> {
    /// The index of the round in [`Progress::rounds`].
    pub(super) round: usize,
    pub(super) phase: &'static str,
    pub(super) failed: &'a ClientFailure,
}

/// The failures that the log names.
pub(super) fn failures(progress: &Progress) -> impl Iterator<Item = Failure<'_>> {
    progress
        .rounds
        .iter()
        .enumerate()
        .flat_map(|(index, round)| {
            round.phases().flat_map(move |(kind, phase)| {
                phase.failed.iter().map(move |failed| Failure {
                    round: index,
                    phase: kind.as_str(),
                    failed,
                })
            })
        })
}

/// The nodes by their IDs, for the names of those that failed.
pub(super) fn nodes_by_id<'a>(report: &Report<'a>) -> HashMap<NodeId, &'a Node<'a>> {
    report.nodes.iter().map(|node| (node.id, node)).collect()
}

/// Writes the section on failures.
pub(super) fn failures_section(out: &mut Out, report: &Report<'_>) {
    open_section(out, "failures", "Client failures");
    let named = failures(report.progress).count();
    let counted_in_log = summary::failures(report);
    if named > 0 {
        failures_table(out, report, named);
    }
    match counted_in_log {
        None if report.progress.is_known() => {
            note(
                out,
                format_args!("The log does not tell whether clients failed."),
            );
        }
        None => note(
            out,
            format_args!("The log names no rounds, so no failures are known."),
        ),
        Some(0) => note(out, format_args!("No client replied with an error.")),
        Some(count) if count > named as u64 => {
            let unnamed = count - named as u64;
            let unnamed = counted(unnamed, "failure", "failures");
            note(
                out,
                format_args!("The log counts {unnamed} more without node and reason."),
            );
        }
        Some(_) => {}
    }
    out.push("</section>\n");
}

fn failures_table(out: &mut Out, report: &Report<'_>, count: usize) {
    let earlier = count.saturating_sub(MOST_FAILURES);
    let caption = "Replies with an error";
    if earlier > 0 {
        let caption = format_args!("{caption}: the last {MOST_FAILURES} of {count}");
        open_table(out, "failures-table", caption, "texts");
    } else {
        open_table(out, "failures-table", format_args!("{caption}"), "texts");
    }
    out.push("<thead><tr>");
    for heading in ["Round", "Phase", "Node", "Reason"] {
        write!(out, "<th scope=\"col\">{heading}</th>");
    }
    out.push("</tr></thead>\n<tbody>\n");
    let nodes = nodes_by_id(report);
    let names = RoundNames::of(report.progress);
    for failure in failures(report.progress).skip(earlier) {
        let (id, reason) = (failure.failed.node, &failure.failed.reason);
        let label = names.label(failure.round);
        write!(
            out,
            "<tr><th scope=\"row\">{label}</th><td>{}</td><td>",
            failure.phase
        );
        if let Some(known) = nodes.get(&id).and_then(|node| node.name) {
            write!(out, "<bdi>{}</bdi><br>", name(known));
        }
        write!(out, "<span class=\"id\">{id}</span></td>");
        writeln!(
            out,
            "<td class=\"reason\">{}</td></tr>",
            line(reason, SENTENCE)
        );
    }
    out.push(CLOSE_TABLE);
}
