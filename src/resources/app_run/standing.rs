//! What each refresh says of a run that ended badly. The apply that sees the end of a run fails; an
//! apply that was interrupted does not see it, and later plans must not look as if all were well.

use super::follow::{NOT_AGAIN, ended_as};
use super::model::{Model, OnClientFailure, OnFailure};
use crate::flower::control::SubStatus;
use crate::tfplugin::diagnostic::Diagnostic;

/// A warning for a finished run in the state that the configuration does not accept.
pub(super) fn note(model: &Model) -> Option<Diagnostic> {
    if model.on_failure == OnFailure::Record {
        return None;
    }
    let id = model.run_id.get()?;
    let how = model.sub_status.get()?;
    let accepted = matches!(
        model.on_client_failure,
        Some(OnClientFailure::Warn | OnClientFailure::Ignore)
    );
    let (summary, accept) = if *how != SubStatus::Completed {
        (ended_as(*id, how), "`on_failure = \"record\"`")
    } else if !accepted && last_round_had_no_result(model) {
        (
            format!("The last round of the run {id} had no result"),
            "`on_client_failure = \"warn\"`",
        )
    } else {
        return None;
    };
    Some(Diagnostic::warning(summary).detail(format!("{NOT_AGAIN} To accept it, set {accept}.")))
}

/// Whether the last round that trained got no result from any SuperNode.
fn last_round_had_no_result(model: &Model) -> bool {
    let rounds = model.rounds.get().into_iter().flatten();
    let mut trained = rounds.filter_map(|round| round.train.as_ref()).rev();
    trained.next().is_some_and(|train| train.results == Some(0))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::resources::app_run::AppRun;
    use crate::resources::planning::tree;
    use crate::tfplugin::path::Path;
    use crate::tfplugin::schema::Attr as _;

    /// A finished run with these attributes.
    fn run(more: Json) -> Model {
        let mut state = json!({
            "source": { "path": "app" },
            "control": { "url": "http://h:1" },
            "on_failure": "error", "on_missing": "keep", "stop_on_destroy": true, "log_lines": 20,
            "run_id": "7", "status": "finished", "sub_status": "completed",
        });
        for (name, value) in more.as_object().unwrap() {
            state[name] = value.clone();
        }
        Model::decode(&tree::<AppRun>(state).0, &Path::default()).unwrap()
    }

    fn round(results: u32) -> Json {
        let phase = json!({ "sampled": 2, "results": results, "failures": 0, "metrics": {} });
        json!({ "round": 1, "train": phase, "server_metrics": {} })
    }

    #[test]
    fn a_run_that_ended_badly_is_told_until_it_is_accepted() {
        let failed = json!({ "sub_status": "failed" });
        let untrained = json!({ "rounds": [round(2), round(0)] });
        for (more, accepting, told) in [
            (failed, json!({ "on_failure": "record" }), "ended as failed"),
            (
                untrained.clone(),
                json!({ "on_client_failure": "warn" }),
                "had no result",
            ),
            (
                untrained,
                json!({ "on_failure": "record" }),
                "had no result",
            ),
        ] {
            let found = note(&run(more.clone())).unwrap();
            assert!(found.summary.contains(told), "{found:?}");
            let mut accepted = more;
            for (name, value) in accepting.as_object().unwrap() {
                accepted[name] = value.clone();
            }
            assert!(note(&run(accepted)).is_none());
        }
        for good in [json!({}), json!({ "rounds": [round(0), round(1)] })] {
            assert!(note(&run(good)).is_none());
        }
    }
}
