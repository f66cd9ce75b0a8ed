//! An echo provider on our plugin layer: it returns its plan as the state.
//!
//! `echo_thing` has the same 26 attributes as the Go peer in `benches/peer`, so that the bench can
//! use one configuration for both. `echo_probe`, the function and the ephemeral resource are for
//! the acceptance tests of the plugin layer.

mod probe;
mod thing;

use std::sync::Arc;

use terraform_provider_flower::tfplugin::diagnostic::Result;
use terraform_provider_flower::tfplugin::schema::{Tree, optional};
use terraform_provider_flower::tfplugin::{self, Mode, Provider};
use terraform_provider_flower::{at, model};

model! {
    /// Echoes.
    struct Config {
        /// Anything; may be unknown.
        greeting: Option<String> = optional(),
    }
}

struct Echo;

impl Provider for Echo {
    type Configured = ();
    type Model = Config;

    fn configure(&self, config: &Tree<Config>) -> Result<Option<()>> {
        Ok(config
            .get::<Option<String>>(at!(Config, greeting))?
            .known()
            .map(drop))
    }

    fn resources(&self) -> Vec<Arc<dyn tfplugin::AnyResource<()>>> {
        vec![
            tfplugin::resource::<thing::Thing>(),
            tfplugin::resource::<probe::Probe>(),
        ]
    }

    fn ephemerals(&self) -> Vec<Arc<dyn tfplugin::AnyEphemeral<()>>> {
        vec![tfplugin::ephemeral::<probe::Ticket>()]
    }

    fn functions(&self) -> Vec<Arc<dyn tfplugin::Function>> {
        vec![Arc::new(probe::Repeat)]
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    let mode = match std::env::args().nth(1).as_deref() {
        Some("--debug") => Mode::Debug,
        _ => Mode::Plugin,
    };
    match tfplugin::serve(Echo, "registry.terraform.io/flower/echo", mode).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}
