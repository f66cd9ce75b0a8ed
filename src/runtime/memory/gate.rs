//! Failures at a chosen step: every step of a provider with an external effect passes a gate, and
//! the gate knows which fault to inject at which step.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The fault and its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    Never,
    /// The provider is killed: neither this step nor any later one takes effect.
    Kill(usize),
    /// The user interrupts Terraform.
    Interrupt(usize),
    /// The step fails and changes nothing.
    Fail(usize),
}

/// Whether the gate is before or after the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    After,
}

/// The error of a step that was chosen to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

/// The gate of one provider process.
pub(crate) struct Gate {
    at: Break,
    passed: AtomicUsize,
    killed: Notify,
    /// Cancelled when the user interrupts Terraform.
    pub(crate) stop: CancellationToken,
}

impl Gate {
    pub(crate) fn new(at: Break) -> Self {
        Self {
            at,
            passed: AtomicUsize::new(0),
            killed: Notify::new(),
            stop: CancellationToken::new(),
        }
    }

    /// How many steps passed the gate, or tried to.
    pub(crate) fn count(&self) -> usize {
        self.passed.load(Ordering::SeqCst)
    }

    /// Waits until the provider is killed.
    pub(crate) async fn killed(&self) {
        self.killed.notified().await;
    }

    pub(crate) async fn pass(&self, side: Side) -> Result<(), Broken> {
        tokio::task::yield_now().await;
        let number = self.passed.fetch_add(1, Ordering::SeqCst);
        match self.at {
            Break::Kill(at) if number >= at => {
                self.killed.notify_one();
                std::future::pending().await
            }
            Break::Interrupt(at) if number == at => {
                self.stop.cancel();
                Ok(())
            }
            Break::Fail(at) if number == at && side == Side::Before => Err(Broken),
            _ => Ok(()),
        }
    }
}
