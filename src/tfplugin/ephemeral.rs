//! Ephemeral resources: values that exist only while Terraform runs and are never stored.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::call::Call;
use super::diagnostic::Result;
use super::path::Path;
use super::resource::Compiled;
use super::schema::{self, Attr, Model, Schema};
use super::value::Value;

/// A kind of ephemeral resource.
pub trait Ephemeral: Send + Sync + 'static {
    type Model: Model;
    type Provider: Send + Sync + 'static;

    const TYPE: &'static str;

    fn schema() -> Schema {
        Schema::of::<Self::Model>()
    }

    fn open(
        call: Call<Self::Provider>,
        config: Self::Model,
    ) -> impl Future<Output = Result<Opened<Self::Model>>> + Send;

    /// Extends the lifetime of the opened resource; returns the time of the next renewal, if there
    /// is one.
    fn renew(
        _call: Call<Self::Provider>,
        _private: Bytes,
    ) -> impl Future<Output = Result<Option<SystemTime>>> + Send {
        async { Ok(None) }
    }

    fn close(
        _call: Call<Self::Provider>,
        _private: Bytes,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }
}

/// An opened ephemeral resource.
#[derive(Debug)]
pub struct Opened<M> {
    pub result: M,
    /// The data that renewing and closing need.
    pub private: Bytes,
    pub renew_at: Option<SystemTime>,
}

/// An ephemeral resource, whatever its model is.
pub trait AnyEphemeral<C>: Send + Sync {
    #[doc(hidden)]
    fn type_name(&self) -> &'static str;
    #[doc(hidden)]
    fn compiled(&self) -> &Compiled;
    #[doc(hidden)]
    fn open(&self, call: Call<C>, config: Value) -> BoxFuture<'static, Result<Opened<Value>>>;
    #[doc(hidden)]
    fn renew(
        &self,
        call: Call<C>,
        private: Bytes,
    ) -> BoxFuture<'static, Result<Option<SystemTime>>>;
    #[doc(hidden)]
    fn close(&self, call: Call<C>, private: Bytes) -> BoxFuture<'static, Result<()>>;
}

/// Adds `E` to the ephemeral resources of a provider.
pub fn erase<E: Ephemeral>() -> Arc<dyn AnyEphemeral<E::Provider>> {
    Arc::new(Erased::<E> {
        compiled: OnceLock::new(),
        ephemeral: PhantomData,
    })
}

struct Erased<E> {
    compiled: OnceLock<Compiled>,
    ephemeral: PhantomData<E>,
}

impl<E: Ephemeral> AnyEphemeral<E::Provider> for Erased<E> {
    fn type_name(&self) -> &'static str {
        E::TYPE
    }

    fn compiled(&self) -> &Compiled {
        self.compiled.get_or_init(|| E::schema().into())
    }

    fn open(
        &self,
        call: Call<E::Provider>,
        config: Value,
    ) -> BoxFuture<'static, Result<Opened<Value>>> {
        let attributes = &self.compiled().schema.attributes;
        let config = schema::plan(attributes, &Value::Null, &config, &config).state;
        Box::pin(async move {
            let config = E::Model::decode(&config, &Path::default())?;
            let opened = E::open(call, config).await?;
            Ok(Opened {
                result: opened.result.encode(),
                private: opened.private,
                renew_at: opened.renew_at,
            })
        })
    }

    fn renew(
        &self,
        call: Call<E::Provider>,
        private: Bytes,
    ) -> BoxFuture<'static, Result<Option<SystemTime>>> {
        Box::pin(E::renew(call, private))
    }

    fn close(&self, call: Call<E::Provider>, private: Bytes) -> BoxFuture<'static, Result<()>> {
        Box::pin(E::close(call, private))
    }
}
