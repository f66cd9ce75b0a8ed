//! `cargo xtask cluster`: real Kubernetes clusters on this machine, for the tests of the tier
//! `cluster`.
//!
//! Two clusters of one node each represent two organisations, which can connect only to each
//! other's nodes. They are built from pinned sources and run as plain processes, so they need
//! neither a container daemon nor an account.

mod api;
mod binaries;
mod certificates;
mod cgroups;
mod control_plane;
mod down;
mod images;
mod kubeconfig;
mod layout;
mod network;
mod node;
mod packages;
mod policies;
mod program;
mod status;
mod sysctl;
mod volumes;

use std::fs::File;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lexopt::Arg::{Long, Value};
use lexopt::{Parser, ValueExt as _};
use serde_json::json;

use crate::Result;
use crate::arguments::help_or_refuse;
use crate::repository::Repository;

use api::Api;
use binaries::Binaries;
use control_plane::Starter;
use images::Images;
use kubeconfig::Kubeconfig;
use layout::{Folders, STORAGE_CLASS, Tenant, make_folder, write};
use program::{Program, wait_for};

const HELP: &str = "\
Runs one-node Kubernetes clusters on this machine (Debian, as root), for tests.

Usage: cargo xtask cluster up [options]
       cargo xtask cluster down
       cargo xtask cluster status

Options of up:
  --tenants N        how many clusters, 1 or 2 (default: 2): contexts tenant-a and tenant-b
  --flower VERSIONS  Flower releases to build images of, such as 1.42.0,1.37.0 (default: 1.42.0,1.38.0,1.32.1,1.22.0,1.20.0)
  --rebuild          build the images again

The first `up` builds Kubernetes, which takes minutes; the cache folder keeps the result.
";

/// The number of tenants for which there are addresses.
const MOST_TENANTS: u8 = 2;
/// The releases that the tests use: the newest, one with a separate port for the Fleet API, one
/// whose Control API is gRPC, one that reads keys from a file, and one without SuperExec and health
/// service.
const FLOWER: [&str; 5] = ["1.42.0", "1.38.0", "1.32.1", "1.22.0", "1.20.0"];
/// The command that `up` starts in the background, for one tenant.
const PROVISION: &str = "provision";

/// The options of `up`.
pub struct Options {
    /// The number of clusters.
    pub tenants: u8,
    /// The Flower releases of the images.
    pub flower: Vec<String>,
    /// Whether to build the images again.
    pub rebuild: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tenants: MOST_TENANTS,
            flower: FLOWER.map(str::to_owned).to_vec(),
            rebuild: false,
        }
    }
}

/// Running clusters.
pub struct Cluster {
    /// How long the start took, if they were not running already.
    pub started_in: Duration,
    /// The kubeconfig, with a context for each tenant.
    pub kubeconfig: PathBuf,
    /// The prefix for `flwr/superlink:…`; empty, because every node pulls the images of all
    /// registries from ours.
    pub image_prefix: String,
    /// The default StorageClass.
    pub storage_class: String,
    /// The contexts, such as `tenant-a`, with the addresses of their nodes.
    pub tenants: Vec<(String, String)>,
}

