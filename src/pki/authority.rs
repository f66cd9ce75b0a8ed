//! A certificate authority for the SuperLinks of one owner.
//!
//! SuperNodes trust every SuperLink whose certificate the authority signed, so a server certificate
//! can be renewed without changing a SuperNode. The authority signs only server certificates: no
//! intermediate authorities, no clients. The caller stores its key in a vault.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, SanType,
};
use time::{Duration, OffsetDateTime};
use x509_parser::pem::Pem;
use zeroize::Zeroizing;

use super::inspect::{CertificateInfo, InspectError, inspect};
use super::node_key::NodeKey;
use super::node_key_error::NodeKeyError;
use super::server_names::ServerNames;

/// How far before the current time a certificate starts to be valid. Clocks differ between
/// machines, and a machine whose clock is late refuses a certificate "from the future".
const BACKDATE: Duration = Duration::hours(1);

/// The curves of generated authorities. P-521 is missing because many TLS stacks refuse it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthorityAlgorithm {
    /// ECDSA over NIST P-256.
    #[default]
    EcdsaP256,
    /// ECDSA over NIST P-384.
    EcdsaP384,
}

/// Why an authority cannot be created, read or used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The certificate cannot be read.
    #[error("the authority's certificate cannot be read: {0}")]
    Certificate(#[from] InspectError),
    /// The certificate is not a CA certificate.
    #[error("the certificate of {subject:?} is not a certificate authority (CA:TRUE is missing)")]
    NotAnAuthority {
        /// The subject of the certificate.
        subject: String,
    },
    /// The key usage does not allow signing certificates.
    #[error(
        "the certificate of {subject:?} may not sign certificates (its key usage lacks keyCertSign)"
    )]
    MayNotSign {
        /// The subject of the certificate.
        subject: String,
    },
    /// The key belongs to another certificate.
    #[error("the private key does not belong to the authority's certificate")]
    Mismatch,
    /// The key cannot be used.
    #[error("the authority's private key cannot be used: {0}")]
    Key(String),
    /// The authority has expired or is not valid yet.
    #[error("the authority is valid from {not_before} to {not_after}, but the time is {now}")]
    NotValid {
        /// Start of its validity.
        not_before: OffsetDateTime,
        /// End of its validity.
        not_after: OffsetDateTime,
        /// The current time.
        now: OffsetDateTime,
    },
    /// The validity is not positive or its end is out of range.
    #[error("a validity of {0} cannot be used")]
    Validity(Duration),
    /// The common name cannot be used.
    #[error("{0:?} cannot be the common name of an authority")]
    CommonName(String),
    /// Signing failed.
    #[error("the certificate could not be created: {0}")]
    Signing(String),
}

impl AuthorityError {
    /// The remedy, as a full sentence.
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::Certificate(error) => return error.remedy(),
            Self::NotAnAuthority { .. } => {
                "Use the certificate of the authority itself, not of a server that it signed."
            }
            Self::MayNotSign { .. } => {
                "Use an authority whose key usage contains keyCertSign, or let the provider create one."
            }
            Self::Mismatch => "Use the certificate and the private key of the same authority.",
            Self::Key(_) => {
                "Use an unencrypted private key in PKCS#8 PEM format; `openssl pkcs8 -topk8 -nocrypt -in KEY` converts other formats."
            }
            Self::NotValid { .. } => {
                "Renew the authority, or correct the clock of this machine if it is wrong."
            }
            Self::Validity(_) => "Use a positive duration such as 8760h.",
            Self::CommonName(_) => "Use 1 to 64 printable characters.",
            Self::Signing(_) => return None,
        };
        Some(text.to_owned())
    }
}

/// An authority that can sign: its certificate and its key.
pub struct Authority {
    certificate_pem: String,
    private_key_pem: Zeroizing<String>,
    key: KeyPair,
    info: CertificateInfo,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

/// A server's certificate with its own new key.
pub struct ServerCertificate {
    /// The certificate, without the authority's.
    pub certificate_pem: String,
    /// Its private key as PKCS#8 PEM.
    pub private_key_pem: Zeroizing<String>,
    /// The end of its validity; never later than that of the authority.
    pub not_after: OffsetDateTime,
}

impl std::fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerCertificate")
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

impl Authority {
    /// Creates a self-signed authority.
    pub fn generate(
        common_name: &str,
        algorithm: AuthorityAlgorithm,
        validity: Duration,
        now: OffsetDateTime,
    ) -> Result<Self, AuthorityError> {
        let printable = !common_name.chars().any(char::is_control);
        if common_name.trim().is_empty() || common_name.chars().count() > 64 || !printable {
            return Err(AuthorityError::CommonName(common_name.to_owned()));
        }
        let key = KeyPair::generate_for(match algorithm {
            AuthorityAlgorithm::EcdsaP256 => &PKCS_ECDSA_P256_SHA256,
            AuthorityAlgorithm::EcdsaP384 => &PKCS_ECDSA_P384_SHA384,
        })
        .map_err(|error| signing(&error))?;
        let mut params = parameters(common_name, validity, now)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate_pem = params
            .self_signed(&key)
            .map_err(|error| signing(&error))?
            .pem();
        let info = inspect(&certificate_pem)?;
        let private_key_pem = Zeroizing::new(key.serialize_pem());
        Ok(Self {
            certificate_pem,
            private_key_pem,
            key,
            info,
        })
    }

