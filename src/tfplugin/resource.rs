//! The trait of resources, and a form of it that does not depend on the model.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::Value as Json;

use super::call::{Call, Slot};
use super::diagnostic::{Diagnostic, Diagnostics, Result};
use super::path::Path;
use super::schema::{self, Attr, Maybe, Model, ModelPath, Schema, Tree};
use super::value::{Type, Value};

/// A kind of object that Terraform manages.
///
/// All values are checked against the schema before a function gets them. Waits select on
/// `call.stop`.
pub trait Resource: Send + Sync + 'static {
    type Model: Model;
    /// The configured provider.
    type Provider: Send + Sync + 'static;

    /// `flower_…`
    const TYPE: &'static str;

    /// Increased whenever the attributes of the identity change.
    const IDENTITY_VERSION: i64 = 0;

    fn schema() -> Schema {
        Schema::of::<Self::Model>()
    }

    /// Checks that need more than one attribute. Values may be unknown.
    fn validate(_config: &Tree<Self::Model>) -> Diagnostics {
        Diagnostics::default()
    }

    /// Refines the plan that follows from the schema. `provider` is `None` while the provider
    /// configuration is unknown; the plan of a create uses no network.
    fn plan(
        _provider: Option<Arc<Self::Provider>>,
        _plan: &mut Plan<Self::Model>,
    ) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Creates the object; `config` also has the write-only values.
    fn create(
        call: Call<Self::Provider>,
        planned: Self::Model,
        config: Tree<Self::Model>,
        slot: Slot<Self::Model>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Reads the object; `None` if it no longer exists.
    fn read(
        call: Call<Self::Provider>,
        state: Self::Model,
    ) -> impl Future<Output = Result<Option<Self::Model>>> + Send;

    /// Updates the object; Terraform keeps the prior state until something is put into `slot`.
    fn update(
        call: Call<Self::Provider>,
        prior: Self::Model,
        planned: Self::Model,
        config: Tree<Self::Model>,
        slot: Slot<Self::Model>,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Deletes the object; it is no error if it no longer exists.
    fn delete(
        call: Call<Self::Provider>,
        state: Self::Model,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Finds an existing object for an import.
    fn import(
        call: Call<Self::Provider>,
        what: Import<Self::Model>,
    ) -> impl Future<Output = Result<Self::Model>> + Send;

    /// Upgrades an identity of an older version to the current one.
    fn upgrade_identity(_version: i64, identity: Json) -> Result<Json> {
        Ok(identity)
    }

    /// Upgrades a state of an older schema version to the current one.
    fn upgrade(_version: i64, state: Json) -> Result<Json> {
        Ok(state)
    }

    /// Converts the state of another resource type; `None` if this type is not supported.
    fn move_state(_source_type: &str, _state: &Json) -> Option<Result<Json>> {
        None
    }
}

/// How an import names the object of a model.
#[derive(Debug, Clone)]
pub enum Import<M> {
    /// By an `id`.
    Id(String),
    /// By its identity: an object with the attributes that the schema marks as identity.
    Identity(Tree<M>),
}

impl<M> Import<M> {
    /// The id, for a resource whose identity is its `id`.
    pub fn id(self) -> Result<String> {
        match self {
            Self::Id(id) => Ok(id),
            Self::Identity(identity) => {
                let id = identity
                    .get::<Option<String>>(ModelPath::checked(["id"]))?
                    .known()
                    .flatten();
                let none = || Diagnostic::error("The identity to import has no id");
                Ok(id.ok_or_else(none)?)
            }
        }
    }
}

/// The plan of a change of a model.
#[derive(Debug)]
pub struct Plan<M> {
    /// The state before the change; null for a create.
    pub prior: Tree<M>,
    pub config: Tree<M>,
    /// The state after the change, as far as it is known.
    pub planned: Tree<M>,
    replace: Vec<Path>,
    /// Warnings for the user.
    pub notes: Diagnostics,
    /// The data of [`Call::keep_private`]. The call that applies this plan gets the value that is
    /// set here.
    pub private: Bytes,
}

impl<M> Plan<M> {
    pub fn is_create(&self) -> bool {
        self.prior.0.is_null()
    }

    /// Whether the plan already replaces the resource.
    pub fn is_replacement(&self) -> bool {
        !self.replace.is_empty()
    }

    /// Whether the planned state differs from the prior one.
    pub fn has_changes(&self) -> bool {
        self.planned.0 != self.prior.0
    }

    /// Whether the attribute at `path` changes, or may change.
    pub fn changes(&self, path: ModelPath<M>) -> bool {
        self.prior.value(path) != self.planned.value(path)
    }

    /// Sets the planned value of a computed attribute.
    pub fn set(&mut self, path: ModelPath<M>, value: impl Attr) {
        self.planned.set(path, value.encode());
    }

    /// Marks a computed attribute as unknown until apply.
    pub fn set_unknown(&mut self, path: ModelPath<M>) {
        self.planned.set(path, Value::UNKNOWN);
    }

    /// The planned value at `path`, decoded.
    pub fn get<T: Attr>(&self, path: ModelPath<M>) -> Result<Maybe<T>> {
        self.planned.get(path)
    }

    /// Plans a replacement because of the attribute at `path`. Terraform's plan shows the
    /// attribute; its description explains the reason.
    pub fn replace(&mut self, path: ModelPath<M>) {
        let path = path.path();
        if !self.is_create() && !self.replace.contains(&path) {
            self.replace.push(path);
        }
    }

    /// The planned state, with what the configuration leaves to the provider as it was before.
    pub fn with_prior_computed(&self) -> Tree<M> {
        let mut planned = self.planned.clone();
        if let Value::Map(entries) = &mut planned.0 {
            for (name, value) in entries {
                if value.is_unknown() && self.config.0.get(name).is_null() {
                    *value = self.prior.0.get(name).clone();
                }
            }
        }
        planned
    }

    /// The attributes that require the replacement.
    pub fn replaced_for(&self) -> &[Path] {
        &self.replace
    }
}

/// A schema and values that are derived from it, computed on first use.
#[derive(Debug)]
pub struct Compiled {
    pub schema: Schema,
    pub ty: Type,
}

impl From<Schema> for Compiled {
    fn from(schema: Schema) -> Self {
        let ty = schema.ty();
        Self { schema, ty }
    }
}

pub struct PlanOutcome {
    pub state: Value,
    pub replace: Vec<Path>,
    pub private: Bytes,
    pub messages: Diagnostics,
}

pub struct ApplyOutcome {
    pub state: Value,
    pub messages: Diagnostics,
}

/// A resource, whatever its model is.
pub trait AnyResource<C>: Send + Sync {
    #[doc(hidden)]
    fn type_name(&self) -> &'static str;
    #[doc(hidden)]
    fn compiled(&self) -> &Compiled;
    #[doc(hidden)]
    fn validate(&self, config: Value) -> Diagnostics;
    #[doc(hidden)]
    fn plan(
        &self,
        provider: Option<Arc<C>>,
        prior: Value,
        proposed: Value,
        config: Value,
        private: Bytes,
    ) -> BoxFuture<'static, PlanOutcome>;
    #[doc(hidden)]
    fn apply(
        &self,
        call: Call<C>,
        prior: Value,
        planned: Value,
        config: Value,
    ) -> BoxFuture<'static, ApplyOutcome>;
    #[doc(hidden)]
    fn read(&self, call: Call<C>, state: Value) -> BoxFuture<'static, Result<Value>>;
    #[doc(hidden)]
    fn import(&self, call: Call<C>, what: Import<()>) -> BoxFuture<'static, Result<Value>>;
    #[doc(hidden)]
    fn upgrade(&self, version: i64, state: Json) -> Result<Json>;
    #[doc(hidden)]
    fn upgrade_identity(&self, version: i64, identity: Json) -> Result<Json>;
    #[doc(hidden)]
    fn move_state(&self, source_type: &str, state: &Json) -> Option<Result<Json>>;
}

/// Adds `R` to the resources of a provider.
pub fn erase<R: Resource>() -> Arc<dyn AnyResource<R::Provider>> {
    Arc::new(Erased::<R> {
        compiled: OnceLock::new(),
        resource: PhantomData,
    })
}

/// The type name and schema of a resource, for the documentation.
pub fn schema_of<C>(resource: &dyn AnyResource<C>) -> (&'static str, &Schema) {
    (resource.type_name(), &resource.compiled().schema)
}

struct Erased<R> {
    compiled: OnceLock<Compiled>,
    resource: PhantomData<R>,
}

impl<R: Resource> AnyResource<R::Provider> for Erased<R> {
    fn type_name(&self) -> &'static str {
        R::TYPE
    }

    fn compiled(&self) -> &Compiled {
        self.compiled.get_or_init(|| {
            let schema = Schema {
                identity_version: R::IDENTITY_VERSION,
                ..R::schema()
            };
            schema.into()
        })
    }

    fn validate(&self, config: Value) -> Diagnostics {
        R::validate(&Tree::new(config))
    }

    fn plan(
        &self,
        provider: Option<Arc<R::Provider>>,
        prior: Value,
        proposed: Value,
        config: Value,
        private: Bytes,
    ) -> BoxFuture<'static, PlanOutcome> {
        let first = schema::plan(
            &self.compiled().schema.attributes,
            &prior,
            &proposed,
            &config,
        );
        let mut plan = Plan {
            prior: Tree::new(prior),
            config: Tree::new(config),
            planned: Tree::new(first.state),
            replace: first.replace,
            notes: Diagnostics::default(),
            private,
        };
        Box::pin(async move {
            let refined = R::plan(provider, &mut plan).await;
            let mut messages = std::mem::take(&mut plan.notes);
            messages.absorb(refined);
            PlanOutcome {
                state: plan.planned.0,
                replace: plan.replace,
                private: plan.private,
                messages,
            }
        })
    }

    fn apply(
        &self,
        call: Call<R::Provider>,
        prior: Value,
        planned: Value,
        config: Value,
    ) -> BoxFuture<'static, ApplyOutcome> {
        Box::pin(async move {
            let slot = Slot::new(prior.clone());
            let done = spawned(change::<R>(
                call.clone(),
                prior,
                planned,
                config,
                slot.clone(),
            ));
            let done = done.await;
            let mut messages = call.warnings();
            messages.absorb(done);
            ApplyOutcome {
                state: slot.value(),
                messages,
            }
        })
    }

    fn read(&self, call: Call<R::Provider>, state: Value) -> BoxFuture<'static, Result<Value>> {
        Box::pin(async move {
            let state = R::Model::decode(&state, &Path::default())?;
            let state = R::read(call, state).await?;
            Ok(state.encode())
        })
    }

    fn import(
        &self,
        call: Call<R::Provider>,
        what: Import<()>,
    ) -> BoxFuture<'static, Result<Value>> {
        let what = match what {
            Import::Id(id) => Import::Id(id),
            Import::Identity(identity) => Import::Identity(Tree::new(identity.0)),
        };
        Box::pin(async move { Ok(R::import(call, what).await?.encode()) })
    }

    fn upgrade(&self, version: i64, state: Json) -> Result<Json> {
        R::upgrade(version, state)
    }

    fn upgrade_identity(&self, version: i64, identity: Json) -> Result<Json> {
        R::upgrade_identity(version, identity)
    }

    fn move_state(&self, source_type: &str, state: &Json) -> Option<Result<Json>> {
        R::move_state(source_type, state)
    }
}

