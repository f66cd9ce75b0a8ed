//! What the client makes of a transport's answers.

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
async fn a_bundle_that_is_too_large_is_not_even_sent() {
    let fake = Fake::new(|_, _, _| Ok(Bytes::new()));
    let start = |bytes: usize| {
        StartRun::new(
            Bytes::from(vec![0; bytes]),
            std::collections::BTreeMap::new(),
            "",
        )
    };
    let error = fake
        .client()
        .start_run(&start(MAX_FAB + 1))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the SuperLink at fake:1 takes app bundles of up to 10485760 bytes, and this one has 10485761"
    );
    assert_eq!(fake.count(Call::StartRun), 0);
    // A reply without a number gives no reason.
    let error = fake.client().start_run(&start(1)).await.unwrap_err();
    assert!(matches!(error, ControlError::Refused(_)), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_is_no_message_is_named_as_such() {
    let fake = Fake::new(|_, _, _| Ok(Bytes::from_static(b"<html>")));
    assert!(matches!(
        fake.client().list_nodes().await,
        Err(ControlError::Protocol { .. })
    ));
}
