//! Which values of a metric are drawn: those that can be, and of a long run so many that a line
//! shows all of its peaks.

use super::series::{RoundNames, Series};
use crate::flower::progress::MetricValue;

/// How many points of one series are drawn.
pub(super) const MOST_POINTS: usize = 300;

/// A value that is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) round: usize,
    pub(super) value: MetricValue,
    /// Whether a value that cannot be drawn stands between this point and the one before.
    pub(super) breaks: bool,
}

/// The points of a series: all, or the lowest and the highest of neighbours.
pub(super) fn points(series: &Series, names: &RoundNames<'_>, most: usize) -> Vec<Point> {
    let mut points = Vec::with_capacity(series.samples.len());
    let mut restarts = names.restarts().peekable();
    let mut breaks = false;
    for sample in &series.samples {
        while restarts
            .next_if(|restart| *restart <= sample.round)
            .is_some()
        {
            breaks = true;
        }
        if sample.value.is_finite() {
            points.push(Point {
                round: sample.round,
                value: sample.value,
                breaks,
            });
        }
        breaks = !sample.value.is_finite();
    }
    if points.len() > most {
        thinned(&points, most)
    } else {
        points
    }
}

/// At most `most` of the points. The ends and all peaks stay.
fn thinned(points: &[Point], most: usize) -> Vec<Point> {
    let buckets = (most.saturating_sub(2) / 2).max(1);
    let size = points.len().div_ceil(buckets);
    let value = |at: &usize| points.get(*at).map_or(0.0, |point| point.value.as_f64());
    let mut kept = vec![0, points.len().saturating_sub(1)];
    for start in (0..points.len()).step_by(size) {
        let bucket = start..(start + size).min(points.len());
        kept.extend(bucket.clone().min_by(|a, b| value(a).total_cmp(&value(b))));
        kept.extend(bucket.max_by(|a, b| value(a).total_cmp(&value(b))));
    }
    kept.sort_unstable();
    kept.dedup();
    let mut next = 0;
    let kept = kept.into_iter().filter_map(|at| {
        let passed = points.get(next..=at)?;
        next = at + 1;
        let point = points.get(at)?;
        Some(Point {
            breaks: passed.iter().any(|point| point.breaks),
            ..*point
        })
    });
    kept.collect()
}
