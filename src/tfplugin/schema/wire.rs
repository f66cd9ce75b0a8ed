//! Converts schemas into the types of the protocol.

use super::super::proto;
use super::{Attribute, Identity, Kind, Nesting, Presence, Schema};

pub fn to_wire(schema: &Schema) -> proto::Schema {
    proto::Schema {
        version: schema.version,
        block: Some(proto::schema::Block {
            version: schema.version,
            attributes: schema.attributes.iter().map(attribute).collect(),
            description: schema.description.clone(),
            description_kind: proto::StringKind::Markdown.into(),
            deprecated: false,
        }),
    }
}

/// The attributes of a resource's identity; `None` if the schema has none.
pub fn identity_to_wire(schema: &Schema) -> Option<proto::ResourceIdentitySchema> {
    let identity_attributes: Vec<_> = schema
        .attributes
        .iter()
        .filter(|attribute| attribute.is_identity())
        .map(
            |attribute| proto::resource_identity_schema::IdentityAttribute {
                name: attribute.name.clone(),
                r#type: type_bytes(&attribute.kind),
                required_for_import: attribute.identity == Identity::Required,
                optional_for_import: attribute.identity == Identity::Optional,
                description: attribute.description.clone(),
            },
        )
        .collect();
    (!identity_attributes.is_empty()).then_some(proto::ResourceIdentitySchema {
        version: schema.identity_version,
        identity_attributes,
    })
}

fn attribute(attribute: &Attribute) -> proto::schema::Attribute {
    let (r#type, nested_type) = match &attribute.kind {
        plain @ Kind::Plain(_) => (type_bytes(plain), None),
        Kind::Nested(nesting, inner) => {
            let object = proto::schema::Object {
                attributes: inner.iter().map(self::attribute).collect(),
                nesting: nesting_mode(*nesting).into(),
            };
            (bytes::Bytes::new(), Some(object))
        }
    };
    proto::schema::Attribute {
        name: attribute.name.clone(),
        r#type,
        nested_type,
        description: attribute.description.clone(),
        description_kind: proto::StringKind::Markdown.into(),
        required: attribute.presence == Presence::Required,
        optional: matches!(
            attribute.presence,
            Presence::Optional | Presence::OptionalComputed
        ),
        computed: attribute.is_computed(),
        sensitive: attribute.sensitive,
        deprecated: attribute.deprecated,
        write_only: attribute.write_only,
    }
}

fn type_bytes(kind: &Kind) -> bytes::Bytes {
    kind.ty().to_json().to_string().into()
}

fn nesting_mode(nesting: Nesting) -> proto::schema::object::NestingMode {
    use proto::schema::object::NestingMode;
    match nesting {
        Nesting::Single => NestingMode::Single,
        Nesting::List => NestingMode::List,
        Nesting::Map => NestingMode::Map,
    }
}
