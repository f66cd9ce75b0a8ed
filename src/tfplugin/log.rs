//! Logs in Terraform's format: one JSON object per line on standard error.
//!
//! Terraform parses every line of a plugin, whatever the log level is, so lines below the level are
//! not written. [`masked`] removes secrets from every line.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use serde_json::{Map, Value as Json};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry;

use crate::masking::masked;
use crate::terminal::visible;

/// Starts logging for the provider of this type. The level comes from `TF_LOG_PROVIDER_TYPE`,
/// `TF_LOG_PROVIDER` or `TF_LOG`.
pub(super) fn start(provider: &str) {
    // The message of a panic may contain a secret.
    std::panic::set_hook(Box::new(|panic| {
        let _ = writeln!(std::io::stderr().lock(), "{}", masked(&panic.to_string()));
    }));
    let Some(level) = level(provider, |key| std::env::var(key).ok()) else {
        return;
    };
    let module = format!("provider.{provider}");
    let subscriber = registry().with(HostLog { level, module });
    // A second call (in tests) keeps the first subscriber.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

fn level(provider: &str, variable: impl Fn(&str) -> Option<String>) -> Option<Level> {
    let own = format!("TF_LOG_PROVIDER_{}", provider.to_ascii_uppercase());
    let named = [own.as_str(), "TF_LOG_PROVIDER", "TF_LOG"]
        .into_iter()
        .find_map(|key| variable(key).filter(|text| !text.is_empty()))?;
    match named.to_ascii_uppercase().as_str() {
        "OFF" => None,
        "ERROR" => Some(Level::ERROR),
        "WARN" => Some(Level::WARN),
        "INFO" => Some(Level::INFO),
        "DEBUG" => Some(Level::DEBUG),
        // Terraform treats every other value, such as `JSON`, as trace.
        _ => Some(Level::TRACE),
    }
}

struct HostLog {
    level: Level,
    module: String,
}

impl<S: Subscriber> Layer<S> for HostLog {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        // Libraries log details for their authors, and may log secrets.
        *metadata.level() <= self.level && metadata.target().starts_with(env!("CARGO_CRATE_NAME"))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line(Map::new());
        event.record(&mut line);
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        let now = OffsetDateTime::now_utc();
        line.0.insert("@level".to_owned(), level.into());
        line.0
            .insert("@module".to_owned(), self.module.as_str().into());
        if let Ok(stamp) = now.format(STAMP) {
            line.0.insert("@timestamp".to_owned(), stamp.into());
        }
        let text = Json::Object(line.0).to_string();
        let _ = writeln!(std::io::stderr().lock(), "{}", visible(&masked(&text)));
    }
}

/// Six digits, as go-plugin reads them. It takes a line with more digits for plain text and shows
/// it at the level `DEBUG`.
const STAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// The fields of one event.
struct Line(Map<String, Json>);

impl Line {
    fn put(&mut self, field: &Field, value: Json) {
        let name = match field.name() {
            "message" => "@message",
            other => other,
        };
        self.0.insert(name.to_owned(), value);
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.put(field, text.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_specific_variable_names_the_level() {
        let level_of = |set: &[(&str, &str)]| {
            level("some-type", |key| {
                let found = set.iter().find(|(name, _)| *name == key);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(level_of(&[]), None);
        assert_eq!(level_of(&[("TF_LOG", "JSON")]), Some(Level::TRACE));
        let both = [("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "warn")];
        assert_eq!(level_of(&both), Some(Level::WARN));
        assert_eq!(
            level_of(&[("TF_LOG_PROVIDER_SOME-TYPE", "off"), both[0]]),
            None
        );
        let another = [("TF_LOG_PROVIDER_OTHER", "error"), both[0]];
        assert_eq!(level_of(&another), Some(Level::TRACE));
    }
}
