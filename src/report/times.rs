//! Times of a run, as Flower and the provider write them: RFC 3339.

use std::fmt;

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// The time of a text. `None` if it is no time.
pub(super) fn parse(text: &str) -> Option<OffsetDateTime> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    time.checked_to_offset(UtcOffset::UTC)
}

/// The seconds between two times, if the second one is not the earlier one.
pub(super) fn between(from: OffsetDateTime, to: OffsetDateTime) -> Option<f64> {
    let seconds = (to - from).as_seconds_f64();
    (seconds >= 0.0).then_some(seconds)
}

/// A time for people, in UTC and without fractions of a second.
pub(super) struct Shown(pub(super) OffsetDateTime);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, time) = (self.0.date(), self.0.time());
        let (hour, minute, second) = time.as_hms();
        write!(f, "{date} {hour:02}:{minute:02}:{second:02} UTC")
    }
}
