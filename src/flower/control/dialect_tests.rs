//! Tables of each era, and messages read with another era's.

use proptest::prelude::*;

use super::super::node::NodeStatus;
use super::*;

const ANY: Dialect = Dialect::any(true);

fn release(minor: u16) -> Dialect {
    ANY.of(FlowerVersion::new(1, minor, 0))
}

fn node_of_1_23(activated: bool) -> Vec<u8> {
    let node = wire::NodeInfo23 {
        node_id: 7,
        status: "registered".to_owned(),
        registered_at: "2026-11-24T10:00:00+00:00".to_owned(),
        last_activated_at: activated.then(|| "2026-11-24T11:00:00+00:00".to_owned()),
        online_until: activated.then_some(1.0),
        public_key: "PEM".into(),
        ..Default::default()
    };
    let nodes_info = vec![node];
    wire::ListNodesResponse23 { nodes_info }.encode_to_vec()
}

fn node_of_1_24() -> Vec<u8> {
    let node = wire::NodeInfo {
        node_id: 7,
        owner_name: "none".to_owned(),
        status: "registered".to_owned(),
        registered_at: "2026-11-24T10:00:00+00:00".to_owned(),
        public_key: "PEM".into(),
        ..Default::default()
    };
    let nodes_info = vec![node];
    let now = String::new();
    wire::ListNodesResponse { nodes_info, now }.encode_to_vec()
}

#[test]
fn nodes_are_read_as_their_release_wrote_them() {
    for (dialect, reply) in [
        (release(23), node_of_1_23(false)),
        (release(23), node_of_1_23(true)),
        (release(24), node_of_1_24()),
        (release(36), node_of_1_24()),
        (ANY, node_of_1_23(false)),
        (ANY, node_of_1_23(true)),
        (ANY, node_of_1_24()),
    ] {
        let nodes = dialect.nodes(&reply).unwrap();
        let [node] = nodes.as_slice() else {
            panic!("{nodes:?}");
        };
        assert_eq!(node.status, NodeStatus::Registered, "{dialect:?}");
        assert_eq!((node.id.0, node.public_key.as_str()), (7, "PEM"));
        assert!(node.registered_at.as_ref().unwrap().moment().is_some());
    }
    assert_eq!(ANY.nodes(b"").unwrap(), []);
}

/// A Federation as 1.26 writes it: its runs and accounts are where others have text and flags.
fn federation_of_1_26() -> Vec<u8> {
    let run = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
    let mut federation = b"\x0a\x0d@none/default".to_vec();
    federation.extend([0x22, u8::try_from(run.len()).unwrap()]);
    federation.extend(run);
    federation.extend(b"\x2a\x04text\x32\x03\x0a\x01x");
    let mut reply = vec![0x0a, u8::try_from(federation.len()).unwrap()];
    reply.extend(federation);
    reply
}

#[test]
fn federations_are_read_as_their_release_wrote_them() {
    let reply = federation_of_1_26();
    for dialect in [release(26), ANY] {
        let federations = dialect.federations(&reply).unwrap();
        assert_eq!(federations[0].name, "@none/default");
        assert_eq!(federations[0].description, "text");
    }
    assert!(release(29).federations(&reply).is_err());
}

#[test]
fn a_release_lacks_what_came_later() {
    for (minor, call, since) in [
        (13, Call::StopRun, Some("1.14")),
        (14, Call::StopRun, None),
        (22, Call::RegisterNode, Some("1.23")),
        (23, Call::ListNodes, None),
        (23, Call::ListFederations, Some("1.24")),
        (13, Call::StartRun, None),
    ] {
        assert_eq!(release(minor).lacks(call), since, "1.{minor} {call:?}");
    }
    assert_eq!(ANY.lacks(Call::StopRun), None);
}

#[test]
fn requests_are_what_a_release_takes() {
    for (minor, federation, limit, skip) in [
        (13, "", false, false),
        (23, "", false, false),
        (24, "default", false, false),
        (25, "default", false, false),
        (26, "", false, false),
        (27, "", true, false),
        (36, "", true, false),
        (40, "", true, true),
    ] {
        let dialect = release(minor);
        assert_eq!(dialect.default_federation(), federation, "1.{minor}");
        assert_eq!((dialect.has_limit(), dialect.has_skip()), (limit, skip));
        assert!(!dialect.may_want_federation());
    }
    assert!(Dialect::any(false).has_skip() && !ANY.has_skip());
}

proptest! {
    #[test]
    fn noise_is_an_error_or_a_list(
        noise in prop::collection::vec(any::<u8>(), 0..200),
        minor in 13_u16..43,
    ) {
        for dialect in [ANY, Dialect::any(false), release(minor)] {
            let nodes = dialect.nodes(&noise).map_or(0, |nodes| nodes.len());
            let federations = dialect.federations(&noise).map_or(0, |list| list.len());
            prop_assert!(nodes <= noise.len() && federations <= noise.len());
            let _ = wire::ListRunsResponse::decode(noise.as_slice());
            let _ = wire::StreamLogsResponse::decode(noise.as_slice());
            let _ = wire::StartRunResponse::decode(noise.as_slice());
        }
    }

    #[test]
    fn a_message_of_another_era_is_an_error_or_a_list(minor in 13_u16..43) {
        let dialect = release(minor);
        for reply in [node_of_1_23(true), node_of_1_24(), federation_of_1_26()] {
            let _ = dialect.nodes(&reply);
            let _ = dialect.federations(&reply);
        }
    }
}
