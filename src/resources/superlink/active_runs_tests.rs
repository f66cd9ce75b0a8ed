use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use super::super::Superlink;
use super::*;
use crate::flower::control::Call as ControlCall;
use crate::flower::control::fake::{Fake, listed, run, unreachable};
use crate::resources::planning::{Planned, plan_in};
use crate::resources::recorded_configuration;
use crate::runtime::local::LocalRuntime;

fn state() -> Json {
    json!({
        "name": "a", "flower_version": "1.42.0", "id": "a", "place": "somewhere",
        "allow_state_loss": false, "isolation": "subprocess", "insecure": true,
        "fleet": {
            "address": "127.0.0.1:8000", "insecure": true, "flower_version": "1.42.0",
        },
        "control": { "url": "http://127.0.0.1:8000", "flower_version": "1.42.0" },
        "nodes": {}, "status": "running",
    })
}

/// First one finished and one running run, then only finished ones.
fn running() -> Fake {
    Fake::new(|_, _, before| {
        let second = if before == 0 { "running" } else { "finished" };
        Ok(listed([
            run(7, "finished", "completed"),
            run(8, second, ""),
        ]))
    })
}

fn ended() -> Fake {
    Fake::new(|_, _, _| Ok(listed([run(7, "finished", "completed")])))
}

fn silent() -> Fake {
    Fake::new(|_, _, _| Err(unreachable()))
}

fn asking(fake: &Fake) -> Arc<Configured> {
    let runtime = LocalRuntime {
        data_dir: "/nowhere".into(),
        cache_dir: "/nowhere".into(),
        python: "python3".to_owned(),
    };
    let client = fake.client();
    let configured = Configured::new(Arc::new(runtime));
    Arc::new(configured.answered_by(move |_| client.clone()))
}

async fn planned(fake: &Fake, mut config: Json) -> Planned<Model> {
    config["name"] = json!("a");
    config["flower_version"] = json!("1.42.0");
    config["insecure"] = json!(true);
    let planned = plan_in::<Superlink>(Some(asking(fake)), Some(&state()), config).await;
    assert_eq!(planned.errors, "");
    planned
}

#[tokio::test]
async fn a_plan_says_that_a_restart_ends_runs() {
    let restart = json!({ "log_level": "DEBUG" });
    let fake = running();
    let told = planned(&fake, restart.clone()).await;
    assert_eq!(told.warned(), ["The SuperLink restarts and ends 1 run"]);
    let note = &told.notes[0];
    assert_eq!(note.path.as_ref().unwrap().to_string(), "log_level");
    assert!(note.detail.contains("In progress: 8."), "{}", note.detail);
    assert_eq!(fake.count(ControlCall::ListRuns), 1);

    let unknown = planned(&silent(), restart.clone()).await;
    let expected = ["The SuperLink restarts, and runs may be in progress"];
    assert_eq!(unknown.warned(), expected);

    let idle = planned(&ended(), restart).await;
    assert_eq!(idle.warned(), ["The SuperLink restarts"]);
    insta::assert_snapshot!(idle.notes[0].detail);
    for in_place in [
        json!({}),
        json!({ "timeouts": { "update": "1m" } }),
        json!({ "on_active_runs": "fail" }),
        json!({ "kubernetes": { "image": "x" } }),
    ] {
        let fake = running();
        let quiet = planned(&fake, in_place.clone()).await;
        assert!(quiet.warned().is_empty(), "{in_place}");
        assert_eq!(fake.count(ControlCall::ListRuns), 0, "{in_place}");
    }
}

#[tokio::test]
async fn a_plan_says_what_apply_will_do_about_runs() {
    for (policy, expected) in [
        ("restart", "The SuperLink restarts and ends 1 run"),
        ("wait", "The SuperLink restarts after 1 run"),
        (
            "fail",
            "Apply will refuse to restart the SuperLink during 1 run",
        ),
    ] {
        let config = json!({ "log_level": "DEBUG", "on_active_runs": policy });
        assert_eq!(planned(&running(), config).await.warned(), [expected]);
    }
}

async fn spared(fake: &Fake, policy: &str, limit: Duration) -> Result<()> {
    let prior: Model = recorded_configuration::read(&state()).unwrap();
    let mut after = state();
    after["log_level"] = json!("DEBUG");
    after["on_active_runs"] = json!(policy);
    let after: Model = recorded_configuration::read(&after).unwrap();
    let call = Call::new(asking(fake), CancellationToken::new());
    spare(&call, &prior, &after, limit).await
}

fn words(refused: Result<()>) -> String {
    let found = refused.unwrap_err();
    let found = found.iter().next().unwrap();
    format!("{}\n\n{}", found.summary, found.detail)
}

#[tokio::test]
async fn an_update_spares_runs_as_it_is_told() {
    let long = Duration::from_mins(1);
    spared(&running(), "restart", long).await.unwrap();
    spared(&running(), "wait", long).await.unwrap();
    spared(&ended(), "fail", long).await.unwrap();
    insta::assert_snapshot!(words(spared(&running(), "fail", long).await));
    let endless = Fake::new(|_, _, _| Ok(listed([run(8, "running", "")])));
    insta::assert_snapshot!(words(
        spared(&endless, "wait", Duration::from_secs(1)).await
    ));
    insta::assert_snapshot!(words(spared(&silent(), "fail", long).await));
}
