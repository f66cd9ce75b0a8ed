//! Every way in which a reply can be lost, and the resulting state of the run.

use bytes::Bytes;
use prost::Message as _;

use super::super::call::Call;
use super::super::error::Answer;
use super::super::fake::{Fake, lost, started, unreachable};
use super::super::wire;
use super::*;

const FAST: RetryDelays = RetryDelays {
    connect: &[Duration::ZERO; 4],
    look: &[Duration::ZERO; 3],
};

fn run_config() -> RunConfig {
    [("lr".to_owned(), ConfigValue::Float(0.05))].into()
}

fn submission() -> Submission {
    Submission {
        start: StartRun::new(Bytes::from_static(b"fab"), run_config(), ""),
        since: SystemTime::now(),
        known: BTreeSet::new(),
    }
}

fn rfc3339(moment: OffsetDateTime) -> String {
    let (date, time) = (moment.date(), moment.time());
    format!(
        "{date}T{:02}:{:02}:{:02}.{:06}+00:00",
        time.hour(),
        time.minute(),
        time.second(),
        time.microsecond()
    )
}

/// A SuperLink whose clock differs by this much, with a run that was submitted so long ago.
fn listing(
    runs: &[(u64, Duration)],
    clock_off: time::Duration,
    change: fn(&mut wire::Run),
) -> Bytes {
    let now = OffsetDateTime::now_utc() + clock_off;
    let wire = submission().start.to_wire();
    let run_dict = runs
        .iter()
        .map(|(id, age)| {
            let mut run = wire::Run {
                run_id: *id,
                fab_hash: submission().start.fab_hash().unwrap().to_owned(),
                override_config: wire.override_config.clone(),
                pending_at: rfc3339(now - *age),
                federation: "@none/default".to_owned(),
                ..Default::default()
            };
            change(&mut run);
            (*id, run)
        })
        .collect();
    wire::ListRunsResponse {
        run_dict,
        now: rfc3339(now),
    }
    .encode_to_vec()
    .into()
}

/// The reply to the first submission is lost; the second, if there is one, gets the run ID 99.
fn lossy(list: impl Fn() -> Bytes + Send + Sync + 'static) -> Fake {
    Fake::new(move |call, _, before| match (call, before) {
        (Call::StartRun, 0) => Err(lost(call)),
        (Call::StartRun, _) => Ok(started(99)),
        _ => Ok(list()),
    })
}

async fn outcome(fake: &Fake) -> Result<Submitted, SubmitError> {
    submit_with(&fake.client(), &submission(), &FAST).await
}

fn same(_: &mut wire::Run) {}

const NOW: Duration = Duration::ZERO;
const OLD: Duration = Duration::from_mins(1);
const NO_SKEW: time::Duration = time::Duration::ZERO;

#[tokio::test]
async fn the_usual_case_is_one_call() {
    let fake = Fake::new(|_, _, _| Ok(started(u64::MAX)));
    assert_eq!(outcome(&fake).await, Ok(Submitted::New(RunId(u64::MAX))));
    assert_eq!(
        (fake.count(Call::StartRun), fake.count(Call::ListRuns)),
        (1, 0)
    );
}

#[tokio::test]
async fn a_lost_reply_is_found_again_and_nothing_is_sent_twice() {
    let fake = lossy(|| listing(&[(7, NOW), (8, OLD)], NO_SKEW, same));
    assert_eq!(outcome(&fake).await, Ok(Submitted::Adopted(RunId(7))));
    assert_eq!(fake.count(Call::StartRun), 1);
}

#[tokio::test]
async fn a_reply_that_cannot_be_read_is_a_lost_one() {
    let fake = Fake::new(|call, _, _| match call {
        Call::StartRun => Ok(Bytes::from_static(b"\xff\xff")),
        _ => Ok(listing(&[(7, NOW)], NO_SKEW, same)),
    });
    assert_eq!(outcome(&fake).await, Ok(Submitted::Adopted(RunId(7))));
    assert_eq!(fake.count(Call::StartRun), 1);
}

