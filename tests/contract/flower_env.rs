//! The programs of a real Flower, installed once into the cache of the provider.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

use terraform_provider_flower::flower::version;
use terraform_provider_flower::runtime::PythonEnvironment;
use terraform_provider_flower::runtime::local::LocalRuntime;
use tokio_util::sync::CancellationToken;

static PROGRAMS: LazyLock<Mutex<HashMap<String, Arc<OnceLock<PathBuf>>>>> =
    LazyLock::new(Mutex::default);

/// The folder with the programs of a release.
pub fn programs(flower_version: &str) -> PathBuf {
    let programs = Arc::clone(
        PROGRAMS
            .lock()
            .unwrap()
            .entry(flower_version.to_owned())
            .or_default(),
    );
    programs.get_or_init(|| install(flower_version)).clone()
}

fn install(flower_version: &str) -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache"),
        PathBuf::from,
    );
    let runtime = LocalRuntime {
        data_dir: PathBuf::new(),
        cache_dir: cache.join("terraform-provider-flower"),
        python: "python3".to_owned(),
    };
    let wanted = PythonEnvironment {
        flower_version: flower_version.to_owned(),
        oldest: (3, 10),
        newest: None,
        requirements: Vec::new(),
        simulation: false,
    };
    // In its own thread: tests may already run in a runtime.
    std::thread::spawn(move || {
        let waiting = tokio::runtime::Runtime::new().unwrap();
        waiting
            .block_on(runtime.programs(&wanted, &CancellationToken::new()))
            .unwrap()
    })
    .join()
    .unwrap()
}

/// The path of a program of the newest release.
pub fn bin(name: &str) -> PathBuf {
    programs(&version::DEFAULT.to_string()).join(name)
}
