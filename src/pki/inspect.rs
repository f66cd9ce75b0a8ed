//! Reads certificates that others made, or that we made earlier.
//!
//! Plans need the dates and names of a certificate to say when it must be renewed, and a bundle may
//! hold two authorities during a rotation. Nothing is trusted or verified here.

use std::net::IpAddr;

use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::prelude::X509Certificate;

/// What a certificate says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateInfo {
    /// The subject as RFC 4514 text, such as `CN=flower`.
    pub subject: String,
    /// The issuer as RFC 4514 text.
    pub issuer: String,
    /// From when it is valid.
    pub not_before: OffsetDateTime,
    /// Until when it is valid.
    pub not_after: OffsetDateTime,
    /// May it sign other certificates?
    pub is_ca: bool,
    /// The DNS names it is valid for.
    pub dns_names: Vec<String>,
    /// The IP addresses it is valid for.
    pub ip_addresses: Vec<IpAddr>,
}

/// Why a text cannot be read as certificates.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InspectError {
    /// No certificate in it.
    #[error("the text holds no PEM certificate (a block that begins with BEGIN CERTIFICATE)")]
    NoCertificate,
    /// A private key where only certificates belong.
    #[error("the text holds a private key besides or instead of certificates")]
    PrivateKeyFound,
    /// The block cannot be decoded.
    #[error("certificate number {position} in the text is damaged: {reason}")]
    Damaged {
        /// Which one, counted from 1.
        position: usize,
        /// The decoder's own words.
        reason: String,
    },
}

impl InspectError {
    /// What to do about it, as a full sentence.
    pub fn remedy(&self) -> Option<String> {
        let text = match self {
            Self::NoCertificate => {
                "Give the certificate in PEM format; `openssl x509 -inform der -in FILE` converts a DER file."
            }
            Self::PrivateKeyFound => {
                "Give only the certificates here, and treat the key as exposed if it was stored where others can read it."
            }
            Self::Damaged { .. } => {
                "Check that the certificate was copied whole, with its first and last line and its line breaks."
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

/// Reads every certificate of a PEM text, in its order. Text between the blocks is allowed.
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
