//! Releases whose threads do not wait for each other when they open a new database: with our
//! command line, they do.

use std::process::Command;

use terraform_provider_flower::flower::launch::{
    Database, Isolation, NodeKeys, ProcessEnvironment, ServerTls, SuperLinkSettings,
    superlink_processes,
};
use terraform_provider_flower::flower::version::{FlowerVersion, row_of};

use crate::flower_env;

/// Replaces a SuperLink: threads that need its new database at the same moment.
const TOGETHER: &str = r#"
import sys, threading
import flwr.server.app as app

def together():
    from flwr.server.superlink.linkstate import LinkStateFactory
    from flwr.supercore.object_store import ObjectStoreFactory
    from flwr.superlink.federation import NoOpFederationManager
    path = sys.argv[sys.argv.index("--database") + 1]
    states = LinkStateFactory(path, NoOpFederationManager(), ObjectStoreFactory(path))
    begin, failed = threading.Barrier(4), []
    def need():
        begin.wait()
        try:
            states.state()
        except BaseException as error:
            failed.append(repr(error)[:200])
    threads = [threading.Thread(target=need) for _ in range(4)]
    for one in threads: one.start()
    for one in threads: one.join()
    sys.exit(f"{failed}" if failed else 0)

app.run_superlink = together
exec(sys.argv.pop(1))
"#;

#[test]
fn threads_of_a_superlink_wait_for_the_one_that_opens_the_database() {
    let programs = flower_env::programs("1.26.1");
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("state.db").display().to_string();
    let settings = SuperLinkSettings {
        bind_host: "127.0.0.1".to_owned(),
        port: 1,
        app_port: Some(2),
        fleet_bind_host: "127.0.0.1".to_owned(),
        fleet_port: Some(3),
        tls: ServerTls::Insecure,
        isolation: Isolation::Process,
        database: Database::File(database),
        node_keys: NodeKeys::Open,
        simulation: false,
        health_address: None,
        superexec_health_address: None,
        environment: ProcessEnvironment {
            flwr_home: folder.path().display().to_string(),
            log_level: None,
            artifacts: None,
            variables: [].into(),
        },
        extra_args: Vec::new(),
    };
    let row = row_of(FlowerVersion::new(1, 26, 1)).unwrap();
    let superlink = superlink_processes(row, &settings).unwrap().remove(0);
    assert_eq!(
        (superlink.program, superlink.args[0].as_str()),
        ("python", "-c")
    );
    let output = Command::new(programs.join(superlink.program))
        .args(["-c", TOGETHER])
        .args(&superlink.args[1..])
        .env("HOME", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
