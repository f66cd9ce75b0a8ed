//! `simulation` of `flower_superlink`: a run without any SuperNode.

use crate::workspace::Workspace;

fn simulated(num_supernodes: u32) -> String {
    let example = include_str!("../../examples/simulation/main.tf");
    assert!(example.contains("${path.module}/../quickstart/app"));
    let start = example.find("provider \"flower\"").unwrap();
    example[start..]
        .replace("/../quickstart/app", "/app")
        .replace(
            "num_supernodes            = 10",
            &format!("num_supernodes            = {num_supernodes}"),
        )
}

#[test]
fn a_run_is_simulated_without_supernodes() {
    let it = Workspace::new(&simulated(3));
    it.app();
    it.apply().succeeded();
    it.plan_is_empty();
    let run = it.state("flower_app_run.training");
    assert_eq!(
        (&run["status"], &run["sub_status"]),
        (&"finished".into(), &"completed".into())
    );
    let superlink = it.state("flower_superlink.main");
    assert_eq!(superlink["nodes"], serde_json::json!({}));
    assert_eq!(superlink["control"]["simulation"], superlink["simulation"]);
    // Flower's own log tells how many SuperNodes the run had.
    assert_eq!(run["rounds"].as_array().unwrap().len(), 2);
    assert_eq!(run["rounds"][1]["train"]["results"], 3, "{run}");

    // Other numbers are for the next run: the SuperLink keeps running.
    it.configure(&simulated(2));
    let plan = it.plan();
    plan.says(&["must be replaced", "num_supernodes", "forces replacement"]);
    assert!(
        !plan.text.contains("The SuperLink restarts"),
        "{}",
        plan.text
    );
    it.apply().succeeded();
    it.plan_is_empty();
    let again = it.state("flower_app_run.training");
    assert_ne!(again["run_id"], run["run_id"]);
    assert_eq!(again["rounds"][1]["train"]["results"], 2, "{again}");
    it.destroy();
}
