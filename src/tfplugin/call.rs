//! The context of one call: the configured provider, the stop signal, and a slot for state that
//! must not be lost.

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
    /// The configured provider.
    pub provider: Arc<C>,
    /// Cancelled when Terraform asks to stop: every wait selects on it.
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

    /// Adds the private data that Terraform stores for this object.
    pub(super) fn with_private(self, private: Bytes) -> Self {
        self.keep_private(private);
        self
    }

    /// The private data from the plan, or from the last call that kept some; empty if there is
    /// none.
    pub fn private(&self) -> Bytes {
        lock(&self.private).clone()
    }

    /// Stores private data with the object, even if the call then fails. Plans do not show it, but
    /// it is in the state, so it must not contain a secret.
    pub fn keep_private(&self, bytes: impl Into<Bytes>) {
        *lock(&self.private) = bytes.into();
    }

    /// Shows the user a warning.
    pub fn warn(&self, warning: Diagnostic) {
        lock(&self.warnings).push(warning);
    }

    pub(super) fn warnings(&self) -> Diagnostics {
        std::mem::take(&mut lock(&self.warnings))
    }
}

/// The slot for the state that a create or update has reached.
///
/// Terraform stores the last value, even if the call then fails, is interrupted or panics: put an
/// object's identity here as soon as it exists, before any wait.
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

/// A panic in another task must not hide the value from before.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