    /// Reads an authority and checks that it is a CA, that it may sign, and that the key belongs to
    /// it. Only the first certificate of the text is used.
    pub fn load(certificate_pem: &str, private_key_pem: &str) -> Result<Self, AuthorityError> {
        let info = inspect(certificate_pem)?;
        let block = first_certificate(certificate_pem)?;
        let parsed = block.parse_x509().map_err(|error| InspectError::Damaged {
            position: 1,
            reason: error.to_string(),
        })?;
        if !info.is_ca {
            return Err(AuthorityError::NotAnAuthority {
                subject: info.subject,
            });
        }
        let usage = parsed.key_usage().map_err(|error| signing(&error))?;
        if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
            return Err(AuthorityError::MayNotSign {
                subject: info.subject,
            });
        }
        let private_key_pem = as_pkcs8(private_key_pem)?;
        let key = KeyPair::from_pem(&private_key_pem)
            .map_err(|error| AuthorityError::Key(error.to_string()))?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(AuthorityError::Mismatch);
        }
        Ok(Self {
            certificate_pem: certificate_pem.to_owned(),
            private_key_pem,
            key,
            info,
        })
    }

    /// The certificate as PEM; it is public.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// The private key as PKCS#8 PEM. Store it only in a vault.
    pub fn private_key_pem(&self) -> &Zeroizing<String> {
        &self.private_key_pem
    }

    /// The fields of the certificate.
    pub fn info(&self) -> &CertificateInfo {
        &self.info
    }

    /// Signs a certificate for a server, with a new P-256 key. The certificate ends at the latest
    /// when the authority ends, even if the caller asks for more.
    pub fn issue_server(
        &self,
        names: &ServerNames,
        validity: Duration,
        now: OffsetDateTime,
    ) -> Result<ServerCertificate, AuthorityError> {
        let CertificateInfo {
            not_before,
            not_after,
            ..
        } = self.info;
        if now < not_before || now >= not_after {
            return Err(AuthorityError::NotValid {
                not_before,
                not_after,
                now,
            });
        }
        let mut params = parameters(&common_name(names), validity, now)?;
        params.not_before = params.not_before.max(not_before);
        params.not_after = params.not_after.min(not_after);
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        for name in names.dns() {
            let name = name.as_str().try_into().map_err(|error| signing(&error))?;
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        params
            .subject_alt_names
            .extend(names.ips().iter().copied().map(SanType::IpAddress));

        let key =
            KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| signing(&error))?;
        let der = first_certificate(&self.certificate_pem)?.contents;
        let issuer = Issuer::from_ca_cert_der(&der.as_slice().into(), &self.key)
            .map_err(|error| signing(&error))?;
        let certificate = params
            .signed_by(&key, &issuer)
            .map_err(|error| signing(&error))?;
        Ok(ServerCertificate {
            certificate_pem: certificate.pem(),
            private_key_pem: Zeroizing::new(key.serialize_pem()),
            not_after: params.not_after,
        })
    }
}

fn parameters(
    common_name: &str,
    validity: Duration,
    now: OffsetDateTime,
) -> Result<CertificateParams, AuthorityError> {
    let bad = || AuthorityError::Validity(validity);
    if validity < Duration::SECOND {
        return Err(bad());
    }
    // A certificate stores whole seconds; the reported dates must equal the stored ones.
    let now = now - Duration::nanoseconds(i64::from(now.nanosecond()));
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.not_before = now.checked_sub(BACKDATE).ok_or_else(bad)?;
    params.not_after = now
        .checked_add(Duration::seconds(validity.whole_seconds()))
        .ok_or_else(bad)?;
    Ok(params)
}

/// A name longer than 64 characters does not fit into a common name; clients check the alternative
/// names.
fn common_name(names: &ServerNames) -> String {
    let first = names.dns().first().filter(|name| name.len() <= 64).cloned();
    first.unwrap_or_else(|| "flower-superlink".to_owned())
}

fn first_certificate(pem: &str) -> Result<Pem, AuthorityError> {
    Pem::iter_from_buffer(pem.as_bytes())
        .filter_map(Result::ok)
        .find(|block| block.label == "CERTIFICATE")
        .ok_or(AuthorityError::Certificate(InspectError::NoCertificate))
}

/// ring reads only PKCS#8, so EC keys in other formats are converted.
fn as_pkcs8(text: &str) -> Result<Zeroizing<String>, AuthorityError> {
    match NodeKey::parse(text) {
        Ok(key) => key
            .pkcs8_pem()
            .map_err(|error| AuthorityError::Key(error.to_string())),
        // RSA authorities are common; ring signs with them if the key is PKCS#8.
        Err(NodeKeyError::Unsupported(_)) if text.contains("-----BEGIN PRIVATE KEY-----") => {
            Ok(Zeroizing::new(text.to_owned()))
        }
        Err(NodeKeyError::Unsupported(kind)) => Err(AuthorityError::Key(format!(
            "it is {kind} in an unsupported format"
        ))),
        Err(NodeKeyError::Encrypted) => Err(AuthorityError::Key(
            "it is encrypted with a passphrase".to_owned(),
        )),
        Err(error) => Err(AuthorityError::Key(error.to_string())),
    }
}

fn signing(error: &impl std::fmt::Display) -> AuthorityError {
    AuthorityError::Signing(error.to_string())
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
