//! How the client handles the replies of a transport.

use super::super::dialect::Dialect;
use super::super::fake::{Fake, list_of, lost};
use super::*;

#[tokio::test]
async fn all_runs_are_listed_however_many_pages_they_take() {
    for (total, calls) in [(0, 1), (999, 1), (1000, 2), (2500, 3)] {
        let fake = Fake::new(move |_, request, _| Ok(list_of(request, total)));
        let listing = fake.client().list_runs().await.unwrap();
        assert!(listing.complete);
        assert_eq!(listing.runs.len() as u64, total);
        assert_eq!(fake.count(Call::ListRuns), calls, "{total}");
    }
}

#[tokio::test]
async fn a_listing_has_an_end_and_says_so() {
    let fake = Fake::new(|_, request, _| Ok(list_of(request, 1_000_000)));
    let listing = fake.client().list_runs().await.unwrap();
    assert!(!listing.complete);
    assert_eq!(listing.runs.len(), MOST_RUNS);
    assert_eq!(fake.count(Call::ListRuns), 10);
}

#[tokio::test]
async fn a_release_that_cannot_skip_is_asked_for_more_at_once() {
    let fake = Fake::new(|_, request, _| {
        let mut asked = wire::ListRunsRequest::decode(request.clone()).unwrap();
        asked.skip = None;
        Ok(list_of(&asked.encode_to_vec().into(), 2500))
    });
    let listing = fake.client().list_runs().await.unwrap();
    assert!(listing.complete);
    assert_eq!(listing.runs.len(), 2500);
    assert_eq!(fake.count(Call::ListRuns), 3);
}

#[tokio::test]
async fn a_read_is_asked_twice_and_a_change_is_not() {
    let fake = Fake::new(|call, request, before| match (call, before) {
        (Call::ListRuns, 1) => Ok(list_of(request, 1)),
        _ => Err(lost(call)),
    });
    let client = fake.client();
    assert_eq!(client.list_runs().await.unwrap().runs.len(), 1);
    assert_eq!(client.stop_run(RunId(1)).await, Err(lost(Call::StopRun)));
    let start = StartRun::new(Bytes::new(), std::collections::BTreeMap::new(), "");
    assert_eq!(client.start_run(&start).await, Err(lost(Call::StartRun)));
    assert_eq!(
        (fake.count(Call::StopRun), fake.count(Call::StartRun)),
        (1, 1)
    );
}

#[tokio::test]
async fn an_answer_without_a_run_is_a_refusal_whose_reason_is_the_size_if_it_can_be() {
    let fake = Fake::new(|_, _, _| Ok(Bytes::new()));
    let refused = async |bytes: u64| {
        let fab = vec![0; usize::try_from(bytes).unwrap()];
        let start = StartRun::new(fab.into(), std::collections::BTreeMap::new(), "");
        fake.client().start_run(&start).await.unwrap_err()
    };
    let error = refused(FAB_LIMIT + 1).await;
    assert!(matches!(error, ControlError::TooLarge(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the SuperLink at fake:1 refused to start the run: \
         it accepts app bundles of up to 10485760 bytes, but this one has 10485761"
    );
    let error = refused(FAB_LIMIT).await;
    assert!(matches!(error, ControlError::Refused(_)), "{error:?}");
}

#[tokio::test]
async fn a_run_in_no_federation_is_named_for_the_releases_that_want_it() {
    let refuse = || {
        Err(ControlError::FederationMissing(Answer {
            at: "fake:1".to_owned(),
            call: Call::StartRun,
            words: "Federation '' does not exist.".to_owned(),
        }))
    };
    let early = Fake::new(move |_, request, _| {
        let request = wire::StartRunRequest::decode(request.clone()).unwrap();
        if request.federation != "default" {
            return refuse();
        }
        let run_id = Some(7);
        let reply = wire::StartRunResponse {
            run_id,
            ..Default::default()
        };
        Ok(reply.encode_to_vec().into())
    });
    let start = |federation: &str| {
        StartRun::new(Bytes::new(), std::collections::BTreeMap::new(), federation)
    };
    for (dialect, federation, calls) in [
        (Dialect::Grpc, "", 2),
        (Dialect::Grpc, "elsewhere", 1),
        (Dialect::Http, "", 1),
    ] {
        let before = early.count(Call::StartRun);
        let client = early.clone().speaking(dialect).client();
        let started = client.start_run(&start(federation)).await;
        assert_eq!(started.is_ok(), calls == 2, "{started:?}");
        assert_eq!(early.count(Call::StartRun) - before, calls);
    }
}

#[tokio::test]
async fn releases_with_grpc_are_asked_for_all_that_one_page_did_not_hold() {
    let fake = Fake::new(|_, request, _| Ok(list_of(request, 2500))).speaking(Dialect::Grpc);
    let listing = fake.client().list_runs().await.unwrap();
    assert!(listing.complete);
    assert_eq!(listing.runs.len(), 2500);
    assert_eq!(fake.count(Call::ListRuns), 2);
}

#[tokio::test]
async fn an_answer_that_is_no_message_is_named_as_such() {
    let fake = Fake::new(|_, _, _| Ok(Bytes::from_static(b"<html>")));
    assert!(matches!(
        fake.client().list_nodes().await,
        Err(ControlError::Protocol { .. })
    ));
}
