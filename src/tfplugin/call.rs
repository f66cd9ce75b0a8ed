//! What a resource is given for one call: the configured provider, when to stop, and where to put
//! what must not be lost.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::schema::Attr;
use super::value::Value;

/// One call to a resource or data source.
#[derive(Debug)]
pub struct Call<C> {
    /// What the provider's configuration came to.
    pub provider: Arc<C>,
    /// Cancelled when the host asks to stop: every wait selects on it.
    pub stop: CancellationToken,
    warnings: Arc<Mutex<Diagnostics>>,
    private: Arc<Mutex<Bytes>>,
}

impl<C> Clone for Call<C> {
    fn clone(&self) -> Self {
        Self {
            provider: Arc::clone(&self.provider),
            stop: self.stop.clone(),
            warnings: Arc::clone(&self.warnings),
            private: Arc::clone(&self.private),
        }
    }
}

impl<C> Call<C> {
    pub(crate) fn new(provider: Arc<C>, stop: CancellationToken) -> Self {
        Self {
            provider,
            stop,
            warnings: Arc::default(),
            private: Arc::default(),
        }
    }

    /// With what Terraform keeps for this object beside its attributes.
    pub(super) fn with_private(self, private: Bytes) -> Self {
        self.keep_private(private);
        self
    }

    /// What was last kept for this object, when planned or by a call; empty until something was.
    pub fn private(&self) -> Bytes {
        lock(&self.private).clone()
    }

    /// Keeps bytes beside the object's attributes, also when the call then fails. No plan shows
    /// them, but they are in the state for whoever reads it: no place for a secret.
    pub fn keep_private(&self, bytes: impl Into<Bytes>) {
        *lock(&self.private) = bytes.into();
    }

    /// Tells the user something that does not fail the call.
    pub fn warn(&self, warning: Diagnostic) {
        lock(&self.warnings).push(warning);
    }

    pub(super) fn warnings(&self) -> Diagnostics {
        std::mem::take(&mut lock(&self.warnings))
    }
}

/// Where a create or update puts the state it has reached.
///
/// Whatever was put last is what Terraform stores, also when the work then fails, is interrupted or
/// panics: put an object's identity here as soon as it exists, before any wait.
#[derive(Debug)]
pub struct Slot<M> {
    value: Arc<Mutex<Value>>,
    model: PhantomData<fn(M)>,
}

impl<M> Clone for Slot<M> {
    fn clone(&self) -> Self {
        Self {
            value: Arc::clone(&self.value),
            model: PhantomData,
        }
    }
}

impl<M: Attr> Slot<M> {
    pub(super) fn new(value: Value) -> Self {
        Self {
            value: Arc::new(Mutex::new(value)),
            model: PhantomData,
        }
    }

    pub fn put(&self, state: &M) {
        *lock(&self.value) = state.encode();
    }

    pub(super) fn clear(&self) {
        *lock(&self.value) = Value::Null;
    }

    pub(super) fn value(&self) -> Value {
        lock(&self.value).clone()
    }
}

/// A panic elsewhere must not hide what was put before it.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
