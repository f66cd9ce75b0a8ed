//! Apps of Flower Hub, which a SuperLink fetches itself. The provider only passes on the name.

use std::fmt;
use std::str::FromStr;

/// An app of Flower Hub, such as `@publisher/app==1.2.3`; without a version, the newest one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubApp {
    /// `publisher/app`, as a SuperLink lists the app of a run.
    id: String,
    version: Option<String>,
}

impl HubApp {
    /// `publisher/app`, as a SuperLink lists the app of a run.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The version, if the name has one.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }
}

impl fmt::Display for HubApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}", self.id)?;
        match &self.version {
            Some(version) => write!(f, "=={version}"),
            None => Ok(()),
        }
    }
}

/// A text that does not name an app of Flower Hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAHubApp {
    /// Not `@publisher/app`.
    #[error(
        "write an app of Flower Hub as \"@publisher/app\" or \"@publisher/app==1.2.3\"; both names \
         have only ASCII letters, digits, `_`, `.` and `-`"
    )]
    Id,
    /// Not `x.y.z` after `==`.
    #[error(
        "the version after `==` must be three numbers, such as \"@publisher/app==1.2.3\"; without \
         `==` it is the newest version"
    )]
    Version,
}

impl FromStr for HubApp {
    type Err = NotAHubApp;

    fn from_str(text: &str) -> Result<Self, NotAHubApp> {
        let (id, version) = match text.split_once("==") {
            Some((id, version)) => (id, Some(version)),
            None => (text, None),
        };
        let id = id.strip_prefix('@').ok_or(NotAHubApp::Id)?;
        let (publisher, app) = id.split_once('/').ok_or(NotAHubApp::Id)?;
        if !is_name(publisher) || !is_name(app) {
            return Err(NotAHubApp::Id);
        }
        if !version.is_none_or(is_version) {
            return Err(NotAHubApp::Version);
        }
        Ok(Self {
            id: id.to_owned(),
            version: version.map(str::to_owned),
        })
    }
}

fn is_name(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

fn is_version(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    text.split('.').count() == 3 && text.split('.').all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_publisher_an_app_and_perhaps_a_version() {
        let app: HubApp = "@flwrlabs/quickstart-numpy==1.02.3".parse().unwrap();
        assert_eq!(app.id(), "flwrlabs/quickstart-numpy");
        assert_eq!(app.version(), Some("1.02.3"));
        let newest: HubApp = "@a_B.0-c/d".parse().unwrap();
        assert_eq!((newest.id(), newest.version()), ("a_B.0-c/d", None));
        for text in ["@flwrlabs/quickstart-numpy==1.02.3", "@a_B.0-c/d"] {
            assert_eq!(text.parse::<HubApp>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_flower_would_refuse_is_refused_before_anything_is_sent() {
        for text in [
            "",
            "@",
            "a/b",
            "@a",
            "@a/",
            "@/b",
            "@a/b/c",
            "@a b/c",
            "@a/b ",
            " @a/b",
            "@a/b\n",
            "@\u{e4}/b",
            "@a/b=1.0.0",
            "@a/b@1.0.0",
            "==1.0.0",
            "@@a/b",
        ] {
            assert_eq!(text.parse::<HubApp>(), Err(NotAHubApp::Id), "{text:?}");
        }
        for text in [
            "@a/b==",
            "@a/b==1",
            "@a/b==1.0",
            "@a/b==1.0.0.0",
            "@a/b==v1.0.0",
            "@a/b==1.0.0rc1",
            "@a/b==1.0.0\n",
            "@a/b===1.0.0",
            "@a/b==1..0",
            "@a/b==\u{661}.0.0",
        ] {
            assert_eq!(text.parse::<HubApp>(), Err(NotAHubApp::Version), "{text:?}");
        }
    }
}
