//! The settings of the runtime `kubernetes`, and how they become credentials for a cluster.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use super::Config;
use crate::at;
use crate::flower::launch::LONGEST;
use crate::masking;
use crate::resources::local_path::LocalPath;
use crate::resources::{labels, pod};
use crate::runtime::kubernetes::{
    Access, Certificates, Credentials, ExecCredentials, Host, KubernetesRuntime, Namespace,
    PrivateKey, ProxyUrl, ServerUrl, TlsServerName, Token,
};
use crate::tfplugin::diagnostic::{Diagnostic, Diagnostics, Result};
use crate::tfplugin::schema::{
    Maybe, ModelPath, Tree, optional, refused, refused_unseen, required,
};
use crate::tfplugin::value::Value;
use crate::{model, setting_attribute};

setting_attribute!(
    Certificates,
    Namespace,
    PrivateKey,
    ProxyUrl,
    ServerUrl,
    TlsServerName,
    Token
);

model! {
    /// Pods of a cluster. Set exactly one of `config_path` and `host`. The provider never uses a
    /// kubeconfig from the environment or from its usual path, nor the ServiceAccount of its own
    /// pod, unless you configure it.
    pub struct Kubernetes {
        /// The path of a kubeconfig file. Relative paths start in the folder where Terraform runs;
        /// `~/` is your home folder.
        config_path: Option<LocalPath> = optional(),
        /// The context in the kubeconfig file. Default: its current context. Set this argument:
        /// other programs change the current context.
        config_context: Option<String> = optional(),
        /// The URL of the API server, such as `https://10.0.0.1:6443`.
        host: Option<ServerUrl> = optional(),
        /// The CA certificate (PEM) that signed the certificate of the API server.
        cluster_ca_certificate: Option<Certificates> = optional(),
        /// A bearer token for the API server.
        token: Option<Token> = optional().sensitive(),
        /// A file with a bearer token. The provider reads it again when the token is renewed.
        token_file: Option<LocalPath> = optional(),
        /// A client certificate (PEM).
        client_certificate: Option<Certificates> = optional(),
        /// The private key of the client certificate (PEM).
        client_key: Option<PrivateKey> = optional().sensitive(),
        /// A program that prints credentials, as in kubeconfig files.
        exec: Option<Exec> = optional(),
        /// The proxy for connections to the API server, `http://` or `https://`. Default: the proxy
        /// of the kubeconfig, and never one from the environment. The URL may contain a user name
        /// and a password.
        proxy_url: Option<ProxyUrl> = optional().sensitive(),
        /// The name that the certificate of the API server must have, if it is not the name in
        /// `host`.
        tls_server_name: Option<TlsServerName> = optional(),
        /// The namespace of all objects, which must exist. Default: the namespace of the context,
        /// or `default`.
        namespace: Option<Namespace> = optional(),
        /// Further labels of all objects. Changing the labels updates and restarts all SuperLinks
        /// and SuperNodes. The Secret of a `flower_supernode_key` gets the new labels the next time
        /// the provider writes it.
        labels: Option<BTreeMap<String, String>> = optional(),
        /// A prefix for the default images, for use with a mirror: with
        /// `registry.example.org/mirror/` the provider uses
        /// `registry.example.org/mirror/flwr/superlink`. Images that you set in `kubernetes` of a
        /// resource do not get the prefix.
        image_prefix: Option<String> = optional(),
    }
}

model! {
    /// A program that prints credentials (an ExecCredential).
    pub struct Exec {
        /// The API version that the program prints. Default: `client.authentication.k8s.io/v1`.
        api_version: Option<String> = optional(),
        /// The program.
        command: String = required(),
        /// The arguments of the program.
        args: Option<Vec<String>> = optional(),
        /// Environment variables of the program.
        env: Option<BTreeMap<String, String>> = optional().sensitive(),
    }
}