#[tokio::test]
async fn clocks_that_disagree_by_an_hour_change_nothing() {
    for hours in [-1, 1] {
        let fake =
            lossy(move || listing(&[(7, NOW), (8, OLD)], time::Duration::hours(hours), same));
        assert_eq!(outcome(&fake).await, Ok(Submitted::Adopted(RunId(7))));
    }
}

#[tokio::test]
async fn a_run_that_differs_in_anything_is_not_ours() {
    let changes: [fn(&mut wire::Run); 4] = [
        |run| run.fab_hash = "00".to_owned(),
        |run| run.override_config.clear(),
        |run| {
            let other = wire::scalar::Scalar::Sint64(1);
            run.override_config.insert(
                "lr".to_owned(),
                wire::Scalar {
                    scalar: Some(other),
                },
            );
        },
        |run| run.pending_at = "2001-01-01T00:00:00+00:00".to_owned(),
    ];
    for change in changes {
        let fake = lossy(move || listing(&[(7, NOW)], NO_SKEW, change));
        assert_eq!(outcome(&fake).await, Ok(Submitted::New(RunId(99))));
        assert_eq!(fake.count(Call::StartRun), 2);
    }
}

#[tokio::test]
async fn another_federation_is_another_run() {
    let fake = lossy(|| listing(&[(7, NOW)], NO_SKEW, same));
    let mut elsewhere = submission();
    elsewhere.start.federation = "@me/other".to_owned();
    let outcome = submit_with(&fake.client(), &elsewhere, &FAST).await;
    assert_eq!(outcome, Ok(Submitted::New(RunId(99))));
}

#[tokio::test]
async fn several_runs_that_could_be_ours_are_named_and_nothing_is_sent() {
    let fake = lossy(|| listing(&[(9, NOW), (7, NOW)], NO_SKEW, same));
    let error = outcome(&fake).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the connection to the SuperLink at fake:1 broke after it was asked to start the run: connection reset; \
         afterwards the SuperLink has several runs that could be this one: 7, 9"
    );
    assert_eq!(fake.count(Call::StartRun), 1);
}

#[tokio::test]
async fn of_several_those_that_were_stopped_are_passed_over() {
    let stopped = |run: &mut wire::Run| {
        let sub_status = if run.run_id < 9 { "stopped" } else { "" };
        run.status = Some(wire::RunStatus {
            status: "finished".to_owned(),
            sub_status: sub_status.to_owned(),
            ..Default::default()
        });
    };
    let find = async |runs: &'static [(u64, Duration)]| {
        let fake = Fake::new(move |_, _, _| Ok(listing(runs, NO_SKEW, stopped)));
        find_lost(&fake.client(), &submission()).await
    };
    assert_eq!(find(&[(7, NOW), (9, NOW)]).await, Ok(Some(RunId(9))));
    assert_eq!(find(&[(7, NOW), (8, NOW)]).await, Ok(None));
    // A confirmed run is claimed, whatever its status is.
    assert_eq!(find(&[(7, NOW)]).await, Ok(Some(RunId(7))));
    let several = find(&[(7, NOW), (9, NOW), (10, NOW)]).await;
    assert_eq!(several, Err(FindError::Several(vec![RunId(9), RunId(10)])));
}

#[tokio::test]
async fn known_runs_and_those_of_this_process_are_not_taken_again() {
    let fake = lossy(|| listing(&[(7, NOW), (8, NOW), (9, NOW)], NO_SKEW, same));
    let client = fake.client();
    client.ledger.claim(RunId(9));
    let mut submission = submission();
    submission.known.insert(RunId(8));
    assert_eq!(
        submit_with(&client, &submission, &FAST).await,
        Ok(Submitted::Adopted(RunId(7)))
    );
    assert_eq!(find_lost(&client, &submission).await, Ok(None));
}