/// Runs the command.
pub fn run(mut arguments: Parser) -> Result<ExitCode> {
    let command = match arguments.next()? {
        None => return help_or_refuse(Long("help"), HELP),
        Some(Value(command)) => command.string()?,
        Some(other) => return help_or_refuse(other, HELP),
    };
    if command == PROVISION {
        provision(arguments)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut options = Options::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("rebuild") if command == "up" => options.rebuild = true,
            Long("tenants") if command == "up" => {
                options.tenants = tenants(&arguments.value()?.string()?)?;
            }
            Long("flower") if command == "up" => {
                let versions = arguments.value()?.string()?;
                options.flower = versions.split(',').map(str::to_owned).collect();
            }
            other => return help_or_refuse(other, HELP),
        }
    }
    match command.as_str() {
        "help" => print!("{HELP}"),
        "up" => {
            let cluster = up(&Repository::find()?, &options)?;
            for (context, address) in &cluster.tenants {
                eprintln!(
                    "{context}: node {address}, storage class {}",
                    cluster.storage_class
                );
            }
            println!("export KUBECONFIG={}", cluster.kubeconfig.display());
            println!("export FLOWER_TEST_IMAGE_PREFIX={}", cluster.image_prefix);
        }
        "down" => down()?,
        "status" => {
            if !status::print(&Folders::find()?)? {
                return Ok(ExitCode::FAILURE);
            }
        }
        unknown => return Err(format!("there is no command `cluster {unknown}`\n\n{HELP}").into()),
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts the clusters, unless they already run with these options.
pub fn up(repository: &Repository, options: &Options) -> Result<Cluster> {
    let folders = Folders::find()?;
    let _lock = lock(&folders)?;
    let registry = packages::ensure(&folders)?;
    let binaries = Binaries::find_or_build(repository, &folders)?;
    let images = Images::find(repository, &folders, registry)?;
    let plan = json!({
        "tenants": options.tenants,
        "binaries": binaries.folders().collect::<Vec<_>>(),
        "images": images.folder(),
    });
    let mut started_in = Duration::ZERO;
    if options.rebuild || !status::is_healthy(&folders, &plan)? {
        down::clear(&folders)?;
        if options.rebuild {
            images.remove()?;
        }
        started_in = start(&folders, &binaries, &images, options).map_err(|e| {
            format!(
                "{e}\n\nThe logs are in {}",
                folders.state().join("logs").display()
            )
        })?;
        status::record(&folders, &plan)?;
    } else {
        images.ensure(&binaries, &options.flower)?;
    }
    eprintln!("ready in {:.1} s", started_in.as_secs_f64());
    Ok(Cluster {
        started_in,
        kubeconfig: folders.kubeconfig(),
        // The name of the registry, so that the gateway's image is pulled by its tag: ours differs
        // from the published one and has another digest.
        image_prefix: "docker.io/".to_owned(),
        storage_class: STORAGE_CLASS.to_owned(),
        tenants: status::running(&folders)
            .iter()
            .map(|tenant| (tenant.context(), tenant.address()))
            .collect(),
    })
}

/// Ends the clusters. The programs and images stay in the cache.
pub fn down() -> Result<()> {
    let folders = Folders::find()?;
    let _lock = lock(&folders)?;
    down::clear(&folders)
}

/// Starts them; returns how long that took, without the builds.
fn start(
    folders: &Folders,
    binaries: &Binaries,
    images: &Images,
    options: &Options,
) -> Result<Duration> {
    let state = folders.state();
    let tenants = Tenant::first(options.tenants, &state);
    sysctl::save(&state)?;
    network::make_bridge()?;
    images.serve(&state)?;
    images.ensure(binaries, &options.flower)?;

    // A build while the clusters run replaces the file of this program.
    std::fs::copy("/proc/self/exe", own_copy(&state))?;

    let began = Instant::now();
    let mut kubeconfig = Kubeconfig::default();
    for tenant in &tenants {
        network::make_node(tenant)?;
        let (authority, admin) = certificates::create(tenant)?;
        kubeconfig.add(tenant, &authority, &admin);
    }
    write(&folders.kubeconfig(), kubeconfig.text())?;

    std::thread::scope(|scope| {
        let starts: Vec<_> = tenants
            .iter()
            .map(|tenant| {
                let starter = Starter {
                    state: &state,
                    tenant,
                    binaries,
                };
                // Errors cross the thread boundary as text.
                scope.spawn(move || start_tenant(&starter).map_err(|e| e.to_string()))
            })
            .collect();
        starts.into_iter().try_for_each(|start| {
            start
                .join()
                .map_err(|_| "starting a cluster panicked".to_owned())?
        })
    })?;
    Ok(began.elapsed())
}

/// A copy of this program, for the processes that it starts.
fn own_copy(state: &Path) -> PathBuf {
    state.join("xtask")
}

fn start_tenant(starter: &Starter) -> Result<()> {
    let (state, tenant) = (starter.state, starter.tenant);
    let containerd = starter.containerd()?;
    let mut programs = starter.api_server()?;
    let api = Api::new(tenant)?;
    starter.controllers(&api, &mut programs)?;
    starter.kubelet(containerd, &mut programs)?;
    programs.push(Program::start(
        state,
        &format!("{}-{PROVISION}", tenant.letter()),
        &[
            own_copy(state).as_os_str(),
            "cluster".as_ref(),
            PROVISION.as_ref(),
            tenant.letter().as_ref(),
            state.as_os_str(),
        ],
    )?);
    api.create_storage_class()?;
    wait_for(
        &format!("the node of {}", tenant.context()),
        Duration::from_mins(1),
        &mut programs,
        || {
            Ok(api.takes_pods(&tenant.node())
                && TcpStream::connect(format!("{}:53", tenant.address())).is_ok())
        },
    )?;
    // It needs the node's address, which the kubelet reports.
    starter.policies(&mut programs)
}

fn tenants(count: &str) -> Result<u8> {
    let number = count.parse().ok();
    let number = number.filter(|number| (1..=MOST_TENANTS).contains(number));
    Ok(number.ok_or_else(|| format!("--tenants must be 1 to {MOST_TENANTS}, not `{count}`"))?)
}

fn provision(mut arguments: Parser) -> Result<()> {
    let letter = arguments.value()?.string()?;
    let state = PathBuf::from(arguments.value()?);
    let tenant = Tenant::first(MOST_TENANTS, &state)
        .into_iter()
        .find(|tenant| tenant.letter() == letter)
        .ok_or_else(|| format!("there is no tenant `{letter}`"))?;
    volumes::serve(&tenant)
}

fn lock(folders: &Folders) -> Result<File> {
    let path = folders.lock();
    if let Some(parent) = path.parent() {
        make_folder(parent)?;
    }
    let file = File::create(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    file.lock()?;
    Ok(file)
}
