//! The cause of an error, as a text without secrets.
//!
//! Many errors quote their input: the arguments and output of a credential program, a line of a
//! kubeconfig, a byte of a key. So the provider searches the whole chain of causes, however deep a
//! library has wrapped it, before it uses any text of the error.

use std::error::Error;

use kube::config::{KubeconfigError, LoadDataError};
use rustls::pki_types::pem;

use crate::error_chain::error_chain;

/// The first error of this type in a chain of causes.
pub(super) fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

/// Why a client cannot be created. The text never quotes a proxy: its URL may contain a password.
pub(super) fn of_client(error: &kube::Error) -> String {
    match error {
        kube::Error::InferKubeconfig(error) => of_file(error),
        kube::Error::ProxyProtocolUnsupported { .. }
        | kube::Error::ProxyProtocolDisabled { .. } => {
            "the URL of its proxy does not begin with \"http://\" or \"https://\"".to_owned()
        }
        other => chain(other),
    }
}

/// Why a kubeconfig cannot be used. The parser would quote the lines around the error, including
/// tokens; a path may be a key that a user wrote there by mistake.
pub(super) fn of_file(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => format!("it is not a kubeconfig; see its line {}", at.line()),
            None => "it is not a kubeconfig".to_owned(),
        },
        KubeconfigError::ReadConfig(error, _) => format!("the file cannot be read: {error}"),
        KubeconfigError::CurrentContextNotSet
        | KubeconfigError::KindMismatch
        | KubeconfigError::ApiVersionMismatch
        | KubeconfigError::LoadContext(_)
        | KubeconfigError::LoadClusterOfContext(_)
        | KubeconfigError::FindPath
        | KubeconfigError::MissingClusterUrl => error.to_string(),
        KubeconfigError::ParseClusterUrl(_) => "`server` of its cluster is not a URL".to_owned(),
        KubeconfigError::ParseProxyUrl(_) => "`proxy-url` of its cluster is not a URL".to_owned(),
        KubeconfigError::LoadCertificateAuthority(error) => unloaded("authority", error),
        KubeconfigError::LoadClientCertificate(error) => unloaded("client certificate", error),
        KubeconfigError::LoadClientKey(error) => unloaded("client key", error),
        KubeconfigError::ParseCertificates(_) => {
            "the certificate authority of its cluster is not in PEM form".to_owned()
        }
        KubeconfigError::ParseNoProxy(_) => "NO_PROXY in the environment is malformed".to_owned(),
    }
}

fn unloaded(what: &str, error: &LoadDataError) -> String {
    match error {
        LoadDataError::DecodeBase64(_) => format!("the data of its {what} is not base64"),
        LoadDataError::ReadFile(error, _) => {
            format!("the file of its {what} cannot be read: {error}")
        }
        LoadDataError::NoBase64DataOrFile => format!("it has no {what}"),
    }
}

/// An error with its causes, each once.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    // Both quote their input.
    if find::<pem::Error>(error).is_some() {
        return "a certificate or key is not in PEM form, or damaged".to_owned();
    }
    if let Some(json) = find::<serde_json::Error>(error) {
        let (line, column) = (json.line(), json.column());
        return format!("an answer is not as expected, at line {line}, column {column}");
    }
    error_chain(error)
}
