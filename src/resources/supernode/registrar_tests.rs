use serde_json::{Value as Json, json};

use super::*;
use crate::flower::control::fake::Registry;
use crate::pki::{NodeKey, NodeKeyAlgorithm};

fn key() -> (String, String) {
    let key = NodeKey::generate(NodeKeyAlgorithm::EcdsaP256).unwrap();
    (key.public_openssh().unwrap(), key.public_pem().unwrap())
}

/// A SuperLink with these attributes, as its runtime recorded it.
fn superlink(rest: &Json) -> superlink::Model {
    let mut record = json!({
        "name": "s", "flower_version": "1.42.0", "allow_state_loss": false,
        "isolation": "subprocess", "insecure": false,
    });
    for (name, value) in rest.as_object().unwrap() {
        record[name] = value.clone();
    }
    recorded_configuration::read(&record).unwrap()
}

fn registrar(attributes: &Json, key: &str, registry: &Registry) -> Registrar {
    Registrar {
        key: key.to_owned(),
        allowed: superlink(attributes).supernodes.as_ref().map(allowed),
        control: Some(Arc::new(SharedReads::new(registry.client()))),
    }
}

#[tokio::test]
async fn a_key_that_was_taken_off_the_list_is_revoked_and_a_stranger_is_not() {
    let (openssh, pem) = key();
    let (_, other) = key();
    let registry = Registry::default();
    let id = registry.add(&pem);
    let listed = json!({ "supernodes": { "site": { "public_key": openssh } } });
    let one = registrar(&listed, &pem, &registry);
    assert_eq!(one.entry(), Some("site"));
    assert_eq!(one.refusal().await, Refusal::Unexplained);
    let open = registrar(&json!({ "supernodes": null }), &pem, &registry);
    assert_eq!(open.refusal().await, Refusal::Unexplained);

    let control = registry.client();
    let id = crate::flower::control::NodeId(id);
    control.unregister_node(id).await.unwrap();
    let none = json!({ "supernodes": {} });
    let revoked = registrar(&none, &pem, &registry);
    assert_eq!(revoked.refusal().await, Refusal::Revoked);
    let stranger = registrar(&none, &other, &registry);
    assert_eq!(stranger.refusal().await, Refusal::Unlisted);
    // If the SuperLink does not answer, only the list is known.
    registry.refuse(Some(crate::flower::control::Call::ListNodes));
    let silent = registrar(&none, &pem, &registry);
    assert_eq!(silent.refusal().await, Refusal::Unlisted);
}

#[test]
fn a_superlink_is_known_by_its_address_and_its_authority() {
    let fleet = |address: &str, ca: &str| FleetInput {
        address: address.to_owned(),
        ca_certificate: Some(ca.to_owned()),
        insecure: None,
        flower_version: None,
        superlink_id: None,
    };
    let superlink = superlink(&json!({ "fleet": {
        "address": "127.0.0.1:1", "ca_certificate": "CA", "insecure": false,
        "flower_version": "1.42.0",
    } }));
    assert!(is_dialled(&superlink, &fleet("127.0.0.1:1", "CA")));
    assert!(!is_dialled(&superlink, &fleet("127.0.0.1:2", "CA")));
    assert!(!is_dialled(&superlink, &fleet("127.0.0.1:1", "other")));
}
