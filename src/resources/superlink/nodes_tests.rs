use std::time::Duration;

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::flower::control::Call;
use crate::flower::control::fake::Registry;
use crate::pki::{NodeKey, NodeKeyAlgorithm};
use crate::tfplugin::schema::Attr as _;

/// Three keys, in OpenSSH form.
fn three() -> [String; 3] {
    [(); 3].map(|()| {
        let key = NodeKey::generate(NodeKeyAlgorithm::EcdsaP256).unwrap();
        key.public_openssh().unwrap()
    })
}

fn list<const N: usize>(entries: [(&str, &String); N]) -> AllowList {
    let node = |key: &String| AllowedNode {
        public_key: key.clone(),
        location: None,
    };
    let entries = entries.into_iter();
    entries
        .map(|(name, key)| (name.to_owned(), node(key)))
        .collect()
}

fn ids<const N: usize>(entries: [(&str, u64); N]) -> NodeIds {
    let entries = entries.into_iter();
    entries
        .map(|(name, id)| (name.to_owned(), NodeId(id)))
        .collect()
}

/// The registrations after a reconciliation, and its errors.
async fn reconciled(
    control: &SharedReads,
    list: Option<&AllowList>,
    before: &NodeIds,
) -> (NodeIds, Diagnostics) {
    let mut ids = before.clone();
    let found = reconcile(control, list, &mut ids).await;
    (ids, found)
}

/// What a refresh reads for the nodes of the state.
async fn refreshed(control: &SharedReads, list: Option<&AllowList>, before: &NodeIds) -> NodeIds {
    let nodes = control.client().list_nodes().await.unwrap();
    let keys = list.map_or_else(BTreeMap::new, |list| keys(list).unwrap());
    ours(&nodes, &keys, before)
}

#[test]
fn a_node_without_a_number_is_no_node_of_a_state() {
    let nodes = [("a", "7"), ("b", "seven")];
    let nodes = nodes.map(|(name, id)| (name.to_owned(), Value::from(id)));
    let refused = NodeIds::decode(&Value::Map(nodes.into()), &at!(Model, nodes).path());
    let refused = refused.unwrap_err();
    let told: Vec<_> = refused.iter().map(|one| one.summary.as_str()).collect();
    assert_eq!(told, ["Invalid value for nodes[\"b\"]"]);
}

#[tokio::test]
async fn keys_are_registered_and_all_others_unregistered() {
    let [a, b, _] = three();
    let registry = Registry::default();
    let control = SharedReads::new(registry.client());
    let foreign = registry.add("somebody else's");
    let both = list([("a", &a), ("b", &b)]);
    let (first, found) = reconciled(&control, Some(&both), &NodeIds::new()).await;
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(first, ids([("a", 2), ("b", 3)]));
    assert_eq!(registry.registered(), [2, 3], "{foreign} joined before");
    let another = registry.add("somebody else's");
    let nodes = control.client().list_nodes().await.unwrap();
    let unlisted = ids([("unlisted-4", another)]);
    assert_eq!(others(&nodes, &first, &NodeIds::new()), unlisted);
    let (second, found) = reconciled(&control, Some(&list([("a", &a)])), &first).await;
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(second, ids([("a", 2)]));
    assert_eq!(registry.registered(), [2]);
    // Without a list, every SuperNode may join.
    let guest = registry.add("a guest's");
    let (open, _) = reconciled(&control, None, &second).await;
    assert_eq!(open, second);
    assert_eq!(registry.registered(), [2, guest]);
}

#[tokio::test]
async fn another_name_for_a_key_is_the_same_node_and_another_key_another_one() {
    let [a, b, _] = three();
    let registry = Registry::default();
    let control = SharedReads::new(registry.client());
    let (first, _) = reconciled(&control, Some(&list([("a", &a)])), &NodeIds::new()).await;
    let (renamed, _) = reconciled(&control, Some(&list([("x", &a)])), &first).await;
    assert_eq!(renamed, ids([("x", 1)]));
    let (rotated, _) = reconciled(&control, Some(&list([("x", &b)])), &renamed).await;
    assert_eq!(rotated, ids([("x", 2)]));
    assert_eq!(registry.registered(), [2]);
}

#[tokio::test]
async fn a_node_that_could_not_be_unregistered_is_not_forgotten() {
    let [a, b, c] = three();
    let registry = Registry::default();
    let control = SharedReads::new(registry.client());
    let both = list([("a", &a), ("b", &b)]);
    let (first, _) = reconciled(&control, Some(&both), &NodeIds::new()).await;

    let next = list([("a", &a), ("c", &c)]);
    for call in [Call::ListNodes, Call::UnregisterNode] {
        registry.refuse(Some(call));
        let (after, found) = reconciled(&control, Some(&next), &first).await;
        assert!(found.has_errors());
        assert_eq!(after.get("b"), first.get("b"), "{call:?}");
        registry.refuse(None);
        // The prior state remains, with its nodes updated.
        let seen = refreshed(&control, Some(&both), &after).await;
        assert_eq!(seen.get("b"), first.get("b"));
        assert_eq!(seen.get("c"), after.get("c"));
    }
    let (after, found) = reconciled(&control, Some(&next), &first).await;
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(after, ids([("a", 1), ("c", 3)]));
    assert_eq!(registry.registered(), [1, 3]);
}

