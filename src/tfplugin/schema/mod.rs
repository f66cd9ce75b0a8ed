//! Schemas: one description of a resource's configuration, from which the wire schema, the checks,
//! the plan, the decoding and the documentation follow.
//!
//! A [`model!`](crate::model) declares a Rust struct and its attributes together, so they cannot
//! differ. The types of the fields contain the rules: a field of an enum accepts the names of its
//! variants, a newtype the texts that it parses.

mod at;
mod attr;
mod model;
mod plan;
mod sensitive;
mod text;
mod tree;
mod validate;
mod wire;

use std::collections::BTreeMap;

pub use at::{ModelPath, Nested, nested};
pub use attr::{Computed, Dynamic, WriteOnly, expect_object};
pub use model::{Attr, Model, attribute_name, decode_field, description_of};
pub use plan::{Planned, plan};
pub use sensitive::{each_secret, without_secrets};
pub use text::{refused, refused_unseen};
pub use tree::{Maybe, Tree};
pub use validate::validate;
pub use wire::{identity_to_wire, to_wire};

use super::diagnostic::Result;
use super::path::Path;
use super::value::{Type, Value};

/// The schema of a resource, data source, ephemeral resource or provider.
#[derive(Debug, Clone)]
pub struct Schema {
    /// Increased whenever stored states need an upgrade.
    pub version: i64,
    /// Increased whenever stored identities need an upgrade.
    pub identity_version: i64,
    /// Markdown: the first text on the page in the registry.
    pub description: String,
    pub attributes: Vec<Attribute>,
}

/// One attribute.
#[derive(Debug, Clone)]
pub struct Attribute {
    pub name: String,
    /// Markdown: what the attribute is, what it is for, and its default.
    pub description: String,
    pub kind: Kind,
    pub presence: Presence,
    pub sensitive: bool,
    /// Never stored: it is in the configuration only, and only during an apply.
    pub write_only: bool,
    /// The value if the configuration does not set the attribute.
    pub default: Option<Value>,
    /// Why a change replaces the resource, if it does.
    pub replace: Option<&'static str>,
    /// Whether a computed value stays the same when other attributes change.
    pub keep: Keep,
    /// Whether it is part of the resource's identity.
    pub identity: Identity,
    pub deprecated: bool,
    /// Decodes a known value, to find values that the type does not allow.
    check: fn(&Value, &Path) -> Result<()>,
}

/// Which computed values an update keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    No,
    /// A value that is not null: an earlier provider may not have set it.
    Known,
    /// Also a null.
    Always,
}

/// Whether an attribute is part of a resource's identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    No,
    /// An import by identity must set it.
    Required,
    /// An import by identity may omit it.
    Optional,
}

/// Who sets the value of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Required,
    Optional,
    /// Only the provider.
    Computed,
    /// The configuration, otherwise the provider.
    OptionalComputed,
}

/// The type of an attribute's value.
#[derive(Debug, Clone)]
pub enum Kind {
    Plain(Type),
    Nested(Nesting, Vec<Attribute>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nesting {
    Single,
    List,
    Map,
}

impl Schema {
    /// The schema of a model, at version 0.
    pub fn of<M: Model>() -> Self {
        Self {
            version: 0,
            identity_version: 0,
            description: M::description(),
            attributes: M::attributes(),
        }
    }

    /// The type of a value of this schema.
    pub fn ty(&self) -> Type {
        object_type(&self.attributes)
    }
}

impl Kind {
    pub fn ty(&self) -> Type {
        match self {
            Self::Plain(ty) => ty.clone(),
            Self::Nested(nesting, attributes) => {
                let object = object_type(attributes);
                match nesting {
                    Nesting::Single => object,
                    Nesting::List => Type::list(object),
                    Nesting::Map => Type::map(object),
                }
            }
        }
    }
}

/// The type of an object with these attributes.
pub fn object_type(attributes: &[Attribute]) -> Type {
    Type::Object(
        attributes
            .iter()
            .map(|attribute| (attribute.name.clone(), attribute.kind.ty()))
            .collect::<BTreeMap<_, _>>(),
    )
}

/// Starts a required attribute.
pub fn required() -> Attribute {
    Attribute::new(Presence::Required)
}

/// Starts an optional attribute.
pub fn optional() -> Attribute {
    Attribute::new(Presence::Optional)
}

/// Starts a computed attribute.
pub fn computed() -> Attribute {
    Attribute::new(Presence::Computed)
}

/// Starts an optional attribute that the provider sets if the configuration does not.
pub fn optional_computed() -> Attribute {
    Attribute::new(Presence::OptionalComputed)
}

/// Starts an optional attribute with a default value.
pub fn defaulted(value: impl Attr) -> Attribute {
    Attribute {
        default: Some(value.encode()),
        ..Attribute::new(Presence::OptionalComputed)
    }
}

impl Attribute {
    fn new(presence: Presence) -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            kind: Kind::Plain(Type::Dynamic),
            presence,
            sensitive: false,
            write_only: false,
            default: None,
            replace: None,
            keep: Keep::No,
            identity: Identity::No,
            deprecated: false,
            check: |_, _| Ok(()),
        }
    }

    /// Sets the name, description and type of the attribute from its field.
    #[doc(hidden)]
    #[must_use]
    pub fn of<T: Attr>(mut self, name: &str, doc: &str) -> Self {
        name.clone_into(&mut self.name);
        self.description = model::paragraphs(doc);
        self.kind = T::kind();
        self.write_only = T::WRITE_ONLY;
        self.sensitive |= T::WRITE_ONLY;
        self.check = |value, at| T::decode(value, at).map(drop);
        self
    }

    /// A change replaces the resource, for this reason (a clause without a full stop).
    #[must_use]
    pub fn replace(mut self, reason: &'static str) -> Self {
        self.replace = Some(reason);
        self
    }

    /// The value stays the same until the resource is replaced.
    #[must_use]
    pub fn keep(mut self) -> Self {
        self.keep = Keep::Known;
        self
    }

    /// The value never changes once the resource exists, even if there is none.
    #[must_use]
    pub fn settled(mut self) -> Self {
        self.keep = Keep::Always;
        self
    }

    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitive = true;
        self
    }

    /// Part of the resource's identity; implies [`Self::keep`].
    #[must_use]
    pub fn identity(mut self) -> Self {
        self.identity = Identity::Required;
        self.keep()
    }

    /// The same, but an import may omit it.
    #[must_use]
    pub fn optional_identity(mut self) -> Self {
        self.identity = Identity::Optional;
        self.keep()
    }

    pub fn is_identity(&self) -> bool {
        self.identity != Identity::No
    }

    pub fn is_computed(&self) -> bool {
        matches!(
            self.presence,
            Presence::Computed | Presence::OptionalComputed
        )
    }
}
