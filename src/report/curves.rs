//! The section on metrics: what they came to, a plot for each, and the values behind the plot.

use super::Report;
use super::markup::{CLOSE_TABLE, Out, name, note, open_section, open_table};
use super::numbers::{counted, exact, short, significant};
use super::plot::{Style, plot};
use super::points::MOST_POINTS;
use super::series::{Metric, MetricSet, RoundNames, Series};
use super::summary::NO_METRICS;
use crate::flower::progress::MetricValue;

/// How many metrics have a plot.
pub(super) const MOST_PLOTS: usize = 16;
/// How many rounds the table behind a plot has.
const MOST_ROWS: usize = 200;
/// How many points and how many cells all plots and their tables have together.
const BUDGET: usize = 2400;
/// Up to how many points each one tells its value when the mouse is over it.
const MOST_TOOLTIPS: usize = 900;
/// How many rounds with a value that cannot be drawn are named.
const MOST_NAMED: usize = 8;

/// Writes the section.
pub(super) fn section(out: &mut Out, report: &Report<'_>) {
    let set = MetricSet::of(report.progress);
    open_section(out, "metrics", "Metrics");
    if set.metrics.is_empty() {
        note(out, format_args!("{NO_METRICS}"));
    } else {
        let names = RoundNames::of(report.progress);
        last_values(out, &set, &names);
        plots(out, &set, &names);
    }
    left_out(out, &set);
    out.push("</section>\n");
}

fn last_values(out: &mut Out, set: &MetricSet<'_>, names: &RoundNames<'_>) {
    open_table(
        out,
        "last-values",
        format_args!("Last value of each metric"),
        "numbers metrics",
    );
    out.push("<thead><tr><th scope=\"col\">Metric</th><th scope=\"col\">Source</th>");
    for heading in ["Last", "Round", "Lowest", "Highest"] {
        write!(out, "<th scope=\"col\" class=\"number\">{heading}</th>");
    }
    out.push("</tr></thead>\n<tbody>\n");
    for metric in &set.metrics {
        for series in &metric.series {
            let Some(last) = series.samples.last() else {
                continue;
            };
            let (metric, source) = (name(metric.name), series.source.word());
            write!(
                out,
                "<tr><th scope=\"row\">{metric}</th><td class=\"text\">{source}</td>"
            );
            value_cell(out, Some(last.value));
            write!(out, "<td>{}</td>", names.label(last.round));
            match series.range() {
                Some((low, high)) => {
                    for value in [low, high] {
                        write!(out, "<td title=\"{value:?}\">{}</td>", significant(value));
                    }
                }
                None => out.push("<td>–</td><td>–</td>"),
            }
            out.push("</tr>\n");
        }
    }
    out.push(CLOSE_TABLE);
}

fn value_cell(out: &mut Out, value: Option<MetricValue>) {
    match value {
        Some(value) => write!(out, "<td title=\"{}\">{}</td>", exact(value), short(value)),
        None => out.push("<td>–</td>"),
    }
}

fn plots(out: &mut Out, set: &MetricSet<'_>, names: &RoundNames<'_>) {
    let drawable = || set.metrics.iter().filter(|metric| metric.has_finite());
    let drawn: Vec<_> = drawable().take(MOST_PLOTS).collect();
    let series: usize = drawn.iter().map(|metric| metric.series.len()).sum();
    let values = drawn.iter().flat_map(|metric| &metric.series);
    let values: usize = values.map(|series| series.samples.len()).sum();
    let share = BUDGET / series.max(1);
    let style = Style {
        most_points: share.min(MOST_POINTS),
        tooltips: values <= MOST_TOOLTIPS,
    };
    out.push("<div class=\"plots\">\n");
    for (id, metric) in drawn.iter().enumerate() {
        writeln!(
            out,
            "<figure>\n<figcaption><h3>{}</h3></figcaption>",
            name(metric.name)
        );
        plot(out, id, metric, names, style);
        thinned(out, metric, style.most_points);
        for series in &metric.series {
            not_drawn(out, series, names);
        }
        values_table(out, id, metric, names, share.min(MOST_ROWS));
        out.push("</figure>\n");
    }
    out.push("</div>\n");
    let others = drawable().count() - drawn.len();
    if others > 0 {
        let others = counted(others as u64, "more metric stands", "more metrics stand");
        note(
            out,
            format_args!("{others} only in the table of last values."),
        );
    }
}

/// That the plot has fewer points than there are values.
fn thinned(out: &mut Out, metric: &Metric<'_>, most_points: usize) {
    let most = metric.series.iter().map(|series| series.finite().count());
    if let Some(most) = most.max().filter(|most| *most > most_points) {
        note(
            out,
            format_args!(
                "Of {most} values, the line passes through the lowest and the highest of \
                 neighbouring rounds."
            ),
        );
    }
}

/// Which values cannot be drawn.
fn not_drawn(out: &mut Out, series: &Series, names: &RoundNames<'_>) {
    let source = series.source.word();
    let not_finite = series
        .samples
        .iter()
        .filter(|sample| !sample.value.is_finite());
    let count = not_finite.clone().count();
    if count == 0 {
        return;
    }
    write!(out, "<p class=\"note\">{source}: not drawn: ");
    for (index, sample) in not_finite.take(MOST_NAMED).enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let round = names.label(sample.round);
        write!(out, "{comma}{} in round {round}", exact(sample.value));
    }
    if count > MOST_NAMED {
        write!(out, " and in {} more rounds", count - MOST_NAMED);
    }
    out.push(".</p>\n");
}

fn values_table(
    out: &mut Out,
    id: usize,
    metric: &Metric<'_>,
    names: &RoundNames<'_>,
    most_rows: usize,
) {
    let (rounds, earlier) = metric.last_rounds(most_rows);
    let shown = counted(rounds.len() as u64, "round", "rounds");
    let (table, metric_name) = (format!("values-{id}"), name(metric.name));
    if earlier > 0 {
        let earlier = counted(earlier as u64, "earlier round is", "earlier rounds are");
        writeln!(
            out,
            "<details>\n<summary>Values of the last {shown}</summary>"
        );
        let caption = format_args!("{metric_name}: the last {shown}; {earlier} not shown");
        open_table(out, &table, caption, "numbers");
    } else {
        writeln!(out, "<details>\n<summary>Values of {shown}</summary>");
        open_table(
            out,
            &table,
            format_args!("{metric_name} by round"),
            "numbers",
        );
    }
    out.push("<thead><tr><th scope=\"col\">Round</th>");
    for series in &metric.series {
        write!(
            out,
            "<th scope=\"col\" class=\"number\">{}</th>",
            series.source.word()
        );
    }
    out.push("</tr></thead>\n<tbody>\n");
    for round in rounds {
        write!(out, "<tr><th scope=\"row\">{}</th>", names.label(round));
        for series in &metric.series {
            value_cell(out, series.at(round));
        }
        out.push("</tr>\n");
    }
    out.push(CLOSE_TABLE);
    out.push("</details>\n");
}

fn left_out(out: &mut Out, set: &MetricSet<'_>) {
    if set.names_omitted > 0 {
        let names = counted(set.names_omitted as u64, "more name is", "more names are");
        note(out, format_args!("{names} not shown."));
    }
    if set.values_omitted > 0 {
        let values = counted(
            set.values_omitted as u64,
            "reported value is",
            "reported values are",
        );
        note(
            out,
            format_args!("{values} not shown: not a number, or too many in one record."),
        );
    }
}
