//! The traits of providers and data sources.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use futures_util::future::BoxFuture;

use super::call::Call;
use super::diagnostic::{Diagnostics, Result};
use super::ephemeral::AnyEphemeral;
use super::function::Function;
use super::path::Path;
use super::resource::{AnyResource, Compiled};
use super::schema::{self, Attr, Model, Schema, Tree};
use super::value::Value;

/// A provider: its configuration, resources, data sources and functions.
pub trait Provider: Send + Sync + 'static {
    /// The configured provider; resources get it with each call.
    type Configured: Send + Sync + 'static;
    type Model: Model;

    fn schema(&self) -> Schema {
        Schema::of::<Self::Model>()
    }

    /// Checks that need more than one attribute. Values may be unknown.
    fn validate(&self, _config: &Tree<Self::Model>) -> Diagnostics {
        Diagnostics::default()
    }

    /// Configures the provider. This must not use the network; `None` if the configuration depends
    /// on values that are unknown until apply.
    fn configure(&self, config: &Tree<Self::Model>) -> Result<Option<Self::Configured>>;

    fn resources(&self) -> Vec<Arc<dyn AnyResource<Self::Configured>>>;

    fn data_sources(&self) -> Vec<Arc<dyn AnyDataSource<Self::Configured>>> {
        Vec::new()
    }

    fn ephemerals(&self) -> Vec<Arc<dyn AnyEphemeral<Self::Configured>>> {
        Vec::new()
    }

    fn functions(&self) -> Vec<Arc<dyn Function>> {
        Vec::new()
    }
}

/// A data source.
pub trait DataSource: Send + Sync + 'static {
    type Model: Model;
    type Provider: Send + Sync + 'static;

    const TYPE: &'static str;

    fn schema() -> Schema {
        Schema::of::<Self::Model>()
    }

    fn validate(_config: &Tree<Self::Model>) -> Diagnostics {
        Diagnostics::default()
    }

    fn read(
        call: Call<Self::Provider>,
        config: Self::Model,
    ) -> impl Future<Output = Result<Self::Model>> + Send;
}

/// A data source, whatever its model is.
pub trait AnyDataSource<C>: Send + Sync {
    #[doc(hidden)]
    fn type_name(&self) -> &'static str;
    #[doc(hidden)]
    fn compiled(&self) -> &Compiled;
    #[doc(hidden)]
    fn validate(&self, config: Value) -> Diagnostics;
    #[doc(hidden)]
    fn read(&self, call: Call<C>, config: Value) -> BoxFuture<'static, Result<Value>>;
}

/// Adds `D` to the data sources of a provider.
pub fn data_source<D: DataSource>() -> Arc<dyn AnyDataSource<D::Provider>> {
    Arc::new(Erased::<D> {
        compiled: OnceLock::new(),
        data_source: PhantomData,
    })
}

/// The type name and schema of a data source, for the documentation.
pub fn data_source_schema<C>(data_source: &dyn AnyDataSource<C>) -> (&'static str, &Schema) {
    (data_source.type_name(), &data_source.compiled().schema)
}

struct Erased<D> {
    compiled: OnceLock<Compiled>,
    data_source: PhantomData<D>,
}

impl<D: DataSource> AnyDataSource<D::Provider> for Erased<D> {
    fn type_name(&self) -> &'static str {
        D::TYPE
    }

    fn compiled(&self) -> &Compiled {
        self.compiled.get_or_init(|| D::schema().into())
    }

    fn validate(&self, config: Value) -> Diagnostics {
        D::validate(&Tree::new(config))
    }

    fn read(&self, call: Call<D::Provider>, config: Value) -> BoxFuture<'static, Result<Value>> {
        let attributes = &self.compiled().schema.attributes;
        let config = schema::plan(attributes, &Value::Null, &config, &config).state;
        Box::pin(async move {
            let config = D::Model::decode(&config, &Path::default())?;
            Ok(D::read(call, config).await?.encode())
        })
    }
}
