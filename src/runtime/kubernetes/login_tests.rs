//! Every way in which credentials can be missing, tested with real programs and files: no message
//! contains their input or output.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::access::{Access, Credentials, ExecCredentials, Host};
use super::super::api::Api;
use super::super::error::ClusterError;
const CANARY: &str = "canary-3f9a61";

fn access(credentials: Credentials) -> Access {
    Access {
        credentials,
        namespace: None,
        proxy_url: None,
        tls_server_name: None,
    }
}

/// The error of the first request, or of the connection.
async fn asked(access: &Access) -> ClusterError {
    match Api::connect(access).await {
        Ok(api) => api.cluster_uid().await.unwrap_err(),
        Err(error) => error,
    }
}

/// The whole text of an error; fails if it contains the canary in any encoding.
fn said(error: &ClusterError) -> String {
    let said = format!("{error}\n{error:?}\n{}", error.remedy().unwrap_or_default());
    let encoded = STANDARD.encode(CANARY);
    for canary in [CANARY, "canary", &encoded, "Y2FuYXJ5"] {
        assert!(!said.contains(canary), "{said}");
    }
    said
}

fn script(folder: &Path, text: &str) -> String {
    let path = folder.join("log-me-in.sh");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path.display().to_string()
}

/// An exec plugin that prints valid credentials for the first `good` calls, which expire, and then
/// runs this script.
async fn plugin(good: u32, then: &str) -> ClusterError {
    let folder = tempfile::tempdir().unwrap();
    let count = folder.path().join("count");
    let text = format!(
        "echo >> {count}\n\
         if test $(wc -l < {count}) -le {good}; then\n\
         echo '{{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\
         \"status\":{{\"token\":\"{CANARY}-token\",\"expirationTimestamp\":\"2020-01-01T00:00:00Z\"}}}}'\n\
         exit 0\nfi\necho {CANARY} >&2\n{then}",
        count = count.display(),
    );
    let command = script(folder.path(), &text);
    let exec = ExecCredentials {
        api_version: "client.authentication.k8s.io/v1".to_owned(),
        command,
        args: vec![format!("--password={CANARY}")],
        env: vec![("PASSWORD".to_owned(), CANARY.to_owned())],
    };
    asked(&access(Credentials::Host(Box::new(host(Some(exec)))))).await
}

fn host(exec: Option<ExecCredentials>) -> Host {
    Host {
        url: "https://127.0.0.1:1".parse().unwrap(),
        ca_certificate: None,
        token: None,
        token_file: None,
        client_certificate: None,
        client_key: None,
        exec,
    }
}

#[tokio::test]
async fn no_message_of_an_exec_plugin_shows_what_it_was_given_or_printed() {
    let status = |status: &str| {
        format!(
            "printf '%s' '{{\"apiVersion\":\"wrong/{CANARY}\",\"kind\":\"ExecCredential\"{status}}}'"
        )
    };
    let cases = [
        (
            format!("echo {CANARY} $PASSWORD $1; exit 3"),
            "failed (exit status: 3)",
        ),
        (
            format!("echo {CANARY}; kill -9 $$"),
            "failed (signal: 9 (SIGKILL))",
        ),
        (
            format!("echo Password for {CANARY}:; read answer || exit 7"),
            "failed (exit status: 7)",
        ),
        (format!("echo '{{ {CANARY}: ['"), "is not an ExecCredential"),
        (format!("echo '[\"{CANARY}\"]'"), "is not an ExecCredential"),
        (
            format!("printf '\\377{CANARY}'"),
            "is not an ExecCredential",
        ),
        (status(""), "has no status"),
        (
            status(&format!(
                ",\"status\":{{\"token\":\"{CANARY}\",\"expirationTimestamp\":\"{CANARY}\"}}"
            )),
            "an invalid expiry time",
        ),
        (
            status(&format!(
                ",\"status\":{{\"token\":\"{CANARY}\\n{CANARY}\",\"expirationTimestamp\":\"2020-01-01T00:00:00Z\"}}"
            )),
            "has invalid characters",
        ),
    ];
    for (then, words) in &cases {
        // Before the first request, and after the credentials have expired in the middle of an
        // apply.
        for good in [0, 1] {
            let error = plugin(good, then).await;
            let said = said(&error);
            assert!(said.contains(words), "{said}");
            assert!(matches!(error, ClusterError::Login { .. }), "{said}");
            assert!(error.is_refusal() && !error.may_pass());
            if !words.contains("characters") {
                assert!(said.contains("the exec plugin \"log-me-in.sh\""), "{said}");
                assert!(said.contains("Run it in a terminal"), "{said}");
            }
        }
    }
    let error = plugin(1, &status(",\"status\":{}")).await;
    assert!(said(&error).contains("printed no token when it was asked for a new one"));
}

