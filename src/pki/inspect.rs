//! Reads certificates, from other programs or from the provider itself.
//!
//! Plans need the dates and names of a certificate to decide when to renew it, and a bundle may
//! hold two authorities during a rotation. Nothing is verified here.

use std::net::IpAddr;

use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::prelude::X509Certificate;

/// The fields of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateInfo {
    /// The subject as RFC 4514 text, such as `CN=flower`.
    pub subject: String,
    /// The issuer as RFC 4514 text.
    pub issuer: String,
    /// Start of its validity.
    pub not_before: OffsetDateTime,
    /// End of its validity.
    pub not_after: OffsetDateTime,
    /// Whether it may sign other certificates.
    pub is_ca: bool,
    /// The DNS names that it is valid for.
    pub dns_names: Vec<String>,
    /// The IP addresses that it is valid for.
    pub ip_addresses: Vec<IpAddr>,
}

/// Why a text cannot be read as certificates.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InspectError {
    /// The text contains no certificate.
    #[error("the text contains no PEM certificate (a block that begins with BEGIN CERTIFICATE)")]
    NoCertificate,
    /// The text contains a private key, but only certificates belong here.
    #[error("the text contains a private key, but only certificates belong here")]
    PrivateKeyFound,
    /// The block cannot be decoded.
    #[error("certificate number {position} in the text is damaged: {reason}")]
    Damaged {
        /// The position of the block, counted from 1.
        position: usize,
        /// The message of the decoder.
        reason: String,
    },
}

impl InspectError {
    /// The remedy, as a full sentence.
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::NoCertificate => {
                "Use PEM format; `openssl x509 -inform der -in FILE` converts a DER file."
            }
            Self::PrivateKeyFound => {
                "Remove the private key. If other people could read it, replace the key."
            }
            Self::Damaged { .. } => {
                "Copy the whole certificate, with its first and last line and its line breaks."
            }
        };
        Some(text.to_owned())
    }
}

/// Reads the first certificate of a PEM text.
pub fn inspect(pem: &str) -> Result<CertificateInfo, InspectError> {
    inspect_bundle(pem)?
        .into_iter()
        .next()
        .ok_or(InspectError::NoCertificate)
}

/// Reads all certificates of a PEM text, in order. Text between the blocks is allowed.
pub fn inspect_bundle(pem: &str) -> Result<Vec<CertificateInfo>, InspectError> {
    if pem.contains("PRIVATE KEY-----") {
        return Err(InspectError::PrivateKeyFound);
    }
    let mut found = Vec::new();
    for block in Pem::iter_from_buffer(pem.as_bytes()) {
        let position = found.len() + 1;
        let damaged = |reason: String| InspectError::Damaged { position, reason };
        let block = block.map_err(|error| damaged(error.to_string()))?;
        if block.label != "CERTIFICATE" {
            continue;
        }
        let parsed = block
            .parse_x509()
            .map_err(|error| damaged(error.to_string()))?;
        found.push(read(&parsed).map_err(|error| damaged(error.to_string()))?);
    }
    if found.is_empty() {
        return Err(InspectError::NoCertificate);
    }
    Ok(found)
}

fn read(
    certificate: &X509Certificate<'_>,
) -> Result<CertificateInfo, x509_parser::error::X509Error> {
    let mut dns_names = Vec::new();
    let mut ip_addresses = Vec::new();
    if let Some(names) = certificate.subject_alternative_name()? {
        for name in &names.value.general_names {
            match name {
                GeneralName::DNSName(text) => dns_names.push((*text).to_owned()),
                GeneralName::IPAddress(octets) => ip_addresses.extend(address(octets)),
                _ => {}
            }
        }
    }
    Ok(CertificateInfo {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        not_before: certificate.validity().not_before.to_datetime(),
        not_after: certificate.validity().not_after.to_datetime(),
        is_ca: certificate.is_ca(),
        dns_names,
        ip_addresses,
    })
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Some(IpAddr::from(v4));
    }
    <[u8; 16]>::try_from(octets).ok().map(IpAddr::from)
}
