//! Whole command lines for each range of releases: a change of a line is a change of behaviour.

use std::collections::BTreeMap;

use super::*;
use crate::flower::run_config::ConfigValue;
use crate::flower::version::{FlowerVersion, NodeAuth, VersionRow, row_of};

fn row(minor: u16) -> &'static VersionRow {
    row_of(FlowerVersion::new(1, minor, 0)).unwrap()
}

fn environment() -> ProcessEnvironment {
    ProcessEnvironment {
        flwr_home: "/data/home".to_owned(),
        log_level: None,
        artifacts: None,
        variables: BTreeMap::new(),
    }
}

fn superlink() -> SuperLinkSettings {
    SuperLinkSettings {
        bind_host: "127.0.0.1".to_owned(),
        port: 18000,
        app_port: Some(18091),
        fleet_bind_host: "0.0.0.0".to_owned(),
        fleet_port: Some(18092),
        tls: ServerTls::Files {
            certificate: "/tls/server.pem".to_owned(),
            key: "/tls/server.key".to_owned(),
            ca: "/tls/ca.pem".to_owned(),
        },
        isolation: Isolation::Subprocess,
        database: Database::File("/data/state.db".to_owned()),
        node_keys: NodeKeys::Registered,
        simulation: false,
        health_address: None,
        superexec_health_address: None,
        environment: environment(),
        extra_args: Vec::new(),
    }
}

fn supernode() -> SuperNodeSettings {
    SuperNodeSettings {
        superlink_address: "127.0.0.1:18000".to_owned(),
        tls: ClientTls::Roots("/tls/ca.pem".to_owned()),
        key_file: Some("/keys/site".to_owned()),
        public_key_file: Some("/keys/site.pub".to_owned()),
        node_config: [
            ("partition-id".to_owned(), ConfigValue::Int(0)),
            ("site".to_owned(), ConfigValue::Str("north wing".to_owned())),
        ]
        .into(),
        node_config_file: "/files/node-config.toml".to_owned(),
        isolation: Isolation::Subprocess,
        runtime_host: "127.0.0.1".to_owned(),
        runtime_port: 19094,
        health_address: None,
        superexec_health_address: None,
        environment: environment(),
        extra_args: Vec::new(),
    }
}

/// One line per process, arguments separated by blanks.
fn lines(processes: &[LaunchedProcess]) -> Vec<String> {
    processes
        .iter()
        .map(|p| format!("{} {}", p.program, p.args.join(" ")))
        .collect()
}

#[test]
fn releases_with_a_superexec_keep_one_beside_them_in_subprocess_isolation() {
    for (minor, isolation, keeps) in [
        (20, Isolation::Subprocess, None),
        (21, Isolation::Subprocess, Some("flower-superexec")),
        (42, Isolation::Subprocess, Some("flower-superexec")),
        (42, Isolation::Process, None),
    ] {
        let settings = SuperNodeSettings {
            isolation,
            key_file: None,
            ..supernode()
        };
        let processes = supernode_processes(row(minor), &settings).unwrap();
        assert!(processes.iter().all(|one| one.keeps == keeps), "{minor}");
    }
}

#[test]
fn superlink_1_40_to_1_42_serves_everything_on_one_port() {
    for minor in 40..=42 {
        assert_eq!(
            lines(&superlink_processes(row(minor), &superlink()).unwrap()),
            [
                "flower-superlink --ssl-ca-certfile /tls/ca.pem --ssl-certfile /tls/server.pem --ssl-keyfile /tls/server.key \
              --host 127.0.0.1 --port 18000 --isolation subprocess --database /data/state.db --enable-supernode-auth \
              --disable-runtime-dependency-installation"
            ]
        );
    }
}

#[test]
fn superlink_1_37_to_1_39_serves_supernodes_on_a_port_of_their_own() {
    for minor in 37..=39 {
        assert_eq!(
            lines(&superlink_processes(row(minor), &superlink()).unwrap()),
            [
                "flower-superlink --ssl-ca-certfile /tls/ca.pem --ssl-certfile /tls/server.pem --ssl-keyfile /tls/server.key \
              --host 127.0.0.1 --port 18000 --fleet-api-address 0.0.0.0:18092 --isolation subprocess --database /data/state.db \
              --enable-supernode-auth --disable-runtime-dependency-installation"
            ]
        );
        let without = SuperLinkSettings {
            fleet_bind_host: "127.0.0.1".to_owned(),
            fleet_port: None,
            ..superlink()
        };
        assert_eq!(
            superlink_processes(row(minor), &without),
            Err(LaunchError::FleetPortMissing)
        );
    }
}

