//! The metrics of all rounds, turned around: for each name, its values round by round.

use std::collections::{HashMap, HashSet};

use super::markup::{Text, line};
use crate::flower::progress::{MetricValue, Metrics, Progress, Round};

/// How many names of metrics are shown; an app may invent new ones in each round.
pub(super) const MOST_NAMES: usize = 128;
/// How many characters of a strategy's name stand before the number of a round.
const STRATEGY: usize = 40;

/// Where a value was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Train,
    Evaluate,
    Server,
}

impl Source {
    pub(super) const ALL: [Self; 3] = [Self::Train, Self::Evaluate, Self::Server];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Evaluate => "evaluate",
            Self::Server => "server",
        }
    }

    fn metrics(self, round: &Round) -> Option<&Metrics> {
        match self {
            Self::Train => round.train.as_ref().map(|phase| &phase.metrics),
            Self::Evaluate => round.evaluate.as_ref().map(|phase| &phase.metrics),
            Self::Server => Some(&round.server_metrics),
        }
    }
}

/// All metrics of a run.
#[derive(Debug, Default)]
pub(super) struct MetricSet<'a> {
    /// In the order in which the log names them.
    pub(super) metrics: Vec<Metric<'a>>,
    /// How many more names there are.
    pub(super) names_omitted: usize,
    /// How many values of the records are not kept.
    pub(super) values_omitted: usize,
}

/// A metric under one name.
#[derive(Debug)]
pub(super) struct Metric<'a> {
    pub(super) name: &'a str,
    /// The sources that reported it, in the order of [`Source::ALL`].
    pub(super) series: Vec<Series>,
}

/// The values of a metric from one source.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) source: Source,
    /// In the order of the rounds.
    pub(super) samples: Vec<Sample>,
}

/// A value of a round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    /// Which round it is: its index in [`Progress::rounds`].
    pub(super) round: usize,
    pub(super) value: MetricValue,
}

impl<'a> MetricSet<'a> {
    pub(super) fn of(progress: &'a Progress) -> Self {
        let mut set = Self::default();
        let mut known = HashMap::new();
        let mut others = HashSet::new();
        for (index, round) in progress.rounds.iter().enumerate() {
            for source in Source::ALL {
                let Some(metrics) = source.metrics(round) else {
                    continue;
                };
                set.values_omitted += metrics.omitted;
                for (name, value) in metrics.iter() {
                    let next = set.metrics.len();
                    if next == MOST_NAMES && !known.contains_key(name) {
                        others.insert(name);
                        continue;
                    }
                    let at = *known.entry(name).or_insert(next);
                    if at == next {
                        let series = Vec::new();
                        set.metrics.push(Metric { name, series });
                    }
                    let sample = Sample {
                        round: index,
                        value,
                    };
                    if let Some(metric) = set.metrics.get_mut(at) {
                        metric.add(source, sample);
                    }
                }
            }
        }
        for metric in &mut set.metrics {
            metric.series.sort_by_key(|series| series.source as u8);
        }
        set.names_omitted = others.len();
        set
    }
}

impl Metric<'_> {
    fn add(&mut self, source: Source, sample: Sample) {
        match self
            .series
            .iter_mut()
            .find(|series| series.source == source)
        {
            Some(series) => series.samples.push(sample),
            None => self.series.push(Series {
                source,
                samples: vec![sample],
            }),
        }
    }

    /// Whether there is anything to draw.
    pub(super) fn has_finite(&self) -> bool {
        let mut samples = self.series.iter().flat_map(|series| &series.samples);
        samples.any(|sample| sample.value.is_finite())
    }

    /// The last rounds in which any source reported it, and how many earlier ones there are.
    pub(super) fn last_rounds(&self, most: usize) -> (Vec<usize>, usize) {
        let samples = self.series.iter().flat_map(|series| &series.samples);
        let mut rounds: Vec<_> = samples.map(|sample| sample.round).collect();
        rounds.sort_unstable();
        rounds.dedup();
        let earlier = rounds.len().saturating_sub(most);
        (rounds.split_off(earlier), earlier)
    }
}

impl Series {
    pub(super) fn at(&self, round: usize) -> Option<MetricValue> {
        let found = self
            .samples
            .binary_search_by_key(&round, |sample| sample.round);
        found
            .ok()
            .and_then(|at| self.samples.get(at))
            .map(|sample| sample.value)
    }

    /// The values that can be drawn, as doubles.
    pub(super) fn finite(&self) -> impl Iterator<Item = f64> {
        let values = self.samples.iter().map(|sample| sample.value);
        values
            .filter(|value| value.is_finite())
            .map(MetricValue::as_f64)
    }

    /// The lowest and the highest value that can be drawn.
    pub(super) fn range(&self) -> Option<(f64, f64)> {
        self.finite().fold(None, |range, value| {
            let (low, high) = range.unwrap_or((value, value));
            Some((value.min(low), value.max(high)))
        })
    }
}

/// What the rounds are called, and where they stand on an axis.
#[derive(Debug)]
pub(super) struct RoundNames<'a> {
    progress: &'a Progress,
    /// Whether the numbers only grow. If not, several strategies counted from 1.
    pub(super) grow: bool,
}

impl<'a> RoundNames<'a> {
    pub(super) fn of(progress: &'a Progress) -> Self {
        let numbers = progress.rounds.iter().map(|round| round.number);
        let grow = numbers.is_sorted_by(|one, next| one < next);
        Self { progress, grow }
    }

    /// The place on the axis: the number, or the position in the log.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn position(&self, index: usize) -> f64 {
        match self.progress.rounds.get(index) {
            Some(round) if self.grow => f64::from(round.number),
            Some(_) | None => index as f64 + 1.0,
        }
    }

    /// The first and the last place on the axis.
    pub(super) fn ends(&self) -> (f64, f64) {
        let last = self.progress.rounds.len().saturating_sub(1);
        (self.position(0), self.position(last))
    }

    /// What the axis counts.
    pub(super) const fn axis_label(&self) -> &'static str {
        if self.grow {
            "round"
        } else {
            "rounds in the order of the log"
        }
    }

    /// The number, and the strategy where the number alone is ambiguous.
    pub(super) fn label(&self, index: usize) -> Label<'a> {
        let round = self.progress.rounds.get(index);
        let strategy = round.and_then(|round| round.strategy.as_deref());
        Label {
            strategy: strategy
                .filter(|_| !self.grow)
                .map(|name| line(name, STRATEGY)),
            number: round.map_or(0, |round| round.number),
        }
    }

    /// The indexes of the rounds whose numbers begin again.
    pub(super) fn restarts(&self) -> impl Iterator<Item = usize> {
        let rounds = self.progress.rounds.iter();
        let pairs = rounds.clone().zip(rounds.skip(1)).enumerate();
        pairs
            .filter(|(_, (one, next))| next.number <= one.number)
            .map(|(index, _)| index + 1)
    }
}

/// The name of a round. As it displays itself, it is HTML.
#[derive(Debug)]
pub(super) struct Label<'a> {
    pub(super) strategy: Option<Text<'a>>,
    pub(super) number: u32,
}

impl std::fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.strategy {
            Some(strategy) => write!(f, "{strategy} {}", self.number),
            None => write!(f, "{}", self.number),
        }
    }
}
