//! How often and when a cluster has reported something: it counts attempts with the same result.

use std::time::Duration;

use k8s_openapi::api::core::v1::Event;
use k8s_openapi::jiff::Timestamp;

/// The prefix of the API server for the last message of many that differ only in names.
const COMBINED: &str = "(combined from similar events): ";

/// The number of reports, and the time between the first and the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reports {
    pub count: u32,
    pub over: Duration,
}

impl Reports {
    /// The reports in events about one thing. Their timestamps come from the same clock.
    pub(super) fn of<'a>(events: impl Iterator<Item = &'a Event>) -> Self {
        let mut count = 0;
        let mut between: Option<(Timestamp, Timestamp)> = None;
        for event in events {
            count += times(event);
            let (Some(first), Some(last)) = (earliest(event), latest(event)) else {
                continue;
            };
            between = Some(match between {
                Some((from, to)) => (from.min(first), to.max(last)),
                None => (first, last),
            });
        }
        let over = between.map_or(Duration::ZERO, |(from, to)| passed(from, to));
        Self { count, over }
    }

    /// The reports of something that happened this often between these times.
    pub(super) fn between(count: u32, from: Timestamp, to: Timestamp) -> Self {
        Self {
            count,
            over: passed(from, to),
        }
    }
}

fn passed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

fn times(event: &Event) -> u32 {
    let series = event.series.as_ref().and_then(|series| series.count);
    let count = series.or(event.count).unwrap_or(1);
    u32::try_from(count).unwrap_or(1).max(1)
}

pub(in super::super) fn words(event: &Event) -> &str {
    let said = event.message.as_deref().unwrap_or_default();
    said.strip_prefix(COMBINED).unwrap_or(said)
}

pub(in super::super) fn latest(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref();
    let series = series.and_then(|series| Some(series.last_observed_time.as_ref()?.0));
    series
        .or_else(|| Some(event.last_timestamp.as_ref()?.0))
        .or_else(|| Some(event.event_time.as_ref()?.0))
        .or_else(|| Some(event.first_timestamp.as_ref()?.0))
}

fn earliest(event: &Event) -> Option<Timestamp> {
    let first = event.first_timestamp.as_ref().map(|time| time.0);
    first
        .or_else(|| Some(event.event_time.as_ref()?.0))
        .or_else(|| latest(event))
}
