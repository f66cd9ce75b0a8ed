//! Types that are texts in Terraform: what has a grammar, what is one of several words, and what is said of a
//! text that is neither.

use std::fmt;

use super::super::diagnostic::{Diagnostic, Diagnostics};
use super::super::path::Path;

/// Makes a type with `FromStr` an attribute of type string. `refuse` creates the error for a text
/// that does not parse; `text` writes a value.
#[doc(hidden)]
#[macro_export]
macro_rules! parsed_attribute {
    ($ty:ty, refuse: $refuse:expr, text: $text:expr) => {
        impl $crate::tfplugin::schema::Attr for $ty {
            fn kind() -> $crate::tfplugin::schema::Kind {
                <String as $crate::tfplugin::schema::Attr>::kind()
            }

            fn decode(
                value: &$crate::tfplugin::value::Value,
                at: &$crate::tfplugin::path::Path,
            ) -> $crate::tfplugin::diagnostic::Result<Self> {
                let text = <String as $crate::tfplugin::schema::Attr>::decode(value, at)?;
                text.parse().map_err(|error| $refuse(&text, &error, at))
            }

            fn encode(&self) -> $crate::tfplugin::value::Value {
                $text(self)
            }
        }
    };
}

/// Makes types with `FromStr` and `Display` attributes of type string. A text that does not parse
/// is an error with the message of the parser.
#[macro_export]
macro_rules! text_attribute {
    ($($ty:ty),* $(,)?) => { $(
        $crate::parsed_attribute!(
            $ty,
            refuse: $crate::tfplugin::schema::refused,
            text: |value: &$ty| $crate::tfplugin::value::Value::from(value.to_string())
        );
    )* };
}

/// Makes types with `FromStr` attributes of type string that are never written, such as those of a
/// provider configuration. The error for a text that does not parse does not quote the text, which
/// may be a secret; if it is not, Terraform shows its line.
#[macro_export]
macro_rules! setting_attribute {
    ($($ty:ty),* $(,)?) => { $(
        $crate::parsed_attribute!(
            $ty,
            refuse: $crate::tfplugin::schema::refused_unseen,
            text: |_: &$ty| $crate::tfplugin::value::Value::Null
        );
    )* };
}

/// Makes an enum an attribute of type string with these values.
#[macro_export]
macro_rules! choice_attribute {
    ($ty:ty { $($name:literal => $variant:pat => $value:expr),+ $(,)? }) => {
        impl $crate::tfplugin::schema::Attr for $ty {
            fn kind() -> $crate::tfplugin::schema::Kind {
                <String as $crate::tfplugin::schema::Attr>::kind()
            }

            fn decode(
                value: &$crate::tfplugin::value::Value,
                at: &$crate::tfplugin::path::Path,
            ) -> $crate::tfplugin::diagnostic::Result<Self> {
                let text = <String as $crate::tfplugin::schema::Attr>::decode(value, at)?;
                match text.as_str() {
                    $($name => Ok($value),)+
                    _ => {
                        let names = [$(concat!("`", $name, "`")),+].join(", ");
                        let error = format!("it must be one of {names}");
                        Err($crate::tfplugin::schema::refused(&text, &error, at))
                    }
                }
            }

            fn encode(&self) -> $crate::tfplugin::value::Value {
                $crate::tfplugin::value::Value::from(match self { $($variant => $name),+ })
            }
        }
    };
}

/// Makes enums with `From<&str>` and `as_str` attributes of type string whose words somebody else chooses:
/// a word that is new is kept as it is, and is no error.
#[macro_export]
macro_rules! open_choice_attribute {
    ($($ty:ty),* $(,)?) => { $(
        impl $crate::tfplugin::schema::Attr for $ty {
            fn kind() -> $crate::tfplugin::schema::Kind {
                <String as $crate::tfplugin::schema::Attr>::kind()
            }

            fn decode(
                value: &$crate::tfplugin::value::Value,
                at: &$crate::tfplugin::path::Path,
            ) -> $crate::tfplugin::diagnostic::Result<Self> {
                let text = <String as $crate::tfplugin::schema::Attr>::decode(value, at)?;
                Ok(Self::from(text.as_str()))
            }

            fn encode(&self) -> $crate::tfplugin::value::Value {
                $crate::tfplugin::value::Value::from(self.as_str())
            }
        }
    )* };
}

#[doc(hidden)]
pub fn refused(text: &str, error: &dyn fmt::Display, at: &Path) -> Diagnostics {
    // Only the beginning is shown: the message must stay readable, and reveal little of a secret.
    let shown: String = text.chars().take(80).collect();
    Diagnostic::error(format!("Invalid value for {at}"))
        .detail(format!("{shown:?} is not accepted: {error}"))
        .at(at.clone())
        .into()
}

#[doc(hidden)]
pub fn refused_unseen(_: &str, error: &dyn fmt::Display, at: &Path) -> Diagnostics {
    Diagnostic::error(format!("Invalid value for {at}"))
        .detail(format!("It is not accepted: {error}"))
        .at(at.clone())
        .into()
}
