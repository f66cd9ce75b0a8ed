//! The provider's process: Terraform starts it as a plugin; `--version` and `--debug` are for
//! people.

use std::io::Write as _;
use std::process::ExitCode;

use terraform_provider_flower::provider::Flower;
use terraform_provider_flower::tfplugin::{self, Mode};

const ADDRESS: &str = "registry.terraform.io/flower/flower";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mode = match std::env::args().nth(1).as_deref() {
        Some("--version" | "-version") => {
            let version = env!("CARGO_PKG_VERSION");
            let _ = writeln!(std::io::stdout(), "terraform-provider-flower {version}");
            return ExitCode::SUCCESS;
        }
        Some("--debug" | "-debug") => Mode::Debug,
        _ => Mode::Plugin,
    };
    match tfplugin::serve(Flower, ADDRESS, mode).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
