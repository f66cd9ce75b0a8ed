//! The location of a SuperNode. A SuperLink of 1.42 accepts only two numbers in a registration, so
//! the plan checks the text.

use std::fmt;
use std::str::FromStr;

/// Latitude and longitude in degrees, such as `47.37,8.54`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location(String);

/// A text that is not a location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it must be latitude and longitude in degrees, such as `47.37,8.54`")]
pub struct NotALocation;

impl FromStr for Location {
    type Err = NotALocation;

    fn from_str(text: &str) -> Result<Self, NotALocation> {
        let (latitude, longitude) = text.split_once(',').ok_or(NotALocation)?;
        let within = |number: &str, most: f64| {
            number
                .trim()
                .parse::<f64>()
                .is_ok_and(|number| number.abs() <= most)
        };
        if within(latitude, 90.0) && within(longitude, 180.0) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotALocation)
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_two_numbers_in_degrees() {
        for text in ["47.37,8.54", "-90, 180", "0,0"] {
            assert_eq!(text.parse::<Location>().unwrap().to_string(), text);
        }
        for text in ["", "Zurich", "1", "1,2,3", "91,0", "0,181", "NaN,0", "1;2"] {
            assert!(text.parse::<Location>().is_err(), "{text}");
        }
    }
}