#[tokio::test]
async fn a_plugin_that_cannot_be_started_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no-program.sh");
    std::fs::write(&path, "exit 0").unwrap();
    for (command, words) in [
        (path.display().to_string(), "Permission denied"),
        (format!("{}x", path.display()), "No such file"),
    ] {
        let exec = ExecCredentials {
            api_version: "client.authentication.k8s.io/v1".to_owned(),
            command,
            args: vec![CANARY.to_owned()],
            env: vec![("PASSWORD".to_owned(), CANARY.to_owned())],
        };
        let error = asked(&access(Credentials::Host(Box::new(host(Some(exec)))))).await;
        let said = said(&error);
        assert!(said.contains("the exec plugin \"no-program.sh"), "{said}");
        assert!(said.contains(words) && said.contains("installed"), "{said}");
    }
}

#[tokio::test]
async fn a_token_file_that_is_gone_is_told_without_its_path() {
    let host = Host {
        token_file: Some("/nonexistent/canary".to_owned()),
        ..host(None)
    };
    let error = asked(&access(Credentials::Host(Box::new(host)))).await;
    assert!(said(&error).contains("the file of the token cannot be read: No such file"));
}

#[tokio::test]
async fn no_message_of_a_kubeconfig_shows_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let fails = script(
        folder.path(),
        &format!("echo {CANARY}; echo {CANARY} >&2; exit 4"),
    );
    let provider = |config: &str| {
        format!("auth-provider: {{ name: gcp, config: {{ access-token: {CANARY}, {config} }} }}")
    };
    let certificate = "client-certificate-data: YQ==";
    let user = |user: &str| user.to_owned();
    let cases = [
        (user(&format!("token: [{CANARY}")), "it is not a kubeconfig"),
        (
            user(&format!("token: {{ {CANARY}: 1 }}")),
            "it is not a kubeconfig",
        ),
        (
            user(&format!("{certificate}\n    client-key-data: '{CANARY}*'")),
            "the data of its client key is not base64",
        ),
        (
            user(&format!(
                "{certificate}\n    client-key: '-----BEGIN PRIVATE KEY----- {CANARY}'"
            )),
            "the file of its client key cannot be read",
        ),
        (
            user(&format!(
                "{certificate}\n    client-key-data: {}",
                pem("PRIVATE KEY")
            )),
            "not in PEM form, or damaged",
        ),
        (
            user(&format!("tokenFile: {CANARY}")),
            "the file of the token cannot be read",
        ),
        (
            user(&format!("token: \"{CANARY}\\nx\"")),
            "invalid characters",
        ),
        (
            user(&provider(&format!(
                "cmd-path: {fails}, cmd-args: '{CANARY}'"
            ))),
            "the program \"log-me-in.sh\" failed (exit status: 4)",
        ),
        (
            user(&provider(&format!(
                "cmd-path: /no/{fails}, cmd-args: '{CANARY}'"
            ))),
            "the program \"log-me-in.sh\" cannot be used",
        ),
        (
            user(&provider(&format!(
                "cmd-path: echo, cmd-args: '{CANARY}', token-key: '{{.a}}'"
            ))),
            "the output of the program \"echo\" is not an ExecCredential",
        ),
        (
            user(&provider(&format!("expiry: '{CANARY}'"))),
            "an invalid expiry time",
        ),
        (
            user(&format!(
                "auth-provider: {{ name: azure, config: {{ a: {CANARY} }} }}"
            )),
            "the auth provider \"azure\" cannot be used",
        ),
    ];
    for (user, words) in cases {
        is_said(folder.path(), "", &user, words).await;
    }
}

#[tokio::test]
async fn no_message_of_a_cluster_in_a_kubeconfig_shows_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = |cluster: &str| cluster.to_owned();
    let cases = [
        (
            cluster(&format!("proxy-url: 'http://u:{CANARY} x@proxy'")),
            "`proxy-url` of its cluster is not a URL",
        ),
        (
            cluster(&format!("proxy-url: 'ftp://u:{CANARY}@proxy'")),
            "the URL of its proxy does not begin with",
        ),
        (
            cluster(&format!("proxy-url: 'http://u:{CANARY}@127.0.0.1:1'")),
            "cannot be reached",
        ),
        (
            cluster(&format!("certificate-authority-data: {}", pem(CANARY))),
            "not in PEM form",
        ),
        (
            cluster(&format!("certificate-authority: '/no/{CANARY}'")),
            "the file of its authority cannot be read",
        ),
    ];
    for (cluster, words) in cases {
        is_said(folder.path(), &cluster, "token: abc", words).await;
    }
}

/// A damaged PEM text, in the encoding of a kubeconfig.
fn pem(kind: &str) -> String {
    STANDARD.encode(format!(
        "-----BEGIN {kind}-----\n{CANARY}*\n-----END {kind}-----\n"
    ))
}

/// Fails unless a kubeconfig with these settings gives an error with this text and without secrets.
async fn is_said(folder: &Path, cluster: &str, user: &str, words: &str) {
    let path = folder.join("config");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         contexts:\n- name: c\n  context: {{ cluster: k, user: u }}\n\
         clusters:\n- name: k\n  cluster:\n    server: https://127.0.0.1:1\n    {cluster}\n\
         users:\n- name: u\n  user:\n    {user}\n"
    );
    std::fs::write(&path, text).unwrap();
    let access = access(Credentials::File {
        path,
        context: None,
    });
    let error = asked(&access).await;
    let said = said(&error);
    assert!(said.contains(words), "no {words:?} in {said}");
}
