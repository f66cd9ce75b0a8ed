//! A metric as a line chart in SVG: text for people who see it, and the exact values at the points.

use std::fmt;

use super::axis::Axis;
use super::markup::{Out, line};
use super::numbers::{exact, short, significant};
use super::points::{Point, points};
use super::series::{Metric, RoundNames, Series, Source};

/// How many full marks a line gets; the other points are small dots on it.
const MOST_MARKS: usize = 16;
/// How many restarts of the numbers of rounds are marked.
const MOST_RESTARTS: usize = 20;

/// The size of the drawing. It is that of a telephone, so that the text stays readable there.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 240.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 180.0;
const RIGHT: f64 = 350.0;
/// The width of a digit in the font of the drawing.
const DIGIT: f64 = 7.0;

/// How a plot is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// How many points of a series at most.
    pub(super) most_points: usize,
    /// Whether a point tells its round and value when the mouse is over it.
    pub(super) tooltips: bool,
}

/// Writes the plot of a metric with at least one value that can be drawn. `id` is of this plot only.
pub(super) fn plot(
    out: &mut Out,
    id: usize,
    metric: &Metric<'_>,
    names: &RoundNames<'_>,
    style: Style,
) {
    let ranges = metric.series.iter().filter_map(Series::range);
    let range = ranges
        .reduce(|(low, high), (other_low, other_high)| (low.min(other_low), high.max(other_high)));
    let Some((low, high)) = range else {
        return;
    };
    let (first, last) = names.ends();
    let frame = Frame::new(Axis::of_rounds(first, last), Axis::of_values(low, high));
    writeln!(
        out,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"plot-{id}-title plot-{id}-desc\">"
    );
    writeln!(
        out,
        "<title id=\"plot-{id}-title\">{} by round</title>",
        line(metric.name, 80)
    );
    describe(out, id, metric, (first, last));
    frame.axes(out, metric.name, names);
    let mut legend = frame.left;
    for series in metric
        .series
        .iter()
        .filter(|series| series.range().is_some())
    {
        let points = points(series, names, style.most_points);
        let drawn = Drawn {
            frame: &frame,
            names,
            source: series.source,
            tooltips: style.tooltips,
        };
        drawn.series(out, &points);
        legend = legend_entry(out, series.source, legend);
    }
    out.push("</svg>\n");
}

/// What a screen reader says of the plot.
fn describe(out: &mut Out, id: usize, metric: &Metric<'_>, ends: (f64, f64)) {
    write!(
        out,
        "<desc id=\"plot-{id}-desc\">Line chart, rounds {} to {}.",
        ends.0, ends.1
    );
    for series in &metric.series {
        let Some((low, high)) = series.range() else {
            continue;
        };
        let (low, high) = (significant(low), significant(high));
        let source = series.source.word();
        write!(
            out,
            " {source}: {} values from {low} to {high}",
            series.finite().count()
        );
        if let Some(last) = series.samples.last() {
            write!(out, ", last {}", short(last.value));
        }
        out.push(".");
    }
    out.push(" The table below the chart has the values.</desc>\n");
}

/// Where the axes are.
struct Frame {
    left: f64,
    rounds: Axis,
    values: Axis,
}

impl Frame {
    #[allow(clippy::cast_precision_loss)]
    fn new(rounds: Axis, values: Axis) -> Self {
        let longest = values.ticks.iter().map(|tick| tick.label.len()).max();
        let left = longest.unwrap_or(1) as f64 * DIGIT + 26.0;
        Self {
            left,
            rounds,
            values,
        }
    }

    fn x(&self, part: f64) -> f64 {
        self.left + part * (RIGHT - self.left)
    }

    fn axes(&self, out: &mut Out, name: &str, names: &RoundNames<'_>) {
        let left = self.left;
        let middle = f64::midpoint(TOP, BOTTOM);
        let name = line(name, 24);
        writeln!(
            out,
            "<text class=\"label\" transform=\"translate(10 {middle}) rotate(-90)\">{name}</text>"
        );
        out.push("<path class=\"grid\" d=\"");
        for tick in &self.values.ticks {
            write!(out, "M{left:.1} {:.1}H{RIGHT}", y(tick.at));
        }
        write!(
            out,
            "\"/>\n<path class=\"axis\" d=\"M{left:.1} {BOTTOM}H{RIGHT}"
        );
        for tick in &self.rounds.ticks {
            write!(out, "M{:.1} {BOTTOM}v4", self.x(tick.at));
        }
        out.push("\"/>\n<g class=\"y-ticks\">\n");
        for tick in &self.values.ticks {
            let (x, y) = (left - 6.0, y(tick.at) + 4.0);
            writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", tick.label);
        }
        out.push("</g>\n<g class=\"x-ticks\">\n");
        for tick in &self.rounds.ticks {
            let (x, y) = (self.x(tick.at), BOTTOM + 17.0);
            writeln!(out, "<text x=\"{x:.1}\" y=\"{y}\">{}</text>", tick.label);
        }
        let (x, y) = (self.x(0.5), BOTTOM + 34.0);
        let label = names.axis_label();
        writeln!(
            out,
            "<text class=\"label\" x=\"{x:.1}\" y=\"{y}\">{label}</text>\n</g>"
        );
        if !names.grow {
            self.restarts(out, names);
        }
    }

