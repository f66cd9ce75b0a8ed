//! Paths to the attributes of a model, checked by the compiler. A name with a typo would read as
//! null and underline nothing, so the provider names attributes only with [`at!`](crate::at).

use std::fmt;

use super::super::path::Path;
use super::{Computed, Model, WriteOnly};

/// The path from a model to an attribute of it or of a nested model; created by [`at!`](crate::at).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelPath(&'static [&'static str]);

impl ModelPath {
    /// For [`at!`](crate::at) only, which checks the names.
    #[doc(hidden)]
    pub const fn checked(names: &'static [&'static str]) -> Self {
        Self(names)
    }

    /// Attribute names joined by dots, without a check.
    #[cfg(test)]
    pub fn dotted(names: &str) -> Self {
        let names: Vec<_> = names.split('.').map(str::to_owned).collect();
        let names = names.into_iter().map(|name| &*name.leak());
        Self(names.collect::<Vec<_>>().leak())
    }

    pub(in crate::tfplugin) const fn names(self) -> &'static [&'static str] {
        self.0
    }

    /// The name of the attribute: the last one of the path.
    pub fn name(self) -> &'static str {
        self.0.last().copied().unwrap_or_default()
    }

    /// Whether this is an attribute inside `other`.
    pub fn is_within(self, other: Self) -> bool {
        self.0.len() > other.0.len() && self.0.starts_with(other.0)
    }

    /// The path, if the model is the root of the configuration.
    pub fn path(self) -> Path {
        Path::default().then(self)
    }

    /// The path of an element of a map.
    pub fn key(self, key: &str) -> Path {
        self.path().key(key)
    }

    /// The path of an element of a list.
    pub fn index(self, index: usize) -> Path {
        self.path().index(index)
    }
}

impl From<ModelPath> for Path {
    fn from(path: ModelPath) -> Self {
        path.path()
    }
}

/// The names, joined by dots.
impl fmt::Display for ModelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// A field whose attribute is an object with the attributes of a model.
pub trait Nested {
    type Model: Model;
}

impl<T: Nested> Nested for Option<T> {
    type Model = T::Model;
}

impl<T: Nested> Nested for Computed<T> {
    type Model = T::Model;
}

impl<T: Nested> Nested for WriteOnly<T> {
    type Model = T::Model;
}

/// Tells the compiler which model a field holds.
#[doc(hidden)]
pub fn nested<T: Nested>(_: &T) -> Option<&T::Model> {
    None
}

/// The [`ModelPath`] of an attribute: `at!(Model, control.url)`. Each name must be a field: first
/// of the model, then of the model that the previous field holds. Elements of a list or map have an
/// index or key: `at!(Model, volumes).key("data").then(at!(Volume, size))`. Code for several
/// resources names all their models: `at!(superlink::Model | supernode::Model, env)`.
///
/// ```
/// # use terraform_provider_flower::tfplugin::schema::{Computed, computed, optional, required};
/// # use terraform_provider_flower::{at, model};
/// model! {
///     /// An object.
///     struct Outer {
///         /// A text.
///         name: String = required(),
///         /// An optional model.
///         settings: Option<Inner> = optional(),
///         /// A computed one.
///         result: Computed<Inner> = computed(),
///     }
/// }
///
/// model! {
///     /// An object in another.
///     struct Inner {
///         /// A number.
///         size: u32 = required(),
///     }
/// }
///
/// assert_eq!(at!(Outer, name).to_string(), "name");
/// assert_eq!(at!(Outer, settings.size).to_string(), "settings.size");
/// assert_eq!(at!(Outer, result.size).to_string(), "result.size");
/// ```
///
/// An unknown name does not compile, neither in the model itself:
///
/// ```compile_fail,E0609
/// # use terraform_provider_flower::tfplugin::schema::required;
/// # use terraform_provider_flower::{at, model};
/// model! {
///     /// An object.
///     struct Outer {
///         /// A text.
///         name: String = required(),
///     }
/// }
///
/// at!(Outer, nmae);
/// ```
///
/// nor in a nested one:
///
/// ```compile_fail,E0609
/// # use terraform_provider_flower::tfplugin::schema::{optional, required};
/// # use terraform_provider_flower::{at, model};
/// # model! {
/// #     /// An object.
/// #     struct Outer {
/// #         /// An optional model.
/// #         settings: Option<Inner> = optional(),
/// #     }
/// # }
/// # model! {
/// #     /// An object in another.
/// #     struct Inner {
/// #         /// A number.
/// #         size: u32 = required(),
/// #     }
/// # }
/// at!(Outer, settings.sise);
/// ```
///
/// nor below a field that holds no model:
///
/// ```compile_fail,E0277
/// # use terraform_provider_flower::tfplugin::schema::required;
/// # use terraform_provider_flower::{at, model};
/// # model! {
/// #     /// An object.
/// #     struct Outer {
/// #         /// A text.
/// #         name: String = required(),
/// #     }
/// # }
/// at!(Outer, name.len);
/// ```
#[macro_export]
macro_rules! at {
    (@each [$($model:ty)|+] $names:tt) => {{
        $( const _: fn(&$model) = |_model| $crate::at!(@check _model, $names); )+
        $crate::tfplugin::schema::ModelPath::checked($crate::at!(@list $names))
    }};
    (@check $model:ident, ($name:ident)) => {{ let _ = &$model.$name; }};
    (@check $model:ident, ($name:ident . $($rest:tt)+)) => {
        if let Some(_inner) = $crate::tfplugin::schema::nested(&$model.$name) {
            $crate::at!(@check _inner, ($($rest)+))
        }
    };
    (@list ($($name:ident).+)) => { &[$(stringify!($name)),+] };
    ($($model:ty)|+, $($names:tt)+) => { $crate::at!(@each [$($model)|+] ($($names)+)) };
}
