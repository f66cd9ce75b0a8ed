//! The keys and certificates of one cluster: a new CA for each start.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::Result;

use super::layout::{Tenant, write};

/// The certificate authority of one cluster.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The CA certificate as PEM.
    pub pem: String,
}

/// A certificate and its key as PEM.
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    /// A new CA.
    pub fn new(tenant: &Tenant) -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(
            DnType::CommonName,
            format!("{} authority", tenant.context()),
        );
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self {
            issuer: Issuer::new(params, key),
            pem,
        })
    }

    /// A client certificate for `user`, a member of `group`.
    pub fn client(&self, user: &str, group: Option<&str>) -> Result<Identity> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, user);
        if let Some(group) = group {
            params
                .distinguished_name
                .push(DnType::OrganizationName, group);
        }
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// A server certificate for these names and addresses.
    pub fn server(&self, name: &str, answers_to: &[&str]) -> Result<Identity> {
        let names: Vec<String> = answers_to.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, name);
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<Identity> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        Ok(Identity {
            certificate: params.signed_by(&key, &self.issuer)?.pem(),
            key: key.serialize_pem(),
        })
    }
}

impl Identity {
    /// Writes `<name>.pem` and `<name>.key` into the tenant's folder.
    pub fn write(&self, tenant: &Tenant, name: &str) -> Result<()> {
        write(&tenant.path(&format!("pki/{name}.pem")), &self.certificate)?;
        write(&tenant.path(&format!("pki/{name}.key")), &self.key)
    }
}

/// Creates the certificates of all programs of one cluster. Returns the CA and the administrator's
/// certificate, for clients outside the cluster.
pub fn create(tenant: &Tenant) -> Result<(Authority, Identity)> {
    let authority = Authority::new(tenant)?;
    write(&tenant.path("pki/ca.pem"), &authority.pem)?;

    let (address, service) = (tenant.address(), tenant.api_service());
    authority
        .server(
            "kube-apiserver",
            &[
                "localhost",
                "127.0.0.1",
                &address,
                &service,
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
            ],
        )?
        .write(tenant, "apiserver")?;
    authority
        .server(&tenant.node(), &[&tenant.node(), &address])?
        .write(tenant, "kubelet-server")?;
    for (file, user, group) in [
        (
            "apiserver-to-kubelet",
            "kube-apiserver",
            Some("system:masters"),
        ),
        ("controller-manager", "system:kube-controller-manager", None),
        ("scheduler", "system:kube-scheduler", None),
        ("proxy", "system:kube-proxy", None),
        // No built-in role of Kubernetes may read policies and nodes.
        ("kube-router", "kube-router", Some("system:masters")),
        (
            "kubelet",
            &*format!("system:node:{}", tenant.node()),
            Some("system:nodes"),
        ),
    ] {
        authority.client(user, group)?.write(tenant, file)?;
    }
    let admin = authority.client("admin", Some("system:masters"))?;
    admin.write(tenant, "admin")?;

    let accounts = KeyPair::generate()?;
    write(&tenant.path("pki/accounts.key"), accounts.serialize_pem())?;
    write(&tenant.path("pki/accounts.pub"), accounts.public_key_pem())?;
    Ok((authority, admin))
}
