//! What a resource's configuration looks like: one description from which the wire schema, the
//! checks, the plan, the decoding and the documentation all follow.
//!
//! A [`model!`](crate::model) declares a Rust struct and the attributes it stands for at once, so
//! the two cannot drift apart. The types of the fields carry the rules: a field of an enum accepts
//! the enum's words, one of a newtype what that parses.

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
pub use model::{Attr, Model, decode_field, description_of};
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
    /// Raised whenever stored states need an upgrade.
    pub version: i64,
    /// Raised whenever stored identities need an upgrade.
    pub identity_version: i64,
    /// Markdown: the first thing the page in the registry says.
    pub description: String,
    pub attributes: Vec<Attribute>,
}

/// One attribute.
#[derive(Debug, Clone)]
pub struct Attribute {
    pub name: String,
    /// Markdown: what it is, why one would set it, what happens by default.
    pub description: String,
    pub kind: Kind,
    pub presence: Presence,
    pub sensitive: bool,
    /// Never stored: only the configuration holds it, and only while it is applied.
    pub write_only: bool,
    /// What it is when the configuration says nothing.
    pub default: Option<Value>,
    /// Why a change needs a new resource, when it does.
    pub replace: Option<&'static str>,
    /// Whether a computed value survives a change of other attributes.
    pub keep: bool,
    /// Whether it is part of what identifies the resource for ever.
    pub identity: Identity,
    pub deprecated: bool,
    /// Parses a known value of this attribute, to find what the type forbids.
    check: fn(&Value, &Path) -> Result<()>,
}

/// Whether an attribute is part of what identifies a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    No,
    /// An import by identity must name it.
    Required,
    /// An import by identity may leave it out.
    Optional,
}

/// Who gives an attribute its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Required,
    Optional,
    /// The provider alone.
    Computed,
    /// The configuration, or else the provider.
    OptionalComputed,
}

/// The shape of an attribute's value.
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

fn object_type(attributes: &[Attribute]) -> Type {
    Type::Object(
        attributes
            .iter()
            .map(|attribute| (attribute.name.clone(), attribute.kind.ty()))
            .collect::<BTreeMap<_, _>>(),
    )
}

/// Starts an attribute that the configuration must set.
pub fn required() -> Attribute {
    Attribute::new(Presence::Required)
}

/// Starts an attribute that the configuration may set.
pub fn optional() -> Attribute {
    Attribute::new(Presence::Optional)
}

/// Starts an attribute that the provider sets.
pub fn computed() -> Attribute {
    Attribute::new(Presence::Computed)
}

/// Starts an attribute that the provider sets unless the configuration does.
pub fn optional_computed() -> Attribute {
    Attribute::new(Presence::OptionalComputed)
}

/// Starts an attribute with a value for when the configuration says nothing.
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
            keep: false,
            identity: Identity::No,
            deprecated: false,
            check: |_, _| Ok(()),
        }
    }

    /// Gives the attribute the name, text and type of the field it stands for.
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

    /// A change needs a new resource, for this reason (a clause without a full stop).
    #[must_use]
    pub fn replace(mut self, reason: &'static str) -> Self {
        self.replace = Some(reason);
        self
    }

    /// The value stays what it is until the resource is replaced.
    #[must_use]
    pub fn keep(mut self) -> Self {
        self.keep = true;
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

    /// The same, and an import may leave it out.
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
