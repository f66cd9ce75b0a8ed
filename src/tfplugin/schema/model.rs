//! The traits that connect a Rust struct with its attributes.

use super::super::diagnostic::Result;
use super::super::path::Path;
use super::super::value::{Type, Value};
use super::{Attribute, Kind};

/// A Rust type of an attribute.
pub trait Attr: Sized {
    /// Whether values exist in the configuration only.
    const WRITE_ONLY: bool = false;

    fn kind() -> Kind;

    /// Decodes a value; a value that the type does not allow is an error at `at`.
    fn decode(value: &Value, at: &Path) -> Result<Self>;

    fn encode(&self) -> Value;
}

/// A struct whose fields are attributes; created by [`model!`](crate::model).
pub trait Model: Attr + Send + Sync + 'static {
    /// The struct's doc comment.
    fn description() -> String;

    fn attributes() -> Vec<Attribute>;

    /// The type of the whole object. It is built once: records are read by it again and again.
    fn ty() -> &'static Type;
}

/// Doc comments as Markdown: joins the lines of each paragraph, keeps paragraphs and lists.
pub(super) fn paragraphs(doc: &str) -> String {
    let mut text = String::new();
    for line in doc.lines().map(str::trim) {
        let fresh = text.is_empty() || text.ends_with('\n');
        if line.is_empty() {
            text.push_str("\n\n");
        } else if line.starts_with("* ") {
            if !fresh {
                text.push('\n');
            }
            text.push_str(line);
        } else {
            if !fresh {
                text.push(' ');
            }
            text.push_str(line);
        }
    }
    text.trim().to_owned()
}

/// Decodes the attribute `name` of the object `value`, for [`model!`](crate::model).
#[doc(hidden)]
pub fn decode_field<T: Attr>(value: &Value, name: &str, at: &Path) -> Result<T> {
    T::decode(value.get(name), &at.name(name))
}

/// The name of an attribute whose field has this name: some attributes are keywords of Rust.
#[doc(hidden)]
pub const fn attribute_name(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', ..] => field.split_at(2).1,
        _ => field,
    }
}

#[doc(hidden)]
pub fn description_of(doc: &str) -> String {
    paragraphs(doc)
}

/// Declares a struct and its attributes.
///
/// Each field is `name: Type = how`, where `how` starts with [`required`](super::required),
/// [`optional`](super::optional), [`computed`](super::computed),
/// [`optional_computed`](super::optional_computed) or [`defaulted`](super::defaulted). The doc
/// comments become the documentation for users.
#[macro_export]
macro_rules! model {
    (
        $(#[doc = $doc:expr])*
        $vis:vis struct $name:ident {
            $( $(#[doc = $field_doc:expr])* $field:ident : $ty:ty = $how:expr ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone)]
        $vis struct $name {
            $( $(#[doc = $field_doc])* pub $field: $ty, )*
        }

        impl $crate::tfplugin::schema::Model for $name {
            fn description() -> String {
                $crate::tfplugin::schema::description_of(concat!($($doc, "\n"),*))
            }

            fn attributes() -> Vec<$crate::tfplugin::schema::Attribute> {
                vec![ $( $how.of::<$ty>($crate::tfplugin::schema::attribute_name(stringify!($field)), concat!($($field_doc, "\n"),*)) ),* ]
            }

            fn ty() -> &'static $crate::tfplugin::value::Type {
                static TYPE: std::sync::OnceLock<$crate::tfplugin::value::Type> = std::sync::OnceLock::new();
                TYPE.get_or_init(|| {
                    $crate::tfplugin::schema::object_type(&<Self as $crate::tfplugin::schema::Model>::attributes())
                })
            }
        }

        impl $crate::tfplugin::schema::Nested for $name {
            type Model = Self;
        }

        impl $crate::tfplugin::schema::Attr for $name {
            fn kind() -> $crate::tfplugin::schema::Kind {
                $crate::tfplugin::schema::Kind::Nested(
                    $crate::tfplugin::schema::Nesting::Single,
                    <Self as $crate::tfplugin::schema::Model>::attributes(),
                )
            }

            fn decode(
                value: &$crate::tfplugin::value::Value,
                at: &$crate::tfplugin::path::Path,
            ) -> $crate::tfplugin::diagnostic::Result<Self> {
                $crate::tfplugin::schema::expect_object(value, at)?;
                let mut found = $crate::tfplugin::diagnostic::Diagnostics::default();
                $( let $field = found.absorb($crate::tfplugin::schema::decode_field::<$ty>(
                    value,
                    $crate::tfplugin::schema::attribute_name(stringify!($field)),
                    at,
                )); )*
                match ($($field,)*) {
                    ($(Some($field),)*) => Ok(Self { $($field),* }),
                    _ => Err(found),
                }
            }

            fn encode(&self) -> $crate::tfplugin::value::Value {
                $crate::tfplugin::value::Value::object([
                    $( (
                        $crate::tfplugin::schema::attribute_name(stringify!($field)),
                        $crate::tfplugin::schema::Attr::encode(&self.$field),
                    ), )*
                ])
            }
        }
    };
}