/// Checks everything that is known without a cluster.
pub(super) fn validate(config: &Tree<Config>) -> Diagnostics {
    let mut found = Diagnostics::default();
    let settings = config.value(at!(Config, kubernetes));
    if settings.is_null() || settings.is_unknown() {
        return found;
    }
    found.absorb(config.conflict(
        at!(Config, local),
        at!(Config, kubernetes),
        "A provider configuration has one runtime. Use one alias for each runtime.",
    ));
    found.absorb(config.exactly_one_of(
        at!(Config, kubernetes),
        &[
            at!(Config, kubernetes.config_path),
            at!(Config, kubernetes.host),
        ],
    ));
    let beside_a_file = [
        at!(Config, kubernetes.cluster_ca_certificate),
        at!(Config, kubernetes.token),
        at!(Config, kubernetes.token_file),
        at!(Config, kubernetes.client_certificate),
        at!(Config, kubernetes.client_key),
        at!(Config, kubernetes.exec),
    ];
    for (one, others) in [
        (
            at!(Config, kubernetes.config_path),
            beside_a_file.as_slice(),
        ),
        (
            at!(Config, kubernetes.host),
            &[at!(Config, kubernetes.config_context)],
        ),
    ] {
        for other in others {
            found.absorb(config.conflict(
                one,
                *other,
                "`config_path` and `host` are two ways to name a cluster. Use only one.",
            ));
        }
    }
    found.absorb(keeps_credentials(config));
    let client_certificate = at!(Config, kubernetes.client_certificate);
    let client_key = at!(Config, kubernetes.client_key);
    found.absorb(needs(config, client_certificate, client_key));
    found.absorb(needs(config, client_key, client_certificate));
    let labels = config.get::<Option<BTreeMap<String, String>>>(at!(Config, kubernetes.labels));
    if let Ok(Maybe::Known(Some(set))) = labels {
        let at = at!(Config, kubernetes.labels).path();
        found.absorb(labels::check(&set, &at));
        found.absorb(labels::are_free(&set, &at));
    }
    found.extend(single_lines(config));
    found.extend(exec(config));
    let prefix = at!(Config, kubernetes.image_prefix);
    if let Some(text) = config.value(prefix).as_str()
        && (text.contains('@')
            || pod::image::image(&format!("{text}flwr/superlink:1.42.0"), &prefix.path()).is_err())
    {
        let why = "together with the name of an image it must be a valid image name; an example is \
                   `registry.example.org/mirror/`";
        found.extend(refused(text, &why, &prefix.path()));
    }
    found
}

/// Errors for invalid names of contexts and programs.
fn single_lines(config: &Tree<Config>) -> Diagnostics {
    let mut found = Diagnostics::default();
    for path in [
        at!(Config, kubernetes.config_context),
        at!(Config, kubernetes.exec.command),
    ] {
        let Some(text) = config.value(path).as_str() else {
            continue;
        };
        if text.trim().is_empty() || text.contains(char::is_control) {
            let why = "it must be one line, and not empty";
            found.extend(refused(text, &why, &path.path()));
        }
    }
    found
}

/// The versions of an ExecCredential that the provider reads.
const EXEC_VERSIONS: [&str; 2] = [
    "client.authentication.k8s.io/v1",
    "client.authentication.k8s.io/v1beta1",
];

/// Errors for values that the operating system cannot pass to the program.
fn exec(config: &Tree<Config>) -> Diagnostics {
    let mut found = Diagnostics::default();
    let path = at!(Config, kubernetes.exec.api_version);
    if let Some(text) = config.value(path).as_str()
        && !EXEC_VERSIONS.contains(&text)
    {
        let why = format!("it is `{}`", EXEC_VERSIONS.join("` or `"));
        found.extend(refused(text, &why, &path.path()));
    }
    let why = "it has a NUL character in it, or more than 131071 bytes";
    let is_fit = |text: &str| !text.contains('\0') && text.len() <= LONGEST;
    if let Value::List(args) = config.value(at!(Config, kubernetes.exec.args)) {
        for (index, one) in args.iter().enumerate() {
            if one.as_str().is_some_and(|text| !is_fit(text)) {
                let at = at!(Config, kubernetes.exec.args).index(index);
                found.extend(refused_unseen("", &why, &at));
            }
        }
    }
    if let Value::Map(variables) = config.value(at!(Config, kubernetes.exec.env)) {
        for (name, value) in variables {
            let at = at!(Config, kubernetes.exec.env).key(name);
            if name.is_empty() || name.contains(['=', '\0']) {
                let why = "this is not a valid name of a variable";
                found.extend(refused(name, &why, &at));
            } else if !is_fit(&format!("{name}={}", value.as_str().unwrap_or_default())) {
                found.extend(refused_unseen("", &why, &at));
            }
        }
    }
    found
}

