//! The address of an object in a cluster, `kube://namespace/name`: what a `control` has in place of a host
//! where the Control API listens in its pod alone. Nothing else knows the text.

use std::fmt;

/// An object of a cluster, by its namespace and the name of its Deployment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PodAddress {
    namespace: String,
    name: String,
}

impl PodAddress {
    /// What its URLs begin with.
    pub const PREFIX: &'static str = "kube://";

    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }

    /// The address that a URL writes; `None` where it is of another form.
    pub fn parse(url: &str) -> Option<Self> {
        let (address, _) = url.split_once('#').unwrap_or((url, ""));
        let (namespace, name) = address.strip_prefix(Self::PREFIX)?.split_once('/')?;
        let name = name.trim_start_matches('/');
        let is_label = |text: &str| {
            let mut bytes = text.bytes();
            !text.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        (is_label(namespace) && is_label(name)).then(|| Self::new(namespace, name))
    }

    /// Whether a URL is to be one, well formed or not.
    pub fn is_meant_by(url: &str) -> bool {
        url.starts_with(Self::PREFIX)
    }

    /// Whether this is the scheme of its URLs.
    pub fn has_scheme(scheme: &str) -> bool {
        Self::PREFIX.strip_suffix("://") == Some(scheme)
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for PodAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}/{}", Self::PREFIX, self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_namespace_and_a_name() {
        let address = PodAddress::new("fl-a", "superlink-main");
        assert_eq!(address.to_string(), "kube://fl-a/superlink-main");
        assert_eq!(
            PodAddress::parse("kube://fl-a/superlink-main"),
            Some(address)
        );
        for url in [
            "kube://a",
            "kube://a/",
            "kube://a/b/c",
            "kube://a:1/b",
            "kube://a/b?c",
            "kube:///b",
            "kube:/a/b",
            "https://a/b",
            "KUBE://a/b",
        ] {
            assert_eq!(PodAddress::parse(url), None, "{url}");
        }
    }

    #[test]
    fn one_that_is_malformed_is_still_meant() {
        assert!(PodAddress::is_meant_by("kube://a:1/b"));
        assert!(!PodAddress::is_meant_by("kube.example.org:443"));
    }
}
