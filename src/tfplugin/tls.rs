//! AutoMTLS: each side creates a certificate for this one connection and passes it on outside of
//! the connection.
//!
//! Otherwise, every process that can reach the socket could do everything that the user may do. So
//! only the certificate that the host announced is accepted, and the client must prove that it has
//! the key. Terraform's key is on P-521, which ring does not support: `p521` checks this curve.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

/// The certificate and TLS settings of this process.
pub(super) struct Identity {
    pub config: Arc<rustls::ServerConfig>,
    /// The certificate as it is in the handshake line.
    pub announced: String,
}

/// Why AutoMTLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("PLUGIN_CLIENT_CERT is not a certificate: {0}")]
    ClientCertificate(String),
    #[error("a certificate for this connection could not be created: {0}")]
    Certificate(#[from] rcgen::Error),
    #[error("TLS could not be set up: {0}")]
    Tls(#[from] Error),
}

impl Identity {
    /// Creates a certificate, and TLS settings that accept only the holder of `client_pem`.
    pub(super) fn for_client(client_pem: &str) -> Result<Self, TlsError> {
        let client = CertificateDer::from_pem_slice(client_pem.as_bytes())
            .map_err(|error| TlsError::ClientCertificate(error.to_string()))?;
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let certificate = made.cert.der().clone();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())
            .map_err(|error| TlsError::Tls(Error::General(error.to_owned())))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let only = OnlyClient {
            certificate: client.into_owned(),
            provider: Arc::clone(&provider),
        };
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(Arc::new(only))
            .with_single_cert(vec![certificate.clone()], key)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            announced: STANDARD_NO_PAD.encode(&certificate),
        })
    }
}

/// Accepts one certificate, compared byte for byte.
#[derive(Debug)]
struct OnlyClient {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for OnlyClient {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if end_entity.as_ref() == self.certificate.as_ref() {
            Ok(ClientCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if signed.scheme == SignatureScheme::ECDSA_NISTP521_SHA512 {
            return verify_p521(message, certificate, signed.signature());
        }
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self.provider.signature_verification_algorithms;
        let mut schemes = vec![SignatureScheme::ECDSA_NISTP521_SHA512];
        schemes.extend(algorithms.supported_schemes());
        schemes
    }
}

fn verify_p521(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signature: &[u8],
) -> Result<HandshakeSignatureValid, Error> {
    use p521::ecdsa::signature::Verifier as _;
    let bad = |_| Error::from(CertificateError::BadSignature);
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
        .map_err(|_| Error::from(CertificateError::BadEncoding))?;
    let point = &parsed.public_key().subject_public_key.data;
    let key = p521::ecdsa::VerifyingKey::from_sec1_bytes(point).map_err(bad)?;
    let signature = p521::ecdsa::Signature::from_der(signature).map_err(bad)?;
    key.verify(message, &signature).map_err(bad)?;
    Ok(HandshakeSignatureValid::assertion())
}

#[cfg(test)]
mod tests {
    use p521::ecdsa::signature::Signer as _;
    use p521::pkcs8::DecodePrivateKey as _;
    use rustls::internal::msgs::codec::{Codec as _, Reader};

    use super::*;

    const HOST: &str = include_str!("testdata/host.p521.crt");
    const HOST_KEY: &str = include_str!("../pki/testdata/p521.pkcs8.pem");

    type Key = p521::ecdsa::SigningKey;

    fn host_key() -> Key {
        let key = p521::SecretKey::from_pkcs8_pem(HOST_KEY).unwrap();
        Key::from_slice(&key.to_bytes()).unwrap()
    }

    /// The client's `CertificateVerify` for `message`.
    fn signed(scheme: SignatureScheme, message: &[u8], key: &Key) -> DigitallySignedStruct {
        let signature: p521::ecdsa::Signature = key.sign(message);
        let signature = signature.to_der();
        let mut wire = Vec::new();
        scheme.encode(&mut wire);
        u16::try_from(signature.as_bytes().len())
            .unwrap()
            .encode(&mut wire);
        wire.extend_from_slice(signature.as_bytes());
        DigitallySignedStruct::read(&mut Reader::init(&wire)).unwrap()
    }

    #[test]
    fn only_the_holder_of_the_hosts_key_on_p521_is_let_in() {
        let certificate = CertificateDer::from_pem_slice(HOST.as_bytes()).unwrap();
        let only = OnlyClient {
            certificate: certificate.clone(),
            provider: Arc::new(rustls::crypto::ring::default_provider()),
        };
        let p521 = SignatureScheme::ECDSA_NISTP521_SHA512;
        assert!(only.supported_verify_schemes().contains(&p521));
        let message = b"the handshake so far";
        let verify = |message: &[u8], signed: &DigitallySignedStruct| {
            only.verify_tls13_signature(message, &certificate, signed)
        };
        let own = signed(p521, message, &host_key());
        assert!(verify(message, &own).is_ok());
        let another = Key::from_slice(&[1; 66]).unwrap();
        for (why, message, signed) in [
            (
                "another's key",
                &message[..],
                signed(p521, message, &another),
            ),
            ("of another conversation", b"replayed", own),
            (
                "under the name of another scheme",
                message,
                signed(SignatureScheme::ECDSA_NISTP256_SHA256, message, &host_key()),
            ),
        ] {
            assert!(verify(message, &signed).is_err(), "{why}");
        }
    }

    #[test]
    fn another_certificate_is_not_let_in() {
        let certificate = CertificateDer::from_pem_slice(HOST.as_bytes()).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let only = OnlyClient {
            certificate: certificate.clone(),
            provider: Arc::new(rustls::crypto::ring::default_provider()),
        };
        let shown = |shown| only.verify_client_cert(shown, &[], UnixTime::now());
        assert!(shown(&certificate).is_ok());
        assert!(shown(other.cert.der()).is_err());
    }
}
