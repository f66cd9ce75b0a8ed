//! The refusals of a SuperLink: the client distinguishes them and repeats their reasons.

use std::collections::BTreeMap;

use bytes::Bytes;
use terraform_provider_flower::flower::control::{ControlError, RunId, StartRun};
use terraform_provider_flower::flower::launch::Isolation;
use terraform_provider_flower::flower::run_config::ConfigValue;

use super::rig::{SuperLink, app};

#[tokio::test]
async fn refusals_are_told_apart_and_carry_the_servers_words() {
    let superlink = SuperLink::plain(Isolation::Process);
    let client = superlink.healthy().await;
    let at = format!("127.0.0.1:{}", superlink.settings.port);

    let error = client.run(RunId(42)).await.unwrap_err();
    assert!(matches!(error, ControlError::NotFound(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        format!("the SuperLink at {at} refused to list runs: Run ID not found. (Flower code 16)")
    );
    let error = client.stop_run(RunId(42)).await.unwrap_err();
    assert!(matches!(error, ControlError::NotFound(_)), "{error:?}");
    let error = client.stream_logs(RunId(42), 0.0).await.err().unwrap();
    assert!(matches!(error, ControlError::NotFound(_)), "{error:?}");

    let unknown_key = [("typo".to_owned(), ConfigValue::Int(1))].into();
    let error = client
        .start_run(&StartRun::new(app("pass"), unknown_key, ""))
        .await
        .unwrap_err();
    assert!(matches!(error, ControlError::ConfigInvalid(_)), "{error:?}");

    let error = client
        .start_run(&StartRun::new(
            app("pass"),
            BTreeMap::new(),
            "@none/elsewhere",
        ))
        .await
        .unwrap_err();
    assert!(
        matches!(error, ControlError::FederationMissing(_)),
        "{error:?}"
    );

    let no_zip = StartRun::new(Bytes::from_static(b"no zip"), BTreeMap::new(), "");
    let error = client.start_run(&no_zip).await.unwrap_err();
    assert!(matches!(error, ControlError::Refused(_)), "{error:?}");

    let large = StartRun::new(
        Bytes::from(vec![0; 10 * 1024 * 1024 + 1]),
        BTreeMap::new(),
        "",
    );
    let error = client.start_run(&large).await.unwrap_err();
    assert!(matches!(error, ControlError::TooLarge(_)), "{error:?}");
    assert!(client.list_runs().await.unwrap().runs.is_empty());
}
