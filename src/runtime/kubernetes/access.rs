//! The access to the cluster: only from the provider configuration, never from the environment.

use std::path::PathBuf;

use kube::Config;
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode, KubeConfigOptions, Kubeconfig};

use super::cause;
use super::error::ClusterError;
use super::login;
use super::settings::{
    Certificates, Namespace, PrivateKey, ProxyUrl, ServerUrl, TlsServerName, Token, keeps_secrets,
    password,
};
use crate::masking;

/// How the provider connects to a cluster.
#[derive(Clone)]
pub struct Access {
    pub credentials: Credentials,
    /// The namespace of all objects. Default: the namespace of the context, or `default`.
    pub namespace: Option<Namespace>,
    pub proxy_url: Option<ProxyUrl>,
    pub tls_server_name: Option<TlsServerName>,
}

/// How the provider authenticates to the cluster.
#[derive(Clone)]
pub enum Credentials {
    /// A context of a kubeconfig file. Default: its current context.
    File {
        path: PathBuf,
        context: Option<String>,
    },
    /// An address, with the credentials for it.
    Host(Box<Host>),
}

/// An API server and its address.
#[derive(Clone)]
pub struct Host {
    pub url: ServerUrl,
    pub ca_certificate: Option<Certificates>,
    pub token: Option<Token>,
    pub token_file: Option<String>,
    pub client_certificate: Option<Certificates>,
    pub client_key: Option<PrivateKey>,
    pub exec: Option<ExecCredentials>,
}

/// A program that prints credentials, as in a kubeconfig file.
#[derive(Clone)]
pub struct ExecCredentials {
    pub api_version: String,
    pub command: String,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File {
                path,
                context: Some(context),
            } => write!(f, "{} (context {context:?})", path.display()),
            Self::File { path, .. } => write!(f, "{}", path.display()),
            Self::Host(host) => write!(f, "{}", host.url.get()),
        }
    }
}

impl Access {
    pub(super) async fn config(&self) -> Result<Config, ClusterError> {
        let unusable = |cause: String| ClusterError::Config {
            place: format!("{:?}", self.credentials),
            cause,
        };
        let mut config = match &self.credentials {
            Credentials::File { path, context } => {
                let file = Kubeconfig::read_from(path)
                    .map_err(|error| unusable(cause::of_file(&error)))?;
                let options = KubeConfigOptions {
                    context: context.clone(),
                    ..KubeConfigOptions::default()
                };
                let proxy = proxy_of(&file, context.as_deref());
                let mut config = Config::from_custom_kubeconfig(file, &options)
                    .await
                    .map_err(|error| unusable(cause::of_file(&error)))?;
                // kube also reads a proxy from the environment, even if NO_PROXY lists the cluster.
                config.proxy_url = proxy.and_then(|proxy| proxy.parse().ok());
                if let Some(exec) = &mut config.auth_info.exec {
                    // There is no user to answer a prompt, and our error message must contain the
                    // program's errors.
                    exec.interactive_mode = Some(ExecInteractiveMode::Never);
                }
                config
            }
            Credentials::Host(host) => {
                let mut config = Config::new(host.url.get().clone());
                config.root_cert = host.ca_certificate.as_ref().map(|one| one.der().to_vec());
                config.auth_info = host.auth_info();
                config
            }
        };
        if let Some(namespace) = &self.namespace {
            namespace.get().clone_into(&mut config.default_namespace);
        }
        if let Some(proxy) = &self.proxy_url {
            config.proxy_url = Some(proxy.get().clone());
        }
        if let Some(name) = &self.tls_server_name {
            config.tls_server_name = Some(name.get().to_owned());
        }
        login::hide(&config.auth_info);
        if login::has_credentials(&config.auth_info) && !keeps_secrets(&config.cluster_url) {
            return Err(unusable(
                "the address begins with \"http://\" and is not this machine, so everyone on the \
                 network path could read the credentials"
                    .to_owned(),
            ));
        }
        if let Some(password) = config.proxy_url.as_ref().and_then(password) {
            masking::hide(password);
        }
        Ok(config)
    }
}

impl Host {
    fn auth_info(&self) -> AuthInfo {
        let encoded = |pem: &str| {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode(pem)
        };
        AuthInfo {
            token: self
                .token
                .as_ref()
                .map(|token| token.get().to_owned().into()),
            token_file: self.token_file.clone(),
            client_certificate_data: self
                .client_certificate
                .as_ref()
                .map(|one| encoded(one.pem())),
            client_key_data: self
                .client_key
                .as_ref()
                .map(|key| encoded(key.pem()).into()),
            exec: self.exec.as_ref().map(|exec| ExecConfig {
                api_version: Some(exec.api_version.clone()),
                command: Some(exec.command.clone()),
                args: Some(exec.args.clone()),
                env: Some(
                    exec.env
                        .iter()
                        .map(|(name, value)| {
                            [("name", name), ("value", value)]
                                .map(|(key, text)| (key.to_owned(), text.clone()))
                                .into()
                        })
                        .collect(),
                ),
                interactive_mode: Some(ExecInteractiveMode::Never),
                ..ExecConfig::default()
            }),
            ..AuthInfo::default()
        }
    }
}

/// The proxy that a kubeconfig sets for the cluster of a context.
fn proxy_of(file: &Kubeconfig, context: Option<&str>) -> Option<String> {
    let context = context.or(file.current_context.as_deref())?;
    let context = file.contexts.iter().find(|one| one.name == context)?;
    let cluster = &context.context.as_ref()?.cluster;
    let cluster = file.clusters.iter().find(|one| &one.name == cluster)?;
    let proxy = cluster.cluster.as_ref()?.proxy_url.clone();
    proxy.filter(|proxy| !proxy.is_empty())
}
