//! Messages as SuperLinks of each era write them, built field by field from Flower's own proto
//! files, including the fields that our definitions omit.

use bytes::Bytes;
use proptest::prelude::*;

use super::super::call::Call;
use super::super::fake::Fake;
use super::super::node::{NodeId, NodeStatus};
use super::super::run_id::RunId;
use super::super::run_status::{RunStatus, SubStatus};
use super::*;
use crate::flower::run_config::ConfigValue;

/// The value of a field.
enum Is<'a> {
    Int(u64),
    Double(f64),
    Text(&'a str),
    Message(Vec<u8>),
}
use Is::{Double, Int, Message, Text};

fn varint(number: u64, into: &mut Vec<u8>) {
    prost::encoding::encode_varint(number, into);
}

fn message(fields: &[(u64, Is<'_>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, value) in fields {
        let (kind, content): (u64, &[u8]) = match value {
            Int(value) => {
                varint(number << 3, &mut bytes);
                varint(*value, &mut bytes);
                continue;
            }
            Double(value) => {
                varint(number << 3 | 1, &mut bytes);
                bytes.extend(value.to_le_bytes());
                continue;
            }
            Text(text) => (2, text.as_bytes()),
            Message(message) => (2, message),
        };
        varint(number << 3 | kind, &mut bytes);
        varint(content.len() as u64, &mut bytes);
        bytes.extend(content);
    }
    bytes
}

const THEN: &str = "2026-11-24T10:00:00+00:00";
const LATER: &str = "2026-11-24T11:00:00+00:00";

/// A reply to `ListNodes` with one node; the numbers of all fields after the owner are one higher
/// than in 1.23.
fn nodes(further: u64, more: Vec<(u64, Is<'_>)>) -> Vec<u8> {
    let at = |number| number + further;
    let mut fields = vec![(1, Int(u64::MAX)), (2, Text("aid"))];
    if further > 0 {
        fields.push((3, Text("none")));
    }
    fields.extend([
        (at(3), Text("offline")),
        (at(4), Text(THEN)),
        (at(5), Text(LATER)),
        (at(6), Text(LATER)),
        (at(8), Double(1_795_514_400.5)),
        (at(9), Double(30.0)),
        (at(10), Text("PEM")),
    ]);
    fields.extend(more);
    message(&[(1, Message(message(&fields))), (2, Text(LATER))])
}

fn all_nodes() -> [(Dialect, Vec<u8>); 4] {
    let named = || nodes(1, vec![(12, Text("47.37,8.54")), (13, Text("site"))]);
    [
        (Dialect::Grpc, nodes(0, vec![])),
        (Dialect::Grpc, nodes(1, vec![])),
        (Dialect::Http, nodes(1, vec![])),
        (Dialect::Http, named()),
    ]
}

/// A reply to `ListRuns` with one run.
fn runs(more: Vec<(u64, Is<'_>)>) -> Vec<u8> {
    let scalar = |key, value| Message(message(&[(1, Text(key)), (2, Message(message(&[value])))]));
    let status = message(&[
        (1, Text("finished")),
        (2, Text("failed")),
        (3, Text("boom")),
    ]);
    let mut fields = vec![
        (1, Int(u64::MAX)),
        (2, Text("acme/app")),
        (3, Text("1.0.0")),
        (4, scalar("a", (1, Double(0.5)))),
        // Zigzag: -3.
        (4, scalar("b", (8, Int(5)))),
        (4, scalar("c", (13, Int(1)))),
        (4, scalar("d", (14, Text("x")))),
        (5, Text("hash")),
        (6, Text(THEN)),
        (7, Text(THEN)),
        (8, Text(THEN)),
        (9, Text(LATER)),
        (10, Message(status)),
    ];
    fields.extend(more);
    let entry = message(&[(1, Int(u64::MAX)), (2, Message(message(&fields)))]);
    message(&[(1, Message(entry)), (2, Text(LATER))])
}

const DEFAULT: &str = "@none/default";
const DESCRIPTION: &str = "This is the default federation";

/// A reply to `ListFederations` with one federation.
fn federations(fields: &[(u64, Is<'_>)]) -> Vec<u8> {
    message(&[(1, Message(message(fields)))])
}

fn account() -> Vec<u8> {
    message(&[(1, Text("<id:none>")), (2, Text("none"))])
}

/// The replies by transport, with the ID, the description and whether it is archived.
fn all_federations() -> Vec<(Dialect, Vec<u8>, &'static str, &'static str, bool)> {
    let member = || message(&[(1, Message(account())), (2, Text("owner"))]);
    let of_1_25 = federations(&[(1, Text("default"))]);
    let of_1_26 = federations(&[(1, Text(DEFAULT)), (5, Text(DESCRIPTION))]);
    let with_accounts = federations(&[
        (1, Text(DEFAULT)),
        (2, Text("<id:none>")),
        (5, Text(DESCRIPTION)),
        (6, Message(account())),
    ]);
    // A text that is a message with unknown fields, but no member.
    let digits = federations(&[(1, Text(DEFAULT)), (5, Text("(1"))]);
    let of_1_29 = federations(&[(1, Text(DEFAULT)), (4, Text(DESCRIPTION))]);
    let archived = federations(&[(1, Text("@a/b")), (5, Message(member())), (6, Int(1))]);
    let of_1_42 = federations(&[
        (1, Text(DEFAULT)),
        (4, Text(DESCRIPTION)),
        (5, Message(member())),
        (7, Int(1)),
        (11, Int(1)),
        (12, Text("icon")),
    ]);
    vec![
        (Dialect::Grpc, of_1_25, "default", "", false),
        (Dialect::Grpc, of_1_26, DEFAULT, DESCRIPTION, false),
        (Dialect::Grpc, with_accounts, DEFAULT, DESCRIPTION, false),
        (Dialect::Grpc, digits, DEFAULT, "(1", false),
        (Dialect::Grpc, of_1_29.clone(), DEFAULT, DESCRIPTION, false),
        (Dialect::Http, of_1_29, DEFAULT, DESCRIPTION, false),
        (Dialect::Grpc, archived.clone(), "@a/b", "", true),
        (Dialect::Http, archived, "@a/b", "", true),
        (Dialect::Http, of_1_42, DEFAULT, DESCRIPTION, false),
    ]
}

fn all_runs() -> [(&'static str, Vec<u8>); 4] {
    let aid = || (11, Text("aid"));
    let federation = || (12, Text("@none/default"));
    let traffic = || [(13, Int(7)), (14, Int(8)), (15, Double(1.5))];
    let mut of_1_25 = vec![aid(), federation()];
    of_1_25.extend(traffic());
    let mut of_1_42 = vec![aid(), federation()];
    of_1_42.extend(traffic());
    of_1_42.extend([
        (16, Text("serverapp")),
        (17, Int(3)),
        (18, Int(4)),
        (19, Text("none")),
    ]);
    [
        ("", runs(vec![])),
        ("", runs(vec![aid()])),
        ("@none/default", runs(of_1_25)),
        ("@none/default", runs(of_1_42)),
    ]
}

#[test]
fn nodes_of_every_era_are_read() {
    for (dialect, reply) in all_nodes() {
        let nodes = dialect.nodes(&reply).unwrap();
        let [node] = nodes.as_slice() else {
            panic!("{nodes:?}");
        };
        assert_eq!(node.id, NodeId(u64::MAX));
        assert_eq!(node.status, NodeStatus::Offline);
        assert_eq!(node.public_key, "PEM");
        assert_eq!(node.registered_at.as_ref().unwrap().as_str(), THEN);
        assert_eq!(node.last_activated_at.as_ref().unwrap().as_str(), LATER);
        assert_eq!(node.online_until, Some(1_795_514_400.5));
        assert!(node.name.is_none() || node.name.as_deref() == Some("site"));
    }
}

#[tokio::test]
async fn federations_of_every_era_are_read() {
    for (dialect, reply, id, description, is_archived) in all_federations() {
        let reply = Bytes::from(reply);
        let fake = Fake::new(move |_, _, _| Ok(reply.clone())).speaking(dialect);
        let found = fake.client().list_federations().await.unwrap();
        let expected = Federation {
            id: id.to_owned(),
            description: description.to_owned(),
            is_archived,
        };
        assert_eq!(found, [expected]);
        assert_eq!(fake.count(Call::ListFederations), 1);
    }
    let none = Fake::new(|_, _, _| Ok(Bytes::new()));
    assert_eq!(none.client().list_federations().await.unwrap(), []);
}

#[tokio::test]
async fn runs_of_every_era_are_read() {
    for (federation, reply) in all_runs() {
        let reply = Bytes::from(reply);
        let fake = Fake::new(move |_, _, _| Ok(reply.clone()));
        let listing = fake.client().list_runs().await.unwrap();
        let run = &listing.runs[&RunId(u64::MAX)];
        assert_eq!(run.status, RunStatus::Finished);
        assert_eq!(run.sub_status, SubStatus::Failed);
        assert_eq!(
            (run.details.as_str(), run.fab_hash.as_str()),
            ("boom", "hash")
        );
        assert_eq!(run.app_id, "acme/app");
        assert_eq!(run.federation, federation);
        assert_eq!(run.finished_at.as_ref().unwrap().as_str(), LATER);
        let values: Vec<_> = run.override_config.values().cloned().collect();
        let expected = [
            ConfigValue::Float(0.5),
            ConfigValue::Int(-3),
            ConfigValue::Bool(true),
            ConfigValue::Str("x".to_owned()),
        ];
        assert_eq!(values, expected);
    }
}

#[tokio::test]
async fn the_number_of_a_run_is_read_in_every_era() {
    let old = message(&[(1, Int(7))]);
    let new = message(&[
        (1, Int(7)),
        (2, Text("a note")),
        (3, Int(9)),
        (4, Text("@none/default")),
    ]);
    for reply in [old, new] {
        let reply = wire::StartRunResponse::decode(reply.as_slice()).unwrap();
        assert_eq!(reply.run_id, Some(7));
    }
}

/// Decodes a message as every type of reply.
fn read_as_anything(bytes: &[u8]) {
    for dialect in [Dialect::Grpc, Dialect::Http] {
        if let Ok(nodes) = dialect.nodes(bytes) {
            assert!(nodes.len() <= bytes.len());
        }
        if let Ok(federations) = dialect.federations(bytes) {
            assert!(federations.len() <= bytes.len());
        }
    }
    if let Ok(list) = wire::ListRunsResponse::decode(bytes) {
        assert!(list.run_dict.len() <= bytes.len());
        for run in list.run_dict.into_values() {
            let _ = super::super::run::Run::from_wire(run);
        }
    }
    let _ = wire::StartRunResponse::decode(bytes);
    let _ = wire::StopRunResponse::decode(bytes);
    let _ = wire::StreamLogsResponse::decode(bytes);
    let _ = wire::RegisterNodeResponse::decode(bytes);
    let _ = wire::UnregisterNodeResponse::decode(bytes);
}

#[test]
fn a_message_of_another_kind_is_an_error_or_an_answer() {
    for (_, reply) in all_nodes() {
        read_as_anything(&reply);
    }
    for (_, reply) in all_runs() {
        read_as_anything(&reply);
    }
    for (_, reply, ..) in all_federations() {
        read_as_anything(&reply);
    }
}

proptest! {
    #[test]
    fn a_damaged_message_is_an_error_or_an_answer(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        kept in any::<prop::sample::Index>(),
    ) {
        let nodes = all_nodes().into_iter().map(|(_, reply)| reply);
        let runs = all_runs().into_iter().map(|(_, reply)| reply);
        let federations = all_federations().into_iter().map(|(_, reply, ..)| reply);
        let replies: Vec<_> = nodes.chain(runs).chain(federations).collect();
        let mut reply = which.get(&replies).clone();
        for (at, byte) in damage {
            let at = at.index(reply.len());
            reply[at] = byte;
        }
        read_as_anything(&reply);
        reply.truncate(kept.index(reply.len()));
        read_as_anything(&reply);
    }

    #[test]
    fn noise_is_an_error_or_an_answer(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        read_as_anything(&noise);
    }
}