#[tokio::test]
async fn without_a_connection_it_is_tried_again_a_few_times() {
    let fake = Fake::new(|_, _, before| {
        if before < 3 {
            Err(unreachable())
        } else {
            Ok(started(5))
        }
    });
    assert_eq!(outcome(&fake).await, Ok(Submitted::New(RunId(5))));
    let never = Fake::new(|_, _, _| Err(unreachable()));
    assert_eq!(
        outcome(&never).await,
        Err(SubmitError::Control(unreachable()))
    );
    assert_eq!(never.count(Call::StartRun), 5);
}

#[tokio::test]
async fn a_refusal_is_final() {
    let refusal = ControlError::ConfigInvalid(Answer {
        at: "fake:1".to_owned(),
        call: Call::StartRun,
        words: "no".to_owned(),
    });
    let fake = Fake::new({
        let refusal = refusal.clone();
        move |_, _, _| Err(refusal.clone())
    });
    assert_eq!(outcome(&fake).await, Err(SubmitError::Control(refusal)));
    assert_eq!(fake.count(Call::StartRun), 1);
}

#[tokio::test]
async fn if_the_superlink_cannot_be_asked_nothing_is_sent_again() {
    let fake = Fake::new(|call, _, _| match call {
        Call::StartRun => Err(lost(call)),
        _ => Err(unreachable()),
    });
    assert!(matches!(
        outcome(&fake).await,
        Err(SubmitError::Unresolved { .. })
    ));
    assert_eq!(fake.count(Call::StartRun), 1);
}

/// A submission of an app of Flower Hub.
async fn outcome_of_hub(app: &str, fake: &Fake) -> Result<Submitted, SubmitError> {
    let submission = Submission {
        start: StartRun::of_hub(app.parse().unwrap(), run_config(), ""),
        ..submission()
    };
    submit_with(&fake.client(), &submission, &FAST).await
}

fn of_hub(run: &mut wire::Run) {
    "a/b".clone_into(&mut run.fab_id);
    "1.2.3".clone_into(&mut run.fab_version);
}

#[tokio::test]
async fn a_lost_run_of_an_app_of_flower_hub_is_found_by_its_name_and_version() {
    for app in ["@a/b", "@a/b==1.2.3"] {
        let fake = lossy(|| listing(&[(7, NOW), (8, OLD)], NO_SKEW, of_hub));
        let found = outcome_of_hub(app, &fake).await;
        assert_eq!(found, Ok(Submitted::Adopted(RunId(7))));
    }
    let fake = lossy(|| listing(&[(7, NOW), (8, NOW)], NO_SKEW, of_hub));
    let unclear = outcome_of_hub("@a/b", &fake).await;
    assert!(matches!(unclear, Err(SubmitError::Ambiguous { .. })));
}

#[tokio::test]
async fn an_app_of_flower_hub_that_may_still_be_fetched_is_not_submitted_again() {
    for app in ["@a/b==1.2.4", "@a/c", "@b/b==1.2.3", "@A/b"] {
        let fake = lossy(|| listing(&[(7, NOW)], NO_SKEW, of_hub));
        let unseen = outcome_of_hub(app, &fake).await.unwrap_err();
        assert!(matches!(unseen, SubmitError::MayFollow(_)), "{unseen:?}");
        assert!(unseen.remedy().unwrap().contains("Apply again"));
        assert_eq!(fake.count(Call::StartRun), 1);
    }
}

#[tokio::test]
async fn a_reply_lost_twice_is_an_error_after_two_submissions() {
    let fake = Fake::new(|call, _, _| match call {
        Call::StartRun => Err(lost(call)),
        _ => Ok(listing(&[], NO_SKEW, same)),
    });
    assert!(matches!(
        outcome(&fake).await,
        Err(SubmitError::LostTwice(_))
    ));
    assert_eq!(fake.count(Call::StartRun), 2);
}

#[tokio::test]
async fn a_timeout_counts_as_a_lost_reply() {
    let fake = Fake::new(|call, _, _| match call {
        Call::StartRun => Err(ControlError::Timeout {
            at: "fake:1".to_owned(),
            call,
            after: OLD,
        }),
        _ => Ok(listing(&[(7, NOW)], NO_SKEW, same)),
    });
    assert_eq!(outcome(&fake).await, Ok(Submitted::Adopted(RunId(7))));
}
