//! Nodes, keys and TLS.

use terraform_provider_flower::flower::control::{
    ControlClient, ControlEndpoint, ControlError, NewNode, NodeStatus, SubStatus, TlsReason,
};
use terraform_provider_flower::flower::exit_meaning::FlowerExit;
use terraform_provider_flower::flower::launch::{Isolation, SuperNodeSettings};

use super::rig::{SuperLink, authority, finished, node_key, quick, wait};

#[tokio::test]
async fn a_node_is_registered_connects_and_is_gone_for_good_after() {
    let superlink = SuperLink::with_keys();
    let client = superlink.healthy().await;
    let key_file = superlink.dir.path().join("site");
    let new = NewNode {
        public_key: node_key(&key_file),
        name: Some("site-1".to_owned()),
        location: None,
    };
    let settings = SuperNodeSettings {
        key_file: Some(key_file.display().to_string()),
        ..superlink.node(0)
    };

    let mut stranger = superlink.start_node(&settings);
    assert_eq!(stranger[0].wait_for_exit().code(), Some(1));
    let exit = FlowerExit::in_log(&stranger[0].log()).unwrap();
    assert_eq!(exit.code, 305, "{exit:?}");
    assert!(exit.message.contains("2004"), "{exit:?}");

    let id = client.register_node(&new).await.unwrap();
    let again = client.register_node(&new).await.unwrap_err();
    assert!(matches!(again, ControlError::KeyInUse(_)), "{again:?}");
    let nodes = client.list_nodes().await.unwrap();
    assert_eq!(nodes.len(), 1);
    assert_eq!(nodes[0].id, id);
    assert_eq!(nodes[0].status, NodeStatus::Registered);
    assert_eq!(nodes[0].public_key, new.public_key);
    assert_eq!(nodes[0].name.as_deref(), Some("site-1"));

    let node = superlink.start_node(&settings);
    wait("the node to come online", async || {
        let nodes = client.list_nodes().await.unwrap();
        (nodes[0].status == NodeStatus::Online).then_some(())
    })
    .await;
    let run = client.start_run(&quick()).await.unwrap();
    assert_eq!(
        finished(&client, run).await.sub_status,
        SubStatus::Completed
    );
    drop(node);

    client.unregister_node(id).await.unwrap();
    let twice = client.unregister_node(id).await.unwrap_err();
    assert!(matches!(twice, ControlError::NotFound(_)), "{twice:?}");
    let again = client.register_node(&new).await.unwrap_err();
    assert!(matches!(again, ControlError::KeyInUse(_)), "{again:?}");
    assert!(again.remedy().unwrap().starts_with("Create a new key"));
}

#[tokio::test]
async fn a_key_in_the_wrong_form_is_named() {
    let superlink = SuperLink::with_keys();
    let client = superlink.healthy().await;
    for public_key in ["ecdsa-sha2-nistp384 AAAA site", ""] {
        let new = NewNode {
            public_key: public_key.to_owned(),
            name: None,
            location: None,
        };
        let error = client.register_node(&new).await.unwrap_err();
        assert!(matches!(error, ControlError::KeyInvalid(_)), "{error:?}");
    }
}

#[tokio::test]
async fn trust_is_exactly_what_was_given() {
    let superlink = SuperLink::with_keys();
    superlink.healthy().await;
    let port = superlink.settings.port;
    let ask = async |url: String, ca: Option<&str>| {
        let endpoint = ControlEndpoint::parse(&url, ca).unwrap();
        ControlClient::connect(&endpoint).health().await
    };
    let wrong = ask(format!("https://127.0.0.1:{port}"), Some(&authority().pem)).await;
    assert!(
        matches!(
            wrong,
            Err(ControlError::Tls {
                reason: TlsReason::WrongAuthority,
                ..
            })
        ),
        "{wrong:?}"
    );
    let name = ask(format!("https://localhost:{port}"), superlink.ca.as_deref()).await;
    assert!(
        matches!(
            name,
            Err(ControlError::Tls {
                reason: TlsReason::NameMismatch { .. },
                ..
            })
        ),
        "{name:?}"
    );
    let plain = ask(format!("http://127.0.0.1:{port}"), None).await;
    assert!(plain.is_err_and(|error| error.remedy().is_some()));
}

#[tokio::test]
async fn https_to_a_superlink_without_tls_says_so() {
    let superlink = SuperLink::plain(Isolation::Process);
    superlink.healthy().await;
    let url = format!("https://127.0.0.1:{}", superlink.settings.port);
    let endpoint = ControlEndpoint::parse(&url, Some(&authority().pem)).unwrap();
    let error = ControlClient::connect(&endpoint)
        .health()
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            ControlError::Tls {
                reason: TlsReason::NotTls,
                ..
            }
        ),
        "{error:?}"
    );
}
