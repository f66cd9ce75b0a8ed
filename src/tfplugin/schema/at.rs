//! Paths to the attributes of a model, checked by the compiler. A name with a typo would read as
//! null and underline nothing, so the provider names attributes only with [`at!`](crate::at).

use std::fmt;
use std::marker::PhantomData;

use super::super::path::Path;
use super::{Computed, Model, WriteOnly};

/// How many names a path has at most.
const MOST: usize = 4;

/// The path from a model `M` to one of its attributes, or to one of a nested model; made by
/// [`at!`](crate::at). Where it is a path of several models, `M` is the tuple of them.
pub struct ModelPath<M> {
    /// Those after the first `len` are empty.
    names: [&'static str; MOST],
    len: usize,
    model: PhantomData<fn() -> M>,
}

impl<M> ModelPath<M> {
    /// For [`at!`](crate::at) only, which checks the names.
    #[doc(hidden)]
    pub const fn checked<const N: usize>(names: [&'static str; N]) -> Self {
        const { assert!(N <= MOST, "a path has at most four names") };
        Self::of(&names, &[])
    }

    /// Attribute names joined by dots, without a check.
    #[cfg(test)]
    pub fn dotted(names: &str) -> Self {
        let names = names.split('.').map(|name| &*name.to_owned().leak());
        Self::of(&names.collect::<Vec<_>>(), &[])
    }

    /// Names beyond the most are left out: the path is then one of what is above.
    const fn of(above: &[&'static str], names: &[&'static str]) -> Self {
        let mut all = [""; MOST];
        let free = fill(fill(&mut all, above), names).len();
        Self {
            names: all,
            len: MOST - free,
            model: PhantomData,
        }
    }

    pub(in crate::tfplugin) const fn names(&self) -> &[&'static str] {
        self.names.split_at(self.len).0
    }

    /// The name of the attribute: the last one of the path.
    pub fn name(&self) -> &'static str {
        self.names().last().copied().unwrap_or_default()
    }

    /// Whether this is an attribute inside `other`.
    pub fn is_within(&self, other: Self) -> bool {
        self.len > other.len && self.names().starts_with(other.names())
    }

    /// The path of an attribute of the model that this attribute holds.
    #[must_use]
    pub const fn then<N: Model>(&self, inner: ModelPath<N>) -> Self {
        Self::of(self.names(), inner.names())
    }

    /// The path, if the model is the root of the configuration.
    pub fn path(&self) -> Path {
        Path::default().then(*self)
    }

    /// The path of an element of a map.
    pub fn key(&self, key: &str) -> Path {
        self.path().key(key)
    }

    /// The path of an element of a list.
    pub fn index(&self, index: usize) -> Path {
        self.path().index(index)
    }
}

/// Writes names to where there is room; what is still free.
const fn fill<'a>(
    mut free: &'a mut [&'static str],
    mut names: &[&'static str],
) -> &'a mut [&'static str] {
    while let [name, others @ ..] = names {
        match free {
            [slot, rest @ ..] => {
                *slot = name;
                free = rest;
            }
            [] => return &mut [],
        }
        names = others;
    }
    free
}

// What is derived would ask the model for the same.
impl<M> Clone for ModelPath<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for ModelPath<M> {}

impl<M> PartialEq for ModelPath<M> {
    fn eq(&self, other: &Self) -> bool {
        self.names() == other.names()
    }
}

impl<M> Eq for ModelPath<M> {}

impl<M> fmt::Debug for ModelPath<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ModelPath").field(&self.names()).finish()
    }
}

impl<M> From<ModelPath<M>> for Path {
    fn from(path: ModelPath<M>) -> Self {
        path.path()
    }
}

/// The names, joined by dots.
impl<M> fmt::Display for ModelPath<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names().join("."))
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
/// resources names all of their models: `at!(superlink::Model | supernode::Model, env)`. Such a path says
/// where an error is; a configuration is read by paths of its own model alone.
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
///
/// Nor does a path of one model where another one is read, be it in a configuration or in a plan:
///
/// ```compile_fail,E0308
/// # use terraform_provider_flower::tfplugin::schema::{Maybe, Tree, required};
/// # use terraform_provider_flower::{at, model};
/// # model! {
/// #     /// An object.
/// #     struct Outer {
/// #         /// A text.
/// #         name: String = required(),
/// #     }
/// # }
/// # model! {
/// #     /// Another object.
/// #     struct Other {
/// #         /// A text.
/// #         name: String = required(),
/// #     }
/// # }
/// fn is_set(config: &Tree<Outer>) -> bool {
///     config.is_set(at!(Other, name))
/// }
/// ```
///
/// or a path of several models:
///
/// ```compile_fail,E0308
/// # use terraform_provider_flower::tfplugin::Plan;
/// # use terraform_provider_flower::tfplugin::schema::required;
/// # use terraform_provider_flower::{at, model};
/// # model! {
/// #     /// An object.
/// #     struct Outer {
/// #         /// A text.
/// #         name: String = required(),
/// #     }
/// # }
/// # model! {
/// #     /// Another object.
/// #     struct Other {
/// #         /// A text.
/// #         name: String = required(),
/// #     }
/// # }
/// fn replace(plan: &mut Plan<Outer>) {
///     plan.replace(at!(Outer | Other, name));
/// }
/// ```
///
/// Nor does an attribute by its name alone:
///
/// ```compile_fail,E0624
/// # use terraform_provider_flower::tfplugin::value::Value;
/// fn name(object: &Value) -> &Value {
///     object.get("name")
/// }
/// ```
#[macro_export]
macro_rules! at {
    (@each [$($model:ty)|+] $names:tt) => {{
        $( const _: fn(&$model) = |_model| $crate::at!(@check _model, $names); )+
        $crate::tfplugin::schema::ModelPath::<$crate::at!(@of $($model)|+)>::checked(
            $crate::at!(@list $names)
        )
    }};
    (@of $model:ty) => { $model };
    (@of $($model:ty)|+) => { ($($model),+) };
    (@check $model:ident, ($name:ident)) => {{ let _ = &$model.$name; }};
    (@check $model:ident, ($name:ident . $($rest:tt)+)) => {
        if let Some(_inner) = $crate::tfplugin::schema::nested(&$model.$name) {
            $crate::at!(@check _inner, ($($rest)+))
        }
    };
    (@list ($($name:ident).+)) => { [$(stringify!($name)),+] };
    ($($model:ty)|+, $($names:tt)+) => { $crate::at!(@each [$($model)|+] ($($names)+)) };
}
