//! Where a provider breaks off: every step that it takes outside of itself passes a gate, which is told at
//! which of them what goes wrong.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What goes wrong, and at which step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Break {
    Never,
    /// The provider is killed: neither this step nor any later one comes about.
    Kill(usize),
    /// The user interrupts Terraform.
    Interrupt(usize),
    /// The step fails, and has changed nothing.
    Fail(usize),
}

/// Whether a step is about to be taken, or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Before,
    After,
}

/// The step was to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

/// The gate of one provider process.
pub(crate) struct Gate {
    at: Break,
    passed: AtomicUsize,
    killed: Notify,
    /// Cancelled where the user interrupts.
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

    /// How often it was passed, or tried to be.
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
