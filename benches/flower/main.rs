//! The operations of `flwr build` and `flwr run` with this provider's own code, in a separate
//! process, so that `cargo xtask bench` can compare both.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use terraform_provider_flower::flower::app_source::AppTree;
use terraform_provider_flower::flower::control::{ControlClient, ControlEndpoint, StartRun};
use terraform_provider_flower::flower::fab::{self, Fab};
use terraform_provider_flower::flower::run_config::RunConfig;

const HELP: &str = "\
Usage: flower-bench build APP FILE    writes the FAB of the app in the folder APP
       flower-bench run URL APP       submits the app to http://HOST:PORT and prints the run's id
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["build", app, file] => write(app, file),
        ["run", url, app] => submit(url, app),
        _ => Err(HELP.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn bundle(app: &str) -> Result<Fab, Box<dyn Error>> {
    Ok(fab::build(&AppTree::from_dir(Path::new(app), &[])?)?)
}

fn write(app: &str, file: &str) -> Result<(), Box<dyn Error>> {
    Ok(std::fs::write(file, bundle(app)?.bytes)?)
}

fn submit(url: &str, app: &str) -> Result<(), Box<dyn Error>> {
    let start = StartRun::new(bundle(app)?.bytes, RunConfig::new(), "");
    let client = ControlClient::connect(&ControlEndpoint::parse(url, None)?);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let id = runtime.block_on(client.start_run(&start))?;
    #[expect(clippy::print_stdout, reason = "its answer")]
    {
        println!("{id}");
    }
    Ok(())
}