    /// Lines where the numbers of the rounds begin again.
    fn restarts(&self, out: &mut Out, names: &RoundNames<'_>) {
        out.push("<path class=\"restart\" d=\"");
        for index in names.restarts().take(MOST_RESTARTS) {
            let x = self.x(self.rounds.at(names.position(index) - 0.5));
            write!(out, "M{x:.1} {TOP}V{BOTTOM}");
        }
        out.push("\"/>\n");
    }
}

fn y(part: f64) -> f64 {
    BOTTOM - part * (BOTTOM - TOP)
}

/// A series in its frame.
struct Drawn<'a> {
    frame: &'a Frame,
    names: &'a RoundNames<'a>,
    source: Source,
    tooltips: bool,
}

impl Drawn<'_> {
    fn series(&self, out: &mut Out, points: &[Point]) {
        let source = self.source.word();
        write!(
            out,
            "<g class=\"series {source}\">\n<path class=\"line\" d=\""
        );
        for (index, point) in points.iter().enumerate() {
            let step = if index == 0 || point.breaks { 'M' } else { 'L' };
            let (x, y) = self.place(point);
            write!(out, "{step}{x:.1} {y:.1}");
        }
        out.push("\"/>\n");
        // The marks of the sources stand at different rounds, so that they hide each other less.
        let every = points.len().div_ceil(MOST_MARKS).max(1);
        let begin = points.first().map_or(0, |point| point.round) + self.source as usize;
        for (index, point) in points.iter().enumerate() {
            let next = points.get(index + 1);
            let alone = (index == 0 || point.breaks) && next.is_none_or(|next| next.breaks);
            let marked = next.is_none() || alone || (begin + index).is_multiple_of(every);
            let shape = if marked {
                Shape::of(self.source)
            } else {
                Shape::Dot
            };
            self.mark(out, point, shape);
        }
        out.push("</g>\n");
    }

    fn mark(&self, out: &mut Out, point: &Point, shape: Shape) {
        let place = Mark(shape, self.place(point));
        let value = exact(point.value);
        if self.tooltips {
            let (round, value_shown) = (self.names.label(point.round), short(point.value));
            let source = self.source.word();
            writeln!(
                out,
                "<{place} data-value=\"{value}\"><title>{source}, round {round}: {value_shown}</title></path>"
            );
        } else {
            writeln!(out, "<{place} data-value=\"{value}\"/>");
        }
    }

    fn place(&self, point: &Point) -> (f64, f64) {
        let x = self.frame.rounds.at(self.names.position(point.round));
        let value = self.frame.values.at(point.value.as_f64());
        (self.frame.x(x), y(value))
    }
}

/// The shape of a point, which tells the source without colours.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Circle,
    Square,
    Triangle,
    Dot,
}

impl Shape {
    const fn of(source: Source) -> Self {
        match source {
            Source::Train => Self::Circle,
            Source::Evaluate => Self::Square,
            Source::Server => Self::Triangle,
        }
    }
}

/// The beginning of a mark's tag.
struct Mark(Shape, (f64, f64));

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(shape, (x, y)) = self;
        match shape {
            Shape::Dot => write!(f, "path d=\"M{x:.1} {y:.1}h0\""),
            Shape::Circle => {
                let x = x - 2.7;
                write!(
                    f,
                    "path d=\"M{x:.1} {y:.1}a2.7 2.7 0 1 0 5.4 0a2.7 2.7 0 1 0-5.4 0z\""
                )
            }
            Shape::Square => {
                let (x, y) = (x - 2.6, y - 2.6);
                write!(f, "path d=\"M{x:.1} {y:.1}h5.2v5.2h-5.2z\"")
            }
            Shape::Triangle => {
                let y = y - 3.4;
                write!(f, "path d=\"M{x:.1} {y:.1}l3.4 5.8h-6.8z\"")
            }
        }
    }
}

/// Writes an entry of the legend and returns where the next one begins.
#[allow(clippy::cast_precision_loss)]
fn legend_entry(out: &mut Out, source: Source, x: f64) -> f64 {
    let baseline = HEIGHT - 6.0;
    let (word, middle) = (source.word(), baseline - 4.0);
    let mark = Mark(Shape::of(source), (x + 13.0, middle));
    let text = x + 32.0;
    writeln!(
        out,
        "<g class=\"series {word}\"><path class=\"line\" d=\"M{x:.1} {middle}h26\"/><{mark}/>\
         <text x=\"{text:.1}\" y=\"{baseline}\">{word}</text></g>"
    );
    text + word.len() as f64 * DIGIT + 18.0
}
