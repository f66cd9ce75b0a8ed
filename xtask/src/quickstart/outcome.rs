//! Summarizes the apply in a few lines: the outputs, and how the run ended.

use std::fmt::Write as _;

use serde_json::Value;

/// The resource type of the run.
const RUN: &str = "flower_app_run";

/// Summarizes the output of `terraform show -json`.
pub fn describe(state: &Value) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let outputs = state.pointer("/values/outputs").and_then(Value::as_object);
    if let Some(outputs) = outputs.filter(|outputs| !outputs.is_empty()) {
        text.push_str("Outputs:\n");
        for (name, output) in outputs {
            let shown = match output.get("sensitive").and_then(Value::as_bool) {
                Some(true) => "(sensitive)".to_owned(),
                _ => plain(output.get("value")),
            };
            let _ = writeln!(text, "  {name} = {shown}");
        }
    }
    for run in runs(state) {
        let address = plain(run.get("address"));
        let of = |key: &str| {
            run.pointer(&format!("/values/{key}"))
                .filter(|value| !value.is_null() && *value != "")
                .map(|value| plain(Some(value)))
        };
        let _ = write!(
            text,
            "{address}: run {} is {}",
            of("run_id").unwrap_or_default(),
            of("status").unwrap_or_default()
        );
        for detail in ["sub_status", "details"].into_iter().filter_map(of) {
            let _ = write!(text, ", {detail}");
        }
        text.push('\n');
    }
    text
}

fn runs(state: &Value) -> impl Iterator<Item = &Value> {
    state
        .pointer("/values/root_module/resources")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|resource| resource.get("type").is_some_and(|kind| kind == RUN))
}

/// A string without quotes, any other value as JSON.
fn plain(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tells_the_outputs_and_the_runs_end() {
        let text = describe(&json!({"values": {
            "outputs": {
                "address": {"value": "127.0.0.1:9092"},
                "token": {"value": "hush", "sensitive": true},
            },
            "root_module": {"resources": [
                {"type": "flower_superlink", "address": "flower_superlink.x", "values": {}},
                {"type": "flower_app_run", "address": "flower_app_run.train", "values":
                    {"run_id": "17", "status": "finished", "sub_status": "completed", "details": ""}},
            ]},
        }}));
        assert_eq!(
            text,
            "Outputs:\n  address = 127.0.0.1:9092\n  token = (sensitive)\n\
             flower_app_run.train: run 17 is finished, completed\n"
        );
        assert_eq!(describe(&json!({})), "");
    }
}
