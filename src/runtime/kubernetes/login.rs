//! The login to the cluster: a client with credentials, and the errors if there are none.
//!
//! A program that prints credentials runs before the first request and again whenever they expire,
//! so it may fail in the middle of an apply. Its arguments and its output may be secret and are in
//! no message: a message names the program, how it ended, and the remedy.

use std::fmt;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response, header};
use kube::client::{AuthError, Body, ClientBuilder, ConfigExt as _};
use kube::config::AuthInfo;
use kube::{Client, Config};
use secrecy::ExposeSecret as _;
use tower_service::Service;

use super::cause::find;
use crate::masking;

/// How long a program may take to print credentials.
const PROGRAM: Duration = Duration::from_mins(1);

/// The kind of login, for messages: nothing, or a program by its file name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Login(Option<String>);

/// Why there are no credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginFault {
    login: Login,
    why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    NotStarted(String),
    /// The exit code or signal.
    Failed(String),
    NotACredential,
    NoStatus,
    NoToken,
    NoExpiry,
    Silent,
    NoTokenFile(String),
    NotAHeader,
    Unsupported,
    Incomplete,
    NoRoots(String),
}

impl Login {
    pub(super) fn of(info: &AuthInfo) -> Self {
        let named = |kind: &str, command: &str| {
            let words = command.split_whitespace().next().unwrap_or_default();
            let file = Path::new(words).file_name().unwrap_or_default();
            Self(Some(format!("{kind} \"{}\"", file.display())))
        };
        match (&info.auth_provider, &info.exec) {
            (Some(provider), _) => match provider.config.get("cmd-path") {
                Some(command) => named("the program", command),
                None => named("the auth provider", &provider.name),
            },
            (None, Some(exec)) => named(
                "the exec plugin",
                exec.command.as_deref().unwrap_or_default(),
            ),
            (None, None) => Self(None),
        }
    }

    pub(super) fn fault(&self, error: &AuthError) -> LoginFault {
        let why = match error {
            AuthError::AuthExecStart(error) => Why::NotStarted(error.to_string()),
            AuthError::AuthExecRun { out, .. } => Why::Failed(out.status.to_string()),
            AuthError::AuthExecParse(_) | AuthError::ParseTokenKey(_) => Why::NotACredential,
            AuthError::ExecPluginFailed => Why::NoStatus,
            AuthError::UnrefreshableTokenResponse => Why::NoToken,
            AuthError::MalformedTokenExpirationDate(_) => Why::NoExpiry,
            AuthError::ReadTokenFile(error, _) => Why::NoTokenFile(error.to_string()),
            AuthError::InvalidBasicAuth(_) | AuthError::InvalidBearerToken(_) => Why::NotAHeader,
            AuthError::AuthExec(_) => Why::Unsupported,
            AuthError::AuthExecSerialize(_)
            | AuthError::MissingCommand
            | AuthError::ExecMissingClusterInfo => Why::Incomplete,
            AuthError::NoValidNativeRootCA(error) => Why::NoRoots(error.to_string()),
        };
        self.because(why)
    }

    fn because(&self, why: Why) -> LoginFault {
        LoginFault {
            login: self.clone(),
            why,
        }
    }

    /// The login fault, if missing credentials are the reason why there is no client.
    pub(super) fn lacks(&self, error: NoClient) -> Result<LoginFault, kube::Error> {
        match error {
            NoClient::Silent => Ok(self.because(Why::Silent)),
            NoClient::NotAHeader => Ok(self.because(Why::NotAHeader)),
            NoClient::Failed(error) => match find::<AuthError>(&error) {
                Some(auth) => Ok(self.fault(auth)),
                None => Err(error),
            },
        }
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or("the credentials"))
    }
}

impl fmt::Display for LoginFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = &self.login;
        match &self.why {
            Why::NotStarted(cause) => write!(f, "{who} could not be started: {cause}"),
            Why::Failed(status) => write!(f, "{who} failed ({status})"),
            Why::NotACredential => write!(f, "the output of {who} is not an ExecCredential"),
            Why::NoStatus => write!(f, "the ExecCredential that {who} printed has no status"),
            Why::NoToken => write!(f, "{who} printed no token when it was asked for a new one"),
            Why::NoExpiry => write!(f, "{who} printed an invalid expiry time"),
            Why::Silent => {
                write!(f, "{who} printed nothing within {} s", PROGRAM.as_secs())
            }
            Why::NoTokenFile(cause) => write!(f, "the file of the token cannot be read: {cause}"),
            Why::NotAHeader => f.write_str("the token or password has invalid characters"),
            Why::Unsupported => write!(f, "{who} cannot be used"),
            Why::Incomplete => write!(f, "the settings of {who} are incomplete"),
            Why::NoRoots(cause) => {
                write!(f, "this machine has no certificate authorities: {cause}")
            }
        }
    }
}

