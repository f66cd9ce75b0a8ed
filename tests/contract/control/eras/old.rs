//! A SuperLink of a release with gRPC, started with the flags of that release.

use std::fs;

use bytes::Bytes;
use terraform_provider_flower::flower::app_source::AppTree;
use terraform_provider_flower::flower::control::{ControlClient, ControlEndpoint};
use terraform_provider_flower::flower::fab;
use terraform_provider_flower::flower::launch::{LaunchedProcess, Role};
use terraform_provider_flower::flower::version::FlowerVersion;
use terraform_provider_flower::pki::{Authority, AuthorityAlgorithm, ServerNames};
use time::{Duration, OffsetDateTime};

use super::super::rig::{Running, end_all_of, environment, unused_port, wait};

/// A SuperLink of an old release.
pub struct Old {
    process: Option<Running>,
    pub version: FlowerVersion,
    pub port: u16,
    /// The port of its Fleet API.
    pub fleet: u16,
    pub ca: Option<String>,
    pub dir: tempfile::TempDir,
}

impl Old {
    pub fn plain(version: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self::start(version, None, vec!["--insecure".to_owned()], dir)
    }

    /// With TLS for 127.0.0.1 and these names.
    pub fn with_tls(version: &str, names: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let now = OffsetDateTime::now_utc();
        let authority =
            Authority::generate("old", AuthorityAlgorithm::default(), Duration::DAY, now).unwrap();
        let names = ServerNames::new(names.iter().copied(), ["127.0.0.1"]).unwrap();
        let server = authority.issue_server(&names, Duration::DAY, now).unwrap();
        let mut args = Vec::new();
        for (flag, text) in [
            ("--ssl-certfile", server.certificate_pem.as_str()),
            ("--ssl-keyfile", server.private_key_pem.as_str()),
            ("--ssl-ca-certfile", authority.certificate_pem()),
        ] {
            let path = dir.path().join(&flag[2..]);
            fs::write(&path, text).unwrap();
            args.extend([flag.to_owned(), path.display().to_string()]);
        }
        let ca = authority.certificate_pem().to_owned();
        Self::start(version, Some(ca), args, dir)
    }

    fn start(
        version: &str,
        ca: Option<String>,
        mut args: Vec<String>,
        dir: tempfile::TempDir,
    ) -> Self {
        let release: FlowerVersion = version.parse().unwrap();
        let [port, fleet, runtime] = [(); 3].map(|()| unused_port());
        let address = |port: u16| format!("127.0.0.1:{port}");
        let control = match release.release() {
            (1, ..=20) => "--exec-api-address",
            _ => "--control-api-address",
        };
        args.extend([control.to_owned(), address(port)]);
        args.extend(["--fleet-api-address".to_owned(), address(fleet)]);
        match release.release() {
            (1, ..=34) => {
                args.extend(["--serverappio-api-address".to_owned(), address(runtime)]);
            }
            _ => args.extend(["--port".to_owned(), runtime.to_string()]),
        }
        if release.release() >= (1, 32) {
            args.push("--disable-runtime-dependency-installation".to_owned());
        }
        let env = [
            ("FLWR_HOME", environment(dir.path()).flwr_home.as_str()),
            ("FLWR_TELEMETRY_ENABLED", "0"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let process = LaunchedProcess {
            role: Role::SuperLink,
            program: Role::SuperLink.program(),
            args,
            env: env.into(),
            private_env: std::collections::BTreeMap::new(),
            keeps: None,
        };
        Self {
            process: Some(Running::start_of(version, &process, dir.path())),
            version: release,
            port,
            fleet,
            ca,
            dir,
        }
    }

    pub fn client_at(&self, port: u16) -> ControlClient {
        let scheme = if self.ca.is_some() { "grpcs" } else { "grpc" };
        let url = format!("{scheme}://127.0.0.1:{port}");
        ControlClient::connect(&ControlEndpoint::parse(&url, self.ca.as_deref()).unwrap())
    }

    pub async fn healthy(&self) -> ControlClient {
        let client = self.client_at(self.port);
        wait("the SuperLink to serve", async || {
            client.health().await.ok()
        })
        .await;
        client
    }
}

impl Drop for Old {
    fn drop(&mut self) {
        self.process = None;
        end_all_of(&environment(self.dir.path()).flwr_home);
    }
}

/// An app that all releases can run.
///
/// It takes a second, because from 1.25 to at least 1.29, an app that ends before the reply to its
/// first heartbeat may never count as finished: its outputs end its token, the heartbeat is
/// refused, and the process interrupts itself before it has reported its status (in about one of
/// fifty runs on a busy machine).
pub fn app(body: &str) -> Bytes {
    let pyproject = "[project]\nname = \"probe\"\nversion = \"1.0.0\"\ndependencies = [\"flwr\"]\n\
        [tool.flwr.app]\npublisher = \"acme\"\n\
        [tool.flwr.app.components]\nserverapp = \"probe.app:server\"\nclientapp = \"probe.app:server\"\n\
        [tool.flwr.app.config]\nrounds = 1\nlr = 0.5\nname = \"none\"\non = false\n";
    let code = format!(
        "import time\nfrom flwr.server import ServerApp\nserver = ServerApp()\n\
         @server.main()\ndef main(grid, context):\n\
         \x20   time.sleep(1)\n\
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
    fab::build(&AppTree::from_files(files.into()).unwrap())
        .unwrap()
        .bytes
}
