//! A diagnosis: what is wrong with an object.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;

use super::kind::Kind;
use super::reports::Reports;
use super::symptom::{Detail, Symptom};

/// The identity of a diagnosis, without its text, its reports and its exact kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DiagnosisId {
    process: String,
    symptom: Symptom,
    detail: Detail,
}

/// What is wrong, before the provider reads the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Diagnosis {
    pub kind: Kind,
    pub process: String,
    pub detail: Detail,
    /// The reported text, which may change from one attempt to the next.
    pub words: String,
    /// How many seconds the provider waited, if that is worth mentioning.
    pub waited: Option<u64>,
    pub remedy: Option<&'static str>,
    pub reports: Reports,
    /// The pod, and the time of the last report about its set-up.
    pub set_up: Option<(String, Timestamp)>,
    /// The pod whose log has details.
    pub log_of: Option<String>,
    /// The claims that the diagnosis is about.
    pub claims: Vec<String>,
}

impl Diagnosis {
    pub(super) fn of_pod(kind: Kind, words: &str) -> Self {
        let judgement = kind.judgement();
        Self {
            kind,
            process: "pod".to_owned(),
            detail: Detail::None,
            words: words.to_owned(),
            waited: None,
            remedy: judgement.remedy,
            reports: Reports::default(),
            set_up: None,
            log_of: None,
            claims: Vec::new(),
        }
    }

    /// The identity, which stays the same as long as the diagnosis lasts.
    pub(super) fn id(&self) -> DiagnosisId {
        DiagnosisId {
            process: self.process.clone(),
            symptom: self.kind.judgement().symptom,
            detail: self.detail.clone(),
        }
    }

    pub(super) fn what(&self) -> String {
        let symptom = self.kind.judgement().symptom;
        match &self.detail {
            Detail::None => symptom.to_string(),
            Detail::Exit(code) => format!("it ended with exit status: {code}"),
            Detail::ExitUnanswering(code) => format!(
                "it was ended (exit status: {code}) because it did not answer its health probe"
            ),
            Detail::Reason(reason) => format!("{symptom} ({reason})"),
        }
    }

    pub(super) fn how(&self) -> String {
        let mut how = self.what();
        if let Some(seconds) = self.waited {
            how = format!("{how} (after {seconds} s)");
        }
        if !self.words.is_empty() {
            how = format!("{how}: {}", self.words);
        }
        how
    }
}

/// The status, reason and message of a condition.
pub(super) fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let found = conditions.iter().find(|one| one.type_ == kind)?;
    let text = |text: &'a Option<String>| text.as_deref().unwrap_or_default();
    Some((&found.status, text(&found.reason), text(&found.message)))
}
