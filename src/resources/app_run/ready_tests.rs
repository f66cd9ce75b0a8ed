//! SuperNodes that connect late or never.

use super::*;
use crate::flower::control::Call as Asked;
use crate::flower::control::fake::{Fake, nodes, unreachable};
use crate::tfplugin::path::Path;
use crate::tfplugin::schema::Attr as _;
use crate::tfplugin::value::Value;

fn wanted(least: u32) -> Wanted {
    let nodes = ["7", "8"].map(Value::from).into_iter();
    let wait = Value::object([
        ("until", Value::from("completed")),
        ("nodes", Value::List(nodes.chain([Value::Null]).collect())),
        ("min_nodes", least.encode()),
    ]);
    Wanted::of(&Wait::decode(&wait, &Path::default()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_superlink_that_is_away_for_a_moment_is_asked_again() {
    let fake = Fake::new(|_, _, before| match before {
        0 | 1 => Err(unreachable()),
        2 => Ok(nodes(&[(7, "online"), (8, "offline")])),
        _ => Ok(nodes(&[(7, "online"), (8, "online")])),
    });
    let mut seen = Seen::default();
    online(&fake.client(), &wanted(2), &mut seen).await.unwrap();
    assert_eq!(fake.count(Asked::ListNodes), 4);
}

#[tokio::test]
async fn who_is_missing_is_told() {
    let fake = Fake::new(|_, _, _| Ok(nodes(&[(7, "online"), (9, "online")])));
    let (wanted, mut seen) = (wanted(3), Seen::default());
    let client = fake.client();
    let waiting = online(&client, &wanted, &mut seen);
    let moment = Duration::from_millis(100);
    tokio::time::timeout(moment, waiting).await.unwrap_err();
    let bound = Bound {
        limit: wanted.limit,
        attribute: at!(Model, wait.nodes_timeout),
    };
    let told = too_late(&wanted, &seen, &bound).detail;
    for words in [
        "within 900 s",
        "Online: 7, 9.",
        "Missing: 8 (not known to the SuperLink).",
        "2 of at least 3 are online.",
        "wait.nodes_timeout",
    ] {
        assert!(told.contains(words), "no {words:?} in {told}");
    }
}

#[test]
fn only_numbers_of_supernodes_can_be_awaited() {
    let decode = |text: &str| Option::<NodeId>::decode(&Value::from(text), &Path::default());
    assert_eq!(
        decode("18446744073709551615").unwrap(),
        Some(NodeId(u64::MAX))
    );
    for bad in ["", "hospital-a", "-1", "+1", "01", "1.0"] {
        assert!(decode(bad).is_err(), "{bad:?}");
    }
}
