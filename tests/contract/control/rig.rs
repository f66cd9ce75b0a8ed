//! A real SuperLink and its nodes for the tests beside this file: creates the folders, keys and
//! certificates, and ends all processes.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use p384::pkcs8::{DecodePrivateKey as _, EncodePublicKey as _, LineEnding};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use ssh_key::private::{EcdsaKeypair, KeypairData};
use terraform_provider_flower::flower::app_source::AppTree;
use terraform_provider_flower::flower::control::{
    ControlClient, ControlEndpoint, LogStream, Run, RunId, StartRun,
};
use terraform_provider_flower::flower::fab;
use terraform_provider_flower::flower::launch::{
    ClientTls, Database, Isolation, LaunchedProcess, NodeKeys, ProcessEnvironment, ServerTls,
    SuperLinkSettings, SuperNodeSettings, superlink_processes, supernode_processes,
};
use terraform_provider_flower::flower::node_config::node_config_toml;
use terraform_provider_flower::flower::run_config::{ConfigValue, RunConfig};
use terraform_provider_flower::flower::version::{DEFAULT, row_of};

use crate::flower_env;

const PATIENCE: Duration = Duration::from_mins(1);

/// A process of a test; drop kills it with all its children.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    fn start(process: &LaunchedProcess, dir: &Path) -> Self {
        Self::start_of(&DEFAULT.to_string(), process, dir)
    }

    /// A program of another release.
    pub fn start_of(version: &str, process: &LaunchedProcess, dir: &Path) -> Self {
        let program = flower_env::programs(version).join(process.program);
        let log = dir.join(format!("{}-{}.log", process.program, unused_port()));
        let out = fs::File::create(&log).unwrap();
        let path = format!(
            "{}:{}",
            program.parent().unwrap().display(),
            std::env::var("PATH").unwrap_or_default()
        );
        let child = Command::new(&program)
            .args(&process.args)
            .envs(&process.env)
            .envs(&process.private_env)
            .env("PATH", path)
            .env("FLWR_SUPEREXEC_TASK_POLL_INTERVAL", "0.2")
            .current_dir(dir)
            .stdin(Stdio::null())
            .stderr(out.try_clone().unwrap())
            .stdout(out)
            .process_group(0)
            .spawn()
            .unwrap();
        Self { child, log }
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    pub fn wait_for_exit(&mut self) -> std::process::ExitStatus {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("still running:\n{}", self.log());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.log.display(), self.log());
        }
    }
}

pub struct SuperLink {
    // Declared first: processes are dropped before their folder.
    pub processes: Vec<Running>,
    pub settings: SuperLinkSettings,
    pub ca: Option<String>,
    pub dir: tempfile::TempDir,
}

impl SuperLink {
    pub fn plain(isolation: Isolation) -> Self {
        Self::start(
            ServerTls::Insecure,
            None,
            isolation,
            tempfile::tempdir().unwrap(),
        )
    }

    /// With TLS for 127.0.0.1 and node keys.
    pub fn with_keys() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ca = authority();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .unwrap()
            .signed_by(&key, &ca.issuer)
            .unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let tls = ServerTls::Files {
            certificate: write("server.pem", &certificate.pem()),
            key: write("server.key", &key.serialize_pem()),
            ca: write("ca.pem", &ca.pem),
        };
        Self::start(tls, Some(ca.pem), Isolation::Subprocess, dir)
    }

    fn start(
        tls: ServerTls,
        ca: Option<String>,
        isolation: Isolation,
        dir: tempfile::TempDir,
    ) -> Self {
        let settings = SuperLinkSettings {
            bind_host: "127.0.0.1".to_owned(),
            port: unused_port(),
            app_port: None,
            fleet_bind_host: "127.0.0.1".to_owned(),
            fleet_port: None,
            node_keys: if tls == ServerTls::Insecure {
                NodeKeys::Open
            } else {
                NodeKeys::Registered
            },
            simulation: false,
            tls,
            isolation,
            database: Database::File(dir.path().join("state.db").display().to_string()),
            health_address: None,
            superexec_health_address: None,
            environment: environment(dir.path()),
            extra_args: Vec::new(),
        };
        let mut superlink = Self {
            processes: Vec::new(),
            settings,
            ca,
            dir,
        };
        superlink.launch();
        superlink
    }

    pub fn launch(&mut self) {
        let processes = superlink_processes(row_of(DEFAULT).unwrap(), &self.settings).unwrap();
        self.processes = processes
            .iter()
            .map(|process| Running::start(process, self.dir.path()))
            .collect();
    }

    pub fn endpoint(&self) -> ControlEndpoint {
        let scheme = if self.ca.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://127.0.0.1:{}", self.settings.port);
        ControlEndpoint::parse(&url, self.ca.as_deref()).unwrap()
    }

    pub async fn healthy(&self) -> ControlClient {
        let client = ControlClient::connect(&self.endpoint());
        wait("the SuperLink to serve", async || {
            client.health().await.ok()
        })
        .await;
        client
    }

    pub fn node(&self, number: u16) -> SuperNodeSettings {
        SuperNodeSettings {
            superlink_address: format!("127.0.0.1:{}", self.settings.port),
            tls: match &self.settings.tls {
                ServerTls::Insecure => ClientTls::Insecure,
                ServerTls::Files { ca, .. } => ClientTls::Roots(ca.clone()),
            },
            key_file: None,
            public_key_file: None,
            node_config: [(
                "partition-id".to_owned(),
                ConfigValue::Int(i64::from(number)),
            )]
            .into(),
            node_config_file: self
                .dir
                .path()
                .join(format!("node-{number}.toml"))
                .display()
                .to_string(),
            isolation: Isolation::Subprocess,
            runtime_host: "127.0.0.1".to_owned(),
            runtime_port: unused_port(),
            health_address: None,
            superexec_health_address: None,
            environment: environment(self.dir.path()),
            extra_args: Vec::new(),
        }
    }

    pub fn start_node(&self, settings: &SuperNodeSettings) -> Vec<Running> {
        let config = node_config_toml(&settings.node_config).unwrap();
        fs::write(&settings.node_config_file, config).unwrap();
        supernode_processes(row_of(DEFAULT).unwrap(), settings)
            .unwrap()
            .iter()
            .map(|process| Running::start(process, self.dir.path()))
            .collect()
    }
}

