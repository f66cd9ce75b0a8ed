//! Tables of each era, and messages read with another era's.

use proptest::prelude::*;

use super::super::node::NodeStatus;
use super::*;

fn node_of_1_23(activated: bool) -> Vec<u8> {
    let node = wire::NodeInfo23 {
        node_id: 7,
        status: "registered".to_owned(),
        registered_at: "2026-11-24T10:00:00+00:00".to_owned(),
        last_activated_at: activated.then(|| "2026-11-24T11:00:00+00:00".to_owned()),
        public_key: "PEM".into(),
    };
    let nodes_info = vec![node];
    wire::ListNodesResponse23 { nodes_info }.encode_to_vec()
}

fn node_of_1_24() -> Vec<u8> {
    let node = wire::NodeInfo {
        node_id: 7,
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
        (Dialect::Grpc, node_of_1_23(false)),
        (Dialect::Grpc, node_of_1_23(true)),
        (Dialect::Grpc, node_of_1_24()),
        (Dialect::Http, node_of_1_24()),
    ] {
        let nodes = dialect.nodes(&reply).unwrap();
        let [node] = nodes.as_slice() else {
            panic!("{nodes:?}");
        };
        assert_eq!(node.status, NodeStatus::Registered, "{dialect:?}");
        assert_eq!((node.id.0, node.public_key.as_str()), (7, "PEM"));
        assert!(node.registered_at.as_ref().unwrap().moment().is_some());
    }
    assert_eq!(Dialect::Grpc.nodes(b"").unwrap(), []);
}

proptest! {
    #[test]
    fn noise_is_an_error_or_a_list(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        for dialect in [Dialect::Grpc, Dialect::Http] {
            let nodes = dialect.nodes(&noise).map_or(0, |nodes| nodes.len());
            prop_assert!(nodes <= noise.len());
        }
        let _ = wire::ListRunsResponse::decode(noise.as_slice());
        let _ = wire::StreamLogsResponse::decode(noise.as_slice());
        let _ = wire::StartRunResponse::decode(noise.as_slice());
    }
}
