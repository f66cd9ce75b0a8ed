//! What is wrong with an object, in one piece.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;

use super::kind::Kind;
use super::reports::Reports;

/// What is wrong, before its log was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Diagnosis {
    pub kind: Kind,
    pub process: String,
    /// The same for as long as it lasts: `words` may change from one attempt to the next.
    pub what: String,
    pub words: String,
    pub remedy: Option<&'static str>,
    pub reports: Reports,
    /// The pod, and when the last report about its set-up was.
    pub set_up: Option<(String, Timestamp)>,
    /// The pod whose log tells more.
    pub log_of: Option<String>,
    /// The claims that it is about.
    pub claims: Vec<String>,
}

impl Diagnosis {
    pub(super) fn of_pod(kind: Kind, words: &str) -> Self {
        let judgement = kind.judgement();
        Self {
            kind,
            process: "pod".to_owned(),
            what: judgement.what.to_owned(),
            words: words.to_owned(),
            remedy: judgement.remedy,
            reports: Reports::default(),
            set_up: None,
            log_of: None,
            claims: Vec::new(),
        }
    }

    pub(super) fn how(&self) -> String {
        if self.words.is_empty() {
            self.what.clone()
        } else {
            format!("{}: {}", self.what, self.words)
        }
    }
}

/// The status, reason and message of a condition.
pub(super) fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions.iter().find(|one| one.type_ == kind)?;
    let text = |text: &'a Option<String>| text.as_deref().unwrap_or_default();
    Some((&found.status, text(&found.reason), text(&found.message)))
}