#[tokio::test]
async fn what_was_registered_while_an_update_failed_can_be_taken_back() {
    let [a, b, c] = three();
    let registry = Registry::default();
    let control = SharedReads::new(registry.client());
    let both = list([("a", &a), ("b", &b)]);
    let (first, _) = reconciled(&control, Some(&both), &NodeIds::new()).await;
    registry.refuse(Some(Call::UnregisterNode));
    let (after, found) = reconciled(&control, Some(&list([("a", &a), ("c", &c)])), &first).await;
    assert!(found.has_errors());
    registry.refuse(None);
    let seen = refreshed(&control, Some(&both), &after).await;
    let (back, _) = reconciled(&control, Some(&both), &seen).await;
    assert_eq!(back, first);
    assert_eq!(registry.registered(), [1, 2]);
}

#[tokio::test]
async fn what_was_registered_when_that_was_cut_short_is_known() {
    let keys = three();
    let [a, b, c] = &keys;
    let registry = Registry::default();
    let control = SharedReads::new(registry.slow_client(Duration::from_millis(50)));
    let (before, _) = reconciled(&control, Some(&list([("a", a)])), &NodeIds::new()).await;
    let mut after = before.clone();
    let wanted = list([("b", b), ("c", c)]);
    let begun = async {
        while registry.registered().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = reconcile(&control, Some(&wanted), &mut after) => panic!("it was not cut"),
        () = begun => {}
    }
    assert_eq!(registry.registered(), [1, 2]);
    assert_eq!(after, ids([("a", 1), ("b", 2)]));
    let (back, found) = reconciled(&control, Some(&list([("a", a)])), &after).await;
    assert!(found.is_empty(), "{found:?}");
    assert_eq!((back, registry.registered()), (before, vec![1]));
}

#[tokio::test]
async fn a_superlink_that_does_not_answer_is_not_asked_for_every_key() {
    let [a, b, c] = three();
    let registry = Registry::default();
    let control = SharedReads::new(registry.client());
    let all = list([("a", &a), ("b", &b), ("c", &c)]);
    registry.refuse(Some(Call::RegisterNode));
    let (none, found) = reconciled(&control, Some(&all), &NodeIds::new()).await;
    assert_eq!((none, found.iter().count()), (NodeIds::new(), 1));
    registry.refuse(None);
    let (before, _) = reconciled(&control, Some(&all), &NodeIds::new()).await;
    registry.refuse(Some(Call::UnregisterNode));
    let (kept, found) = reconciled(&control, Some(&list([])), &before).await;
    assert_eq!((kept, found.iter().count()), (before, 1));
}

#[tokio::test]
async fn a_list_that_was_left_out_for_a_while_is_not_forgotten() {
    let [a, b, _] = three();
    let registry = Registry::default();
    let control = SharedReads::new(registry.client());
    let both = list([("a", &a), ("b", &b)]);
    let (first, _) = reconciled(&control, Some(&both), &NodeIds::new()).await;
    let (open, found) = reconciled(&control, None, &first).await;
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(open, first);
    let seen = refreshed(&control, None, &open).await;
    assert_eq!(seen, first);
    let (one, _) = reconciled(&control, Some(&list([("a", &a)])), &seen).await;
    assert_eq!(one, ids([("a", 1)]));
    assert_eq!(registry.registered(), [1]);
}

#[test]
fn a_list_that_lets_in_nobody_has_the_key_of_nobody() {
    let text = key_list(&AllowList::new()).unwrap();
    let key = NodePublicKey::parse(text.trim()).unwrap();
    let x = Sha256::digest("terraform-provider-flower: the key of nobody 0");
    let wire = key.openssh().unwrap();
    let blob = wire.split(' ').nth(1).unwrap();
    let point = base64::engine::general_purpose::STANDARD
        .decode(blob)
        .unwrap();
    // The last 65 bytes are the uncompressed point.
    let (_, point) = point.split_at(point.len() - 65);
    assert_eq!((point[0], &point[1..33]), (4, x.as_slice()));
    let [a, _, _] = three();
    let listed = key_list(&list([("a", &a)])).unwrap();
    assert_eq!(listed.lines().count(), 1);
    assert!(!listed.contains(text.trim()));
}

#[test]
fn a_location_that_a_release_does_not_keep_is_a_warning_at_its_path() {
    let map = |name: &str, value: Value| Value::Map([(name.to_owned(), value)].into());
    let placed = map(
        "site",
        map("location", Value::String("47.37,8.54".to_owned())),
    );
    let found = without_place(&placed, FlowerVersion::new(1, 37, 0));
    assert_eq!(found.len(), 1);
    assert!(!found[0].is_error());
    let path = found[0].path.as_ref().unwrap().to_string();
    assert_eq!(path, "supernodes[\"site\"].location");
    assert!(without_place(&placed, FlowerVersion::new(1, 38, 0)).is_empty());
    let unplaced = map("site", map("location", Value::Null));
    assert!(without_place(&unplaced, FlowerVersion::new(1, 37, 0)).is_empty());
}