/// An error if the credentials would be sent without TLS to another machine.
fn keeps_credentials(config: &Tree<Config>) -> Result<()> {
    let host = config.get::<Option<ServerUrl>>(at!(Config, kubernetes.host));
    let Ok(Maybe::Known(Some(host))) = host else {
        return Ok(());
    };
    let credentials = [
        at!(Config, kubernetes.token),
        at!(Config, kubernetes.token_file),
        at!(Config, kubernetes.client_key),
        at!(Config, kubernetes.exec),
    ];
    let shown = credentials.into_iter().find(|one| config.is_set(*one));
    match shown {
        Some(shown) if !host.keeps_secrets() => Err(Diagnostic::error(
            "Credentials would be sent without TLS",
        )
        .detail(format!(
            "`host` begins with \"http://\" and is not this machine. Everyone on the network path \
             could read the credentials of `{}`.",
            shown.name()
        ))
        .detail("Use the address with `https://` and its `cluster_ca_certificate`.")
        .at(at!(Config, kubernetes.host))
        .into()),
        _ => Ok(()),
    }
}

/// An error if `one` is set without `other`.
fn needs(config: &Tree<Config>, one: ModelPath<Config>, other: ModelPath<Config>) -> Result<()> {
    if !config.is_set(one) || config.is_set(other) {
        return Ok(());
    }
    Err(Diagnostic::error(format!("{one} needs {}", other.name()))
        .detail("A client certificate works only with its private key. Set both.")
        .at(one)
        .into())
}

/// The runtime of these settings. This reads no file and opens no connection.
pub(super) fn runtime(settings: Kubernetes, here: &FilePath) -> KubernetesRuntime {
    // Terraform hides the whole URL as sensitive; error messages may contain the password alone.
    if let Some(password) = settings.proxy_url.as_ref().and_then(ProxyUrl::password) {
        masking::hide(password);
    }
    let credentials = match settings.host {
        None => Credentials::File {
            path: settings
                .config_path
                .map(|path| path.from(here))
                .unwrap_or_default(),
            context: settings.config_context,
        },
        Some(url) => Credentials::Host(Box::new(Host {
            url,
            ca_certificate: settings.cluster_ca_certificate,
            token: settings.token,
            token_file: settings
                .token_file
                .map(|file| file.from(here).display().to_string()),
            client_certificate: settings.client_certificate,
            client_key: settings.client_key,
            exec: settings.exec.map(|exec| ExecCredentials {
                api_version: exec
                    .api_version
                    .unwrap_or_else(|| "client.authentication.k8s.io/v1".to_owned()),
                command: exec.command,
                args: exec.args.unwrap_or_default(),
                env: exec.env.unwrap_or_default().into_iter().collect(),
            }),
        })),
    };
    let access = Access {
        credentials,
        namespace: settings.namespace,
        proxy_url: settings.proxy_url,
        tls_server_name: settings.tls_server_name,
    };
    KubernetesRuntime::new(
        access,
        settings.labels.unwrap_or_default(),
        settings.image_prefix.unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tfplugin::schema::Schema;
    use crate::tfplugin::value::from_json;

    #[test]
    fn credentials_are_not_sent_without_tls_but_to_this_machine() {
        let ty = Schema::of::<super::super::Config>().ty();
        let refused = |host: &str, name: &str, value: serde_json::Value| {
            let mut settings = json!({ "host": host });
            settings[name] = value;
            let config = Tree::new(from_json(&json!({ "kubernetes": settings }), &ty).unwrap());
            let found = validate(&config);
            found.iter().any(|one| one.summary.contains("without TLS"))
        };
        let exec = json!({ "command": "login" });
        for (name, value) in [
            ("token", json!("abc")),
            ("token_file", json!("t")),
            ("exec", exec),
        ] {
            assert!(
                refused("http://10.0.0.1:8080", name, value.clone()),
                "{name}"
            );
            for fine in [
                "http://127.0.0.1:8001",
                "http://localhost",
                "https://10.0.0.1",
            ] {
                assert!(!refused(fine, name, value.clone()), "{fine}");
            }
        }
        assert!(!refused("http://10.0.0.1:8080", "namespace", json!("a")));
    }
}
