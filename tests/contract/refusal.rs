//! Releases whose SuperNodes keep running after a refusal: with our command line, they end.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use terraform_provider_flower::flower::launch::{
    ClientTls, Isolation, ProcessEnvironment, SuperNodeSettings, supernode_processes,
};
use terraform_provider_flower::flower::version::{FlowerVersion, row_of};

use crate::flower_env;

/// Replaces a SuperNode: the server for its apps keeps running after a refusal.
const REFUSED: &str = r#"
import sys, threading, time
import flwr.supernode.cli as cli

def refused():
    assert sys.argv[:2] == ["flower-supernode", "--superlink"], sys.argv
    threading.Thread(target=time.sleep, args=(600,)).start()
    raise RuntimeError("not let in")

cli.flower_supernode = refused
exec(sys.argv.pop(1))
"#;

#[test]
fn a_supernode_that_is_refused_ends_and_says_why() {
    let programs = flower_env::programs("1.36.0");
    let settings = SuperNodeSettings {
        superlink_address: "127.0.0.1:1".to_owned(),
        tls: ClientTls::Insecure,
        key_file: None,
        public_key_file: None,
        node_config: [].into(),
        node_config_file: String::new(),
        isolation: Isolation::Process,
        runtime_host: "127.0.0.1".to_owned(),
        runtime_port: 2,
        health_address: None,
        superexec_health_address: None,
        environment: ProcessEnvironment {
            flwr_home: "/nowhere".to_owned(),
            log_level: None,
            artifacts: None,
            variables: [].into(),
        },
        extra_args: Vec::new(),
    };
    let row = row_of(FlowerVersion::new(1, 36, 0)).unwrap();
    let supernode = supernode_processes(row, &settings).unwrap().remove(0);
    assert_eq!(
        (supernode.program, supernode.args[0].as_str()),
        ("python", "-c")
    );
    let mut process = Command::new(programs.join(supernode.program))
        .args(["-c", REFUSED])
        .args(&supernode.args[1..])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_mins(1);
    while process.try_wait().unwrap().is_none() {
        if Instant::now() > until {
            process.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let output = process.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("RuntimeError: not let in"), "{said}");
}
