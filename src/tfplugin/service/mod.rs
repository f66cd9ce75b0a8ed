//! The gRPC service: decodes requests, calls the provider, encodes responses.
//!
//! Every call runs as its own task, so that a panic becomes a diagnostic and does not end the
//! process and other calls.

mod resources;
mod response;
mod rpc;
#[cfg(test)]
mod tests;
mod unmanaged;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::call::Call;
use super::diagnostic::{Diagnostic, Diagnostics, Result};
use super::ephemeral::AnyEphemeral;
use super::function::Function;
use super::path::Path;
use super::proto;
use super::provider::{AnyDataSource, Provider};
use super::resource::{AnyResource, Compiled};
use super::schema::{self, Schema};
use super::value::{self, Value};
use crate::masking;

/// The service of one provider.
pub(crate) struct Service<P: Provider>(Arc<Inner<P>>);

struct Inner<P: Provider> {
    provider: P,
    compiled: OnceLock<Compiled>,
    resources: HashMap<&'static str, Arc<dyn AnyResource<P::Configured>>>,
    data_sources: HashMap<&'static str, Arc<dyn AnyDataSource<P::Configured>>>,
    ephemerals: HashMap<&'static str, Arc<dyn AnyEphemeral<P::Configured>>>,
    functions: HashMap<&'static str, Arc<dyn Function>>,
    configured: RwLock<Configured<P::Configured>>,
    stop: CancellationToken,
    /// The running calls, which outlive their connection.
    calls: TaskTracker,
}

enum Configured<C> {
    /// The host has not configured the provider: it only validates or reads schemas.
    NotYet,
    /// The configuration depends on values that are unknown until apply.
    Unknown,
    Known(Arc<C>),
}

impl<P: Provider> Clone for Service<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P: Provider> Service<P> {
    pub(crate) fn new(provider: P, stop: CancellationToken, calls: TaskTracker) -> Self {
        Self(Arc::new(Inner {
            compiled: OnceLock::new(),
            resources: by_name(provider.resources(), AnyResource::type_name),
            data_sources: by_name(provider.data_sources(), AnyDataSource::type_name),
            ephemerals: by_name(provider.ephemerals(), AnyEphemeral::type_name),
            functions: by_name(provider.functions(), Function::name),
            configured: RwLock::new(Configured::NotYet),
            provider,
            stop,
            calls,
        }))
    }
}

impl<P: Provider> Inner<P> {
    fn compiled(&self) -> &Compiled {
        self.compiled.get_or_init(|| self.provider.schema().into())
    }

    fn resource(&self, name: &str) -> Result<Arc<dyn AnyResource<P::Configured>>> {
        lookup(&self.resources, name, "resource")
    }

    fn data_source(&self, name: &str) -> Result<Arc<dyn AnyDataSource<P::Configured>>> {
        lookup(&self.data_sources, name, "data source")
    }

    fn ephemeral(&self, name: &str) -> Result<Arc<dyn AnyEphemeral<P::Configured>>> {
        lookup(&self.ephemerals, name, "ephemeral resource")
    }

    /// The configured provider; `None` if the configuration is unknown.
    fn configured(&self) -> Option<Arc<P::Configured>> {
        let configured = self
            .configured
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        match &*configured {
            Configured::Known(known) => Some(Arc::clone(known)),
            Configured::NotYet | Configured::Unknown => None,
        }
    }

    fn configure(&self, configured: Option<P::Configured>) {
        let configured = configured.map_or(Configured::Unknown, |known| {
            Configured::Known(Arc::new(known))
        });
        *self
            .configured
            .write()
            .unwrap_or_else(PoisonError::into_inner) = configured;
    }

    fn call(&self) -> Result<Call<P::Configured>> {
        self.configured()
            .map(|configured| Call::new(configured, self.stop.clone()))
            .ok_or_else(|| {
                Diagnostic::error("The provider is not configured")
                    .detail(
                        "Its configuration depends on values that are not known yet, so the provider \
                         cannot read or change anything.",
                    )
                    .detail(
                        "First apply the resources that these values come from, with `-target`, or \
                         write the values as constants.",
                    )
                    .into()
            })
    }
}

fn by_name<T: ?Sized>(
    all: Vec<Arc<T>>,
    name: impl Fn(&T) -> &'static str,
) -> HashMap<&'static str, Arc<T>> {
    all.into_iter().map(|one| (name(&one), one)).collect()
}

fn lookup<T: ?Sized>(
    all: &HashMap<&'static str, Arc<T>>,
    name: &str,
    what: &str,
) -> Result<Arc<T>> {
    all.get(name).cloned().ok_or_else(|| {
        Diagnostic::error(format!("Unknown {what} type {name}"))
            .detail("This version of the provider has no such type. Check `required_providers`.")
            .into()
    })
}

/// Decodes a value of a request; a missing one is null.
fn read(compiled: &Compiled, wire: Option<proto::DynamicValue>) -> Result<Value> {
    let Some(wire) = wire else {
        return Ok(Value::Null);
    };
    let value = if wire.msgpack.is_empty() && !wire.json.is_empty() {
        let read = serde_json::from_slice(&wire.json).map_err(|error| error.to_string());
        let read = read.and_then(|json| value::from_json(&json, &compiled.ty));
        read.map_err(|error| unreadable(&error))?
    } else {
        value::decode(&wire.msgpack, &compiled.ty).map_err(|error| undecodable(&error))?
    };
    schema::each_secret(&compiled.schema.attributes, &value, &mut masking::hide);
    Ok(value)
}

/// An error for a value that the provider cannot hold, at its attribute if that is known.
fn undecodable(error: &value::DecodeError) -> Diagnostics {
    match error.attribute() {
        Some(attribute) => Diagnostic::error(format!("Invalid value for {attribute}"))
            .detail(format!("The provider cannot use it: {error}."))
            .at(Path::default().name(attribute))
            .into(),
        None => unreadable(&error.to_string()),
    }
}

fn unreadable(error: &str) -> Diagnostics {
    Diagnostic::error("A value from Terraform cannot be read")
        .detail(error)
        .detail(
            "Another version of this provider may have written the state, or the state is damaged.",
        )
        .into()
}

fn write(value: &Value) -> Option<proto::DynamicValue> {
    Some(proto::DynamicValue {
        msgpack: value::encode(value).into(),
        json: bytes::Bytes::new(),
    })
}

fn messages(found: Diagnostics) -> Vec<proto::Diagnostic> {
    found.into_iter().map(Into::into).collect()
}

/// The identity of the object of a state, if its schema has one.
fn identity(schema: &Schema, state: &Value) -> Option<proto::ResourceIdentityData> {
    if state.is_null() {
        return None;
    }
    let identity: Vec<_> = schema
        .attributes
        .iter()
        .filter(|attribute| attribute.is_identity())
        .map(|attribute| (attribute.name.as_str(), state.get(&attribute.name).clone()))
        .collect();
    if identity.is_empty() || identity.iter().any(|(_, value)| value.is_null()) {
        return None;
    }
    Some(proto::ResourceIdentityData {
        identity_data: write(&Value::object(identity)),
    })
}

fn wire_schemas<'a>(
    all: impl Iterator<Item = (&'static str, &'a Compiled)>,
) -> HashMap<String, proto::Schema> {
    all.map(|(name, compiled)| (name.to_owned(), schema::to_wire(&compiled.schema)))
        .collect()
}

const CAPABILITIES: proto::ServerCapabilities = proto::ServerCapabilities {
    plan_destroy: false,
    get_provider_schema_optional: true,
    move_resource_state: true,
    generate_resource_config: false,
};