impl LoginFault {
    /// The remedy.
    pub(super) const fn remedy(&self) -> &'static str {
        match self.why {
            Why::NotStarted(_) => {
                "Check its name in `kubernetes.exec` or the kubeconfig, and that it is installed and \
                 executable where Terraform runs."
            }
            Why::Failed(_)
            | Why::NotACredential
            | Why::NoStatus
            | Why::NoToken
            | Why::NoExpiry
            | Why::Silent => {
                "Run it in a terminal, with the arguments and environment of `kubernetes.exec` or \
                 of the kubeconfig, and read its output. The provider does not show the output, \
                 because it may contain credentials. The program cannot ask questions while \
                 Terraform runs: log in with it before."
            }
            Why::Unsupported => {
                "Use a kubeconfig with an exec plugin, such as kubelogin or gke-gcloud-auth-plugin, \
                 or `kubernetes.exec`."
            }
            Why::NoTokenFile(_) | Why::NotAHeader | Why::Incomplete | Why::NoRoots(_) => {
                "Check `kubernetes` in the provider configuration: the file, its context, and \
                 their credentials."
            }
        }
    }
}

/// Why there is no client.
pub(super) enum NoClient {
    Silent,
    NotAHeader,
    Failed(kube::Error),
}

/// A client with these credentials. A separate thread reads them: a program may take long, or wait
/// for input that never comes.
pub(super) async fn client(config: Config) -> Result<Client, NoClient> {
    let (send, made) = tokio::sync::oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        let _inside = runtime.enter();
        let _ = send.send(logged_in(config));
    });
    match tokio::time::timeout(PROGRAM, made).await {
        Ok(Ok(made)) => made.map_err(NoClient::Failed),
        // kube panics if a token is not a valid header value.
        Ok(Err(_)) => Err(NoClient::NotAHeader),
        Err(_) => Err(NoClient::Silent),
    }
}

fn logged_in(mut config: Config) -> kube::Result<Client> {
    let Some(auth) = config.auth_layer()? else {
        return Client::try_from(config);
    };
    // This layer's header is the only credential. Without the other fields, kube asks for nothing
    // twice.
    config.auth_info = AuthInfo {
        username: None,
        password: None,
        token: None,
        token_file: None,
        auth_provider: None,
        exec: None,
        ..config.auth_info
    };
    let namespace = config.default_namespace.clone();
    let client = Seen(Client::try_from(config)?);
    Ok(ClientBuilder::new(client, namespace)
        .with_layer(&auth)
        .build())
}

/// Receives each request with its credentials, so that renewed credentials are masked like the
/// first.
#[derive(Clone)]
struct Seen(Client);

type Boxed = Box<dyn std::error::Error + Send + Sync>;

impl Service<Request<Body>> for Seen {
    type Response = Response<Body>;
    type Error = Boxed;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Boxed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Boxed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let shown = request.headers().get(header::AUTHORIZATION);
        if let Some((_, secret)) = shown
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.split_once(' '))
        {
            masking::hide(secret);
        }
        let client = self.0.clone();
        Box::pin(async move { Ok(client.send(request).await?) })
    }
}

/// Masks these credentials in all messages from now on. Credentials from a program or a file are
/// masked when they are sent to the cluster.
pub(super) fn hide(info: &AuthInfo) {
    let secrets = [&info.password, &info.token, &info.client_key_data];
    for secret in secrets.into_iter().flatten() {
        masking::hide(secret.expose_secret());
    }
    if let Some(key) = &info.client_key_data {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.decode(key.expose_secret());
        if let Ok(text) = text
            .map_err(drop)
            .and_then(|key| String::from_utf8(key).map_err(drop))
        {
            masking::hide(&zeroize::Zeroizing::new(text));
        }
    }
    let exec = info.exec.iter().filter_map(|exec| exec.env.as_ref());
    for value in exec.flatten().filter_map(|variable| variable.get("value")) {
        masking::hide(value);
    }
    for (name, value) in info.auth_provider.iter().flat_map(|one| &one.config) {
        if name.contains("token") || name.contains("secret") {
            masking::hide(value);
        }
    }
}

/// Whether the client sends anything that others could use.
pub(super) fn has_credentials(info: &AuthInfo) -> bool {
    info.token.is_some()
        || info.token_file.is_some()
        || info.password.is_some()
        || info.auth_provider.is_some()
        || info.exec.is_some()
}

#[cfg(test)]
#[path = "login_tests.rs"]
mod tests;
