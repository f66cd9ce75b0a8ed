//! How the cluster is reached: what the provider configuration says, and nothing from the
//! environment.

use std::path::PathBuf;

use kube::Config;
use kube::config::{
    AuthInfo, ExecConfig, ExecInteractiveMode, KubeConfigOptions, Kubeconfig, KubeconfigError,
};

use super::cause::chain;
use super::error::ClusterError;

/// How a cluster is reached.
#[derive(Clone)]
pub struct Access {
    pub credentials: Credentials,
    /// The namespace of all objects; that of the context, or `default`, when not set.
    pub namespace: Option<String>,
    pub proxy_url: Option<String>,
    pub tls_server_name: Option<String>,
}

/// Who we are to the cluster.
#[derive(Clone)]
pub enum Credentials {
    /// A context of a kubeconfig file; its current one when not set.
    File {
        path: PathBuf,
        context: Option<String>,
    },
    /// An address, and what to show there.
    Host {
        host: String,
        ca_certificate: Option<String>,
        token: Option<String>,
        token_file: Option<String>,
        client_certificate: Option<String>,
        client_key: Option<String>,
        exec: Option<ExecCredentials>,
    },
}

/// A program that prints credentials, as in a kubeconfig file.
#[derive(Debug, Clone)]
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
            Self::Host { host, .. } => f.write_str(host),
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
                let file = Kubeconfig::read_from(path).map_err(|error| unusable(unread(&error)))?;
                let options = KubeConfigOptions {
                    context: context.clone(),
                    ..KubeConfigOptions::default()
                };
                let proxy = proxy_of(&file, context.as_deref());
                let mut config = Config::from_custom_kubeconfig(file, &options)
                    .await
                    .map_err(|error| unusable(chain(&error)))?;
                // kube also takes one from the environment, whatever NO_PROXY says of the cluster.
                config.proxy_url = proxy.and_then(|proxy| proxy.parse().ok());
                if let Some(exec) = &mut config.auth_info.exec {
                    // Nobody is there to answer, and its complaints belong into our message.
                    exec.interactive_mode = Some(ExecInteractiveMode::Never);
                }
                config
            }
            Credentials::Host {
                host,
                ca_certificate,
                ..
            } => {
                let url: http::Uri = host
                    .parse()
                    .map_err(|error| unusable(format!("{host:?} is not a URL: {error}")))?;
                if url.scheme().is_none() {
                    let cause = "it is not a URL, which begins with \"https://\"";
                    return Err(unusable(cause.to_owned()));
                }
                let mut config = Config::new(url);
                config.root_cert = ca_certificate
                    .as_deref()
                    .map(certificates)
                    .transpose()
                    .map_err(unusable)?;
                config.auth_info = self.auth_info();
                config
            }
        };
        if let Some(namespace) = &self.namespace {
            config.default_namespace.clone_from(namespace);
        }
        if let Some(proxy) = &self.proxy_url {
            let proxy = proxy
                .parse()
                // Not with its text, which may hold a password.
                .map_err(|error| unusable(format!("`proxy_url` is not a URL: {error}")))?;
            config.proxy_url = Some(proxy);
        }
        if self.tls_server_name.is_some() {
            config.tls_server_name.clone_from(&self.tls_server_name);
        }
        Ok(config)
    }

    fn auth_info(&self) -> AuthInfo {
        let Credentials::Host {
            token,
            token_file,
            client_certificate,
            client_key,
            exec,
            ..
        } = &self.credentials
        else {
            return AuthInfo::default();
        };
        let encoded = |pem: &String| {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode(pem)
        };
        AuthInfo {
            token: token.clone().map(Into::into),
            token_file: token_file.clone(),
            client_certificate_data: client_certificate.as_ref().map(encoded),
            client_key_data: client_key.as_ref().map(|key| encoded(key).into()),
            exec: exec.as_ref().map(|exec| ExecConfig {
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

/// The certificates of a PEM text, as DER.
fn certificates(pem: &str) -> Result<Vec<Vec<u8>>, String> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|one| one.map(|certificate| certificate.to_vec()))
        .collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err("the CA certificate holds no PEM certificate".to_owned()),
        Err(error) => Err(format!("the CA certificate cannot be read: {error}")),
    }
}

/// The proxy that a kubeconfig names for the cluster of a context.
fn proxy_of(file: &Kubeconfig, context: Option<&str>) -> Option<String> {
    let context = context.or(file.current_context.as_deref())?;
    let context = file.contexts.iter().find(|one| one.name == context)?;
    let cluster = &context.context.as_ref()?.cluster;
    let cluster = file.clusters.iter().find(|one| &one.name == cluster)?;
    let proxy = cluster.cluster.as_ref()?.proxy_url.clone();
    proxy.filter(|proxy| !proxy.is_empty())
}

/// Why a kubeconfig cannot be read. The parser would quote the lines around, tokens and all.
fn unread(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => format!("it is not a kubeconfig; see its line {}", at.line()),
            None => "it is not a kubeconfig".to_owned(),
        },
        KubeconfigError::ReadConfig(error, _) => format!("the file cannot be read: {error}"),
        other => chain(other),
    }
}
