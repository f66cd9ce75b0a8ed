//! Error replies of the API server.

use kube::core::Status;

use super::error::ClusterError;

impl ClusterError {
    /// The error reply to a port-forward, which contains no message.
    pub(super) fn of_upgrade(code: u16, object: &str, at: &str) -> Self {
        match code {
            401 => Self::Unauthenticated {
                at: at.to_owned(),
                words: "Unauthorized".to_owned(),
            },
            403 => Self::Forbidden {
                words: object.to_owned(),
            },
            _ => Self::Api {
                object: object.to_owned(),
                words: format!("the port-forward was answered with status {code}"),
            },
        }
    }

    pub(super) fn of_status(status: &Status, object: &str, at: &str) -> Self {
        let words = status.message.clone();
        let object = object.to_owned();
        match status.code {
            401 => Self::Unauthenticated {
                at: at.to_owned(),
                words,
            },
            403 if words.contains("exceeded quota") => Self::Quota { words },
            403 => Self::Forbidden { words },
            404 if words.starts_with("namespaces ") => Self::NoNamespace {
                namespace: words.split('"').nth(1).unwrap_or_default().to_owned(),
            },
            409 if !is_passing_clash(status) => {
                let fields = conflicts(status);
                if fields.is_empty() {
                    Self::Api { object, words }
                } else {
                    Self::Conflict { object, fields }
                }
            }
            400 | 422 => Self::Invalid { object, words },
            code @ (409 | 429 | 500..) => Self::Busy {
                object,
                at: at.to_owned(),
                code,
                words: if words.is_empty() {
                    "no reason was given".to_owned()
                } else {
                    words
                },
            },
            _ => Self::Api { object, words },
        }
    }
}

/// Whether a create was refused because the name already exists.
pub(super) fn is_there_already(status: &Status) -> bool {
    status.code == 409 && status.reason == "AlreadyExists"
}

/// Whether a request without a version precondition conflicted with a simultaneous change, such as
/// that of the quota: a retry may succeed.
pub(super) fn is_passing_clash(status: &Status) -> bool {
    let causes = status.details.as_ref().map(|details| &details.causes);
    status.code == 409 && !is_there_already(status) && causes.is_none_or(Vec::is_empty)
}

/// The other managers and their fields: Kubernetes writes `conflict with "kubectl-edit" using apps/v1`.
fn conflicts(status: &Status) -> Vec<(String, String)> {
    let causes = status.details.as_ref().map(|details| &details.causes);
    causes
        .into_iter()
        .flatten()
        .filter(|cause| cause.reason == "FieldManagerConflict")
        .map(|cause| {
            let manager = cause.message.split('"').nth(1).unwrap_or(&cause.message);
            (manager.to_owned(), cause.field.clone())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(code: u16, reason: &str, message: &str, causes: &serde_json::Value) -> Status {
        let details = json!({ "causes": causes });
        let status =
            json!({ "code": code, "reason": reason, "message": message, "details": details });
        serde_json::from_value(status).unwrap()
    }

    #[test]
    fn a_clash_is_told_from_what_exists_and_from_what_others_manage() {
        let none = json!([]);
        let there = refused(
            409,
            "AlreadyExists",
            "configmaps \"a\" already exists",
            &none,
        );
        assert!(is_there_already(&there) && !is_passing_clash(&there));
        let quota = "Operation cannot be fulfilled on resourcequotas \"q\": the object has been modified; please apply your changes to the latest version and try again";
        let quota = refused(409, "Conflict", quota, &none);
        assert!(!is_there_already(&quota) && is_passing_clash(&quota));
        let error = ClusterError::of_status(&quota, "ConfigMap \"a\"", "https://k");
        assert!(error.may_pass(), "{error}");
        assert!(error.remedy().unwrap().starts_with("Apply again"));
        let owned = json!([{
            "reason": "FieldManagerConflict",
            "message": "conflict with \"kubectl-edit\" using apps/v1",
            "field": ".spec.replicas",
        }]);
        let owned = refused(409, "Conflict", "Apply failed with 1 conflict", &owned);
        assert!(!is_there_already(&owned) && !is_passing_clash(&owned));
        let error = ClusterError::of_status(&owned, "Deployment \"a\"", "https://k");
        assert!(matches!(error, ClusterError::Conflict { .. }), "{error}");
        assert!(!is_passing_clash(&refused(
            403,
            "Forbidden",
            "exceeded quota",
            &none
        )));
    }
}
