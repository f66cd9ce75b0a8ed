//! How the cluster is reached: what the provider configuration says, and nothing from the
//! environment.

use std::path::PathBuf;

use kube::Config;
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode, KubeConfigOptions, Kubeconfig};

use super::error::ClusterError;

/// How a cluster is reached.
#[derive(Debug, Clone)]
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
            Self::File { path, context } => write!(f, "{} ({context:?})", path.display()),
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
                let file = Kubeconfig::read_from(path).map_err(|error| unusable(chain(&error)))?;
                let options = KubeConfigOptions {
                    context: context.clone(),
                    ..KubeConfigOptions::default()
                };
                Config::from_custom_kubeconfig(file, &options)
                    .await
                    .map_err(|error| unusable(chain(&error)))?
            }
            Credentials::Host {
                host,
                ca_certificate,
                ..
            } => {
                let url = host
                    .parse()
                    .map_err(|error| unusable(format!("{host:?} is not a URL: {error}")))?;
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
                .map_err(|error| unusable(format!("{proxy:?} is not a URL: {error}")))?;
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

/// An error with its causes, each once.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        next = cause.source();
    }
    text
}