#[test]
fn superlink_in_process_isolation_gets_a_superexec_that_trusts_its_authority() {
    let settings = SuperLinkSettings {
        bind_host: "0.0.0.0".to_owned(),
        port: 8000,
        isolation: Isolation::Process,
        health_address: Some("0.0.0.0:8081".to_owned()),
        superexec_health_address: Some("0.0.0.0:8082".to_owned()),
        ..superlink()
    };
    assert_eq!(
        lines(&superlink_processes(row(42), &settings).unwrap()),
        [
            "flower-superlink --ssl-ca-certfile /tls/ca.pem --ssl-certfile /tls/server.pem --ssl-keyfile /tls/server.key \
             --host 0.0.0.0 --port 8000 --isolation process --database /data/state.db --enable-supernode-auth \
             --disable-runtime-dependency-installation --health-server-address 0.0.0.0:8081",
            "flower-superexec --root-certificates /tls/ca.pem --runtime-api-address 127.0.0.1:8000 --health-server-address 0.0.0.0:8082",
        ]
    );
    let superexec_of = |minor| {
        lines(&superlink_processes(row(minor), &settings).unwrap())
            .pop()
            .unwrap()
    };
    assert!(superexec_of(37).contains(" --plugin-type serverapp "));
    assert!(!superexec_of(38).contains("--plugin-type"));
}

#[test]
fn superlink_without_tls_and_database() {
    let settings = SuperLinkSettings {
        bind_host: "::".to_owned(),
        tls: ServerTls::Insecure,
        isolation: Isolation::Process,
        database: Database::Memory,
        node_keys: NodeKeys::Open,
        extra_args: vec!["--log-file".to_owned(), "/data/sl.log".to_owned()],
        ..superlink()
    };
    assert_eq!(
        lines(&superlink_processes(row(42), &settings).unwrap()),
        [
            "flower-superlink --insecure --host :: --port 18000 --isolation process --disable-runtime-dependency-installation --log-file /data/sl.log",
            "flower-superexec --insecure --runtime-api-address [::1]:18000",
        ]
    );
}

#[test]
fn superlink_in_simulation_runs_apps_without_supernodes() {
    for isolation in [Isolation::Subprocess, Isolation::Process] {
        let settings = SuperLinkSettings {
            node_keys: NodeKeys::Open,
            simulation: true,
            isolation,
            ..superlink()
        };
        let line = |minor| lines(&superlink_processes(row(minor), &settings).unwrap()).remove(0);
        let tls = "--ssl-ca-certfile /tls/ca.pem --ssl-certfile /tls/server.pem --ssl-keyfile /tls/server.key";
        let rest = format!(
            "--isolation {} --database /data/state.db --simulation",
            isolation.flag()
        );
        assert_eq!(
            line(42),
            format!(
                "flower-superlink {tls} --host 127.0.0.1 --port 18000 {rest} --disable-runtime-dependency-installation"
            )
        );
        assert_eq!(
            line(28),
            format!(
                "flower-superlink {tls} --control-api-address 127.0.0.1:18000 --serverappio-api-address 127.0.0.1:18091 \
                 --fleet-api-address 0.0.0.0:18092 {rest}"
            )
        );
        for process in superlink_processes(row(42), &settings).unwrap() {
            let env = |name: &str| process.env.get(name).map(String::as_str);
            assert_eq!(env("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"), Some("0"));
            assert_eq!(env("RAY_USAGE_STATS_ENABLED"), Some("0"));
        }
        for minor in [13, 20, 27] {
            assert_eq!(
                superlink_processes(row(minor), &settings),
                Err(LaunchError::NoSimulation)
            );
        }
    }
}

#[test]
fn supernode_line_is_the_same_in_every_release() {
    for minor in 37..=42 {
        let mut processes = supernode_processes(row(minor), &supernode()).unwrap();
        if minor == 37 {
            // Started through a wrapper, with the same arguments.
            assert_eq!(processes[0].program, "python");
            processes[0].program = "flower-supernode";
            processes[0].args.drain(..2);
        }
        assert_eq!(
            lines(&processes),
            [
                "flower-supernode --superlink 127.0.0.1:18000 --root-certificates /tls/ca.pem --auth-supernode-private-key /keys/site \
              --node-config /files/node-config.toml --isolation subprocess --host 127.0.0.1 --port 19094"
            ]
        );
    }
}

#[test]
fn supernode_in_process_isolation_gets_a_superexec_without_tls() {
    let settings = SuperNodeSettings {
        tls: ClientTls::SystemRoots,
        key_file: None,
        node_config: BTreeMap::new(),
        isolation: Isolation::Process,
        health_address: Some("127.0.0.1:18101".to_owned()),
        ..supernode()
    };
    assert_eq!(
        lines(&supernode_processes(row(42), &settings).unwrap()),
        [
            "flower-supernode --superlink 127.0.0.1:18000 --isolation process --host 127.0.0.1 --port 19094 \
             --health-server-address 127.0.0.1:18101",
            "flower-superexec --insecure --runtime-api-address 127.0.0.1:19094",
        ]
    );
    let old = lines(&supernode_processes(row(37), &settings).unwrap());
    assert_eq!(
        old[1],
        "flower-superexec --insecure --runtime-api-address 127.0.0.1:19094 --plugin-type clientapp"
    );
}