impl Drop for SuperLink {
    fn drop(&mut self) {
        self.processes.clear();
        end_all_of(&self.settings.environment.flwr_home);
    }
}

/// Ends the processes that Flower started. Its SuperExec runs in a separate session, and the
/// ServerApps of the SuperExec outlive both; all of them have inherited a variable with the test's
/// folder.
pub fn end_all_of(flwr_home: &str) {
    let mark = format!("FLWR_HOME={flwr_home}");
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Ok(environment) = fs::read(process.path().join("environ")) else {
            continue;
        };
        let number = process.file_name().to_string_lossy().parse().ok();
        let pid = number.and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid
            && environment
                .split(|b| *b == 0)
                .any(|var| var == mark.as_bytes())
        {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

pub fn environment(dir: &Path) -> ProcessEnvironment {
    ProcessEnvironment {
        flwr_home: dir.join("home").display().to_string(),
        log_level: None,
        artifacts: None,
        variables: BTreeMap::new(),
    }
}

/// A port that no server and no other test uses. It is below the ports that the kernel assigns: a
/// connection could take one of those before a SuperLink has started.
pub fn unused_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let own = u16::try_from(std::process::id() % 64).unwrap() * 128;
    loop {
        let port = 20_000 + own + NEXT.fetch_add(1, Ordering::Relaxed) % 8192;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub pem: String,
}

pub fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // OpenSSL treats a certificate with the same name as its CA as self-signed.
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "test authority");
    let key = KeyPair::generate().unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    Authority {
        issuer: Issuer::new(params, key),
        pem,
    }
}

/// A node key: the private half as an OpenSSH file, the public half as PEM.
pub fn node_key(path: &Path) -> String {
    let pair = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let secret = p384::SecretKey::from_pkcs8_der(pair.serialized_der()).unwrap();
    let keypair = EcdsaKeypair::NistP384 {
        public: secret.public_key().into(),
        private: secret.clone().into(),
    };
    let private = ssh_key::PrivateKey::new(KeypairData::Ecdsa(keypair), "").unwrap();
    private
        .write_openssh_file(path, ssh_key::LineEnding::LF)
        .unwrap();
    secret
        .public_key()
        .to_public_key_pem(LineEnding::LF)
        .unwrap()
}

pub async fn wait<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("waited in vain for {what}");
}

pub async fn finished(client: &ControlClient, id: RunId) -> Run {
    wait("the run to finish", async || {
        let run = client.run(id).await.unwrap();
        run.is_finished().then_some(run)
    })
    .await
}

/// The complete output of a run, after the SuperLink has ended its log.
pub async fn whole_log(logs: &mut LogStream) -> String {
    let mut text = String::new();
    let read = async {
        while let Some(chunk) = logs.next().await {
            text.push_str(&chunk.unwrap().text);
        }
    };
    let ended = tokio::time::timeout(PATIENCE, read).await.is_ok();
    assert!(ended, "the log does not end:\n{text}");
    text
}

/// An app whose ServerApp prints its configuration, then executes `body`.
pub fn app(body: &str) -> Bytes {
    let pyproject = "[project]\nname = \"probe\"\nversion = \"1.0.0\"\ndependencies = [\"flwr\"]\n\
        [tool.flwr.app]\npublisher = \"acme\"\n\
        [tool.flwr.app.components]\nserverapp = \"probe.app:server\"\nclientapp = \"probe.app:client\"\n\
        [tool.flwr.app.config]\nrounds = 1\nlr = 0.5\nname = \"none\"\non = false\n";
    let code = format!(
        "import time\nfrom flwr.app import Context\nfrom flwr.clientapp import ClientApp\nfrom flwr.serverapp import Grid, ServerApp\n\
         server = ServerApp()\nclient = ClientApp()\n\
         @server.main()\ndef main(grid: Grid, context: Context) -> None:\n\
         \x20   for key, value in sorted(context.run_config.items()):\n\
         \x20       print('config', key, repr(value), flush=True)\n\
         \x20   {body}\n"
    );
    let files = [
        ("pyproject.toml", pyproject.to_owned()),
        ("probe/__init__.py", String::new()),
        ("probe/app.py", code),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.into_bytes()));
    let tree = AppTree::from_files(files.into()).unwrap();
    fab::build(&tree).unwrap().bytes
}

pub fn overrides() -> RunConfig {
    [
        ("rounds".to_owned(), ConfigValue::Int(-3)),
        ("lr".to_owned(), ConfigValue::Float(2.0)),
        (
            "name".to_owned(),
            ConfigValue::Str("zwei Wörter".to_owned()),
        ),
        ("on".to_owned(), ConfigValue::Bool(true)),
    ]
    .into()
}

pub fn quick() -> StartRun {
    StartRun::new(app("print('done')"), overrides(), "")
}
