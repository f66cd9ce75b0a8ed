//! Durations in Go's format, as Terraform uses it: `90s`, `1h30m` or `1.5h`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A duration with its original text, because Terraform must get a configuration back unchanged.
#[derive(Debug, Clone)]
pub struct GoDuration {
    text: String,
    duration: Duration,
}

/// A text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it must be a duration such as \"90s\", \"10m\" or \"1h30m\" (units h, m, s, ms)")]
pub struct NotADuration;

impl GoDuration {
    pub const fn get(&self) -> Duration {
        self.duration
    }
}

impl FromStr for GoDuration {
    type Err = NotADuration;

    fn from_str(text: &str) -> Result<Self, NotADuration> {
        let mut seconds = 0.0_f64;
        let mut rest = text;
        if rest.is_empty() {
            return Err(NotADuration);
        }
        while rest != "0" && !rest.is_empty() {
            let number = rest
                .find(|c: char| !(c.is_ascii_digit() || c == '.'))
                .ok_or(NotADuration)?;
            let (amount, tail) = rest.split_at(number);
            let amount: f64 = amount.parse().map_err(|_| NotADuration)?;
            let unit = tail
                .find(|c: char| c.is_ascii_digit() || c == '.')
                .unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(unit);
            seconds += amount
                * match unit {
                    "h" => 3600.0,
                    "m" => 60.0,
                    "s" => 1.0,
                    "ms" => 0.001,
                    "us" | "µs" => 0.000_001,
                    "ns" => 0.000_000_001,
                    _ => return Err(NotADuration),
                };
            rest = tail;
        }
        let duration = Duration::try_from_secs_f64(seconds).map_err(|_| NotADuration)?;
        // Three centuries, as in Go: a longer duration would overflow clocks.
        if duration > Duration::from_secs(9_223_372_036) {
            return Err(NotADuration);
        }
        Ok(Self {
            text: text.to_owned(),
            duration,
        })
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

crate::text_attribute!(GoDuration);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, millis) in [
            ("0", 0),
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            ("250ms", 250),
        ] {
            let read: GoDuration = text.parse().unwrap();
            assert_eq!(read.get(), Duration::from_millis(millis), "{text}");
            assert_eq!(read.to_string(), text);
        }
        for text in [
            "",
            "5",
            "m",
            "1 h",
            "-1s",
            "1d",
            "1e9h",
            "..s",
            "99999999999h",
        ] {
            assert!(text.parse::<GoDuration>().is_err(), "{text}");
        }
    }
}