async fn change<R: Resource>(
    call: Call<R::Provider>,
    prior: Value,
    planned: Value,
    config: Value,
    slot: Slot<R::Model>,
) -> Result<()> {
    let root = Path::default();
    let config = Tree::new(config);
    if planned.is_null() {
        R::delete(call, R::Model::decode(&prior, &root)?).await?;
        slot.clear();
        return Ok(());
    }
    let planned = R::Model::decode(&planned, &root)?;
    if prior.is_null() {
        return R::create(call, planned, config, slot).await;
    }
    let prior = R::Model::decode(&prior, &root)?;
    R::update(call, prior, planned, config, slot).await
}

/// Runs work as its own task, so that a panic becomes a diagnostic.
pub(super) async fn spawned<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    match tokio::spawn(work).await {
        Ok(done) => done,
        Err(failed) => Err(bug(failed).into()),
    }
}

/// The diagnostic for a panic in the provider.
pub(super) fn bug(failed: tokio::task::JoinError) -> Diagnostic {
    let why = match failed.try_into_panic() {
        Ok(payload) => payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned()),
        Err(cancelled) => cancelled.to_string(),
    };
    Diagnostic::error("Internal error in the provider")
        .detail(format!(
            "This is a bug. The provider stopped during this operation: {why}"
        ))
        .detail(
            "The state contains everything that existed before. Please report this with the \
                         output of TF_LOG_PROVIDER=debug.",
        )
}