#[test]
fn every_process_has_flowers_environment_and_the_users() {
    let settings = SuperNodeSettings {
        isolation: Isolation::Process,
        environment: ProcessEnvironment {
            log_level: Some(LogLevel::Debug),
            variables: [("HTTPS_PROXY".to_owned(), "http://proxy:3128".to_owned())].into(),
            ..environment()
        },
        ..supernode()
    };
    let expected: BTreeMap<String, String> = [
        ("FLWR_DISABLE_UPDATE_CHECK", "1"),
        ("FLWR_HOME", "/data/home"),
        ("FLWR_LOG_LEVEL", "DEBUG"),
        ("FLWR_TELEMETRY_ENABLED", "0"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .into();
    for process in supernode_processes(row(42), &settings).unwrap() {
        assert_eq!(process.env, expected);
        assert_eq!(process.private_env, settings.environment.variables);
    }
}

#[test]
fn what_cannot_start_is_refused_before_it_is_started() {
    let no_tls = SuperLinkSettings {
        tls: ServerTls::Insecure,
        ..superlink()
    };
    assert_eq!(
        superlink_processes(row(42), &no_tls),
        Err(LaunchError::KeysWithoutTls)
    );
    let no_tls = SuperNodeSettings {
        tls: ClientTls::Insecure,
        ..supernode()
    };
    assert_eq!(
        supernode_processes(row(42), &no_tls),
        Err(LaunchError::KeysWithoutTls)
    );
    for name in ["FLWR_HOME", "HOME"] {
        let mut owned = superlink();
        let variables = &mut owned.environment.variables;
        variables.insert(name.to_owned(), "/elsewhere".to_owned());
        assert_eq!(
            superlink_processes(row(42), &owned)
                .unwrap_err()
                .to_string(),
            format!("`env` contains {name}, which the provider chooses")
        );
    }
    for (name, value) in [
        ("", "x"),
        ("A=B", "x"),
        ("A\0", "x"),
        ("A", "x\0"),
        ("two words", "x"),
        ("GRÖSSE", "x"),
        ("1A", "x"),
    ] {
        let mut odd = superlink();
        let variables = &mut odd.environment.variables;
        variables.insert(name.to_owned(), value.to_owned());
        let name = name.to_owned();
        assert_eq!(
            superlink_processes(row(42), &odd),
            Err(LaunchError::NotAVariable { name })
        );
    }
    let mut long = superlink();
    let fits = "x".repeat(128 * 1024 - 1 - "A=".len());
    let variables = &mut long.environment.variables;
    variables.insert("A".to_owned(), fits.clone());
    assert!(superlink_processes(row(42), &long).is_ok());
    let variables = &mut long.environment.variables;
    variables.insert("A".to_owned(), fits + "x");
    assert_eq!(
        superlink_processes(row(42), &long).unwrap_err().to_string(),
        "the variable A has 131072 bytes with its value; the maximum is 131071 for one"
    );
    let config = SuperNodeSettings {
        node_config: [("a b".to_owned(), ConfigValue::Int(1))].into(),
        ..supernode()
    };
    assert!(matches!(
        supernode_processes(row(42), &config),
        Err(LaunchError::NodeConfig(_))
    ));
}

/// A SuperLink and a SuperNode with keys, in both isolations.
fn with_keys(minor: u16) -> Vec<LaunchedProcess> {
    let row = row(minor);
    let lists = matches!(row.node_auth, NodeAuth::KeyList { .. });
    let mut all = Vec::new();
    for isolation in [Isolation::Subprocess, Isolation::Process] {
        let link = SuperLinkSettings {
            isolation,
            node_keys: if lists {
                NodeKeys::Listed {
                    list: "/keys/list.csv".to_owned(),
                    own: Some(KeyPair {
                        private: "/keys/own".to_owned(),
                        public: "/keys/own.pub".to_owned(),
                    }),
                }
            } else {
                NodeKeys::Registered
            },
            health_address: Some("0.0.0.0:8081".to_owned()),
            superexec_health_address: Some("0.0.0.0:8082".to_owned()),
            ..superlink()
        };
        let node = SuperNodeSettings {
            isolation,
            ..supernode()
        };
        all.extend(superlink_processes(row, &link).unwrap());
        all.extend(supernode_processes(row, &node).unwrap());
    }
    all
}

#[test]
fn the_lines_of_every_range() {
    let mut all = String::new();
    let mut before = String::new();
    for minor in 13..=42 {
        let lines: String = lines(&with_keys(minor))
            .into_iter()
            .map(|line| line.replace(" --", "\n    --") + "\n")
            .collect();
        if lines != before {
            all.extend(["== from 1.", &minor.to_string(), "\n", &lines]);
            before = lines;
        }
    }
    insta::assert_snapshot!(all);
}

#[test]
fn what_is_on_a_line_cannot_be_set_a_second_time() {
    for minor in 13..=42 {
        for process in with_keys(minor) {
            if !matches!(process.role, Role::SuperLink | Role::SuperNode) {
                continue;
            }
            for flag in process.args.iter().filter(|arg| arg.starts_with("--")) {
                let again =
                    extra_args::append(process.role, &mut Vec::new(), std::slice::from_ref(flag));
                assert!(again.is_err(), "{flag} of 1.{minor}");
            }
        }
    }
}
