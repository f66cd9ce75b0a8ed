use proptest::prelude::*;

use super::*;

fn refined() -> Value {
    Value::Unknown(Refinement(vec![0x81, 0x01, 0xc2]))
}

/// A type and a value of it.
fn typed(levels: u32) -> BoxedStrategy<(Type, Value)> {
    let number = prop_oneof![
        any::<i64>().prop_map(Number::Int),
        (u64::MAX / 2 + 1..).prop_map(Number::UInt),
        any::<f64>()
            .prop_filter("finite", |f| f.is_finite())
            .prop_map(Number::Float),
        "-?[1-9][0-9]{0,40}\\.[0-9]{1,30}[1-9]".prop_map(Number::Decimal),
    ];
    let leaf = prop_oneof![
        any::<bool>().prop_map(|b| (Type::Bool, Value::Bool(b))),
        number.prop_map(|n| (Type::Number, Value::Number(n))),
        ".{0,40}".prop_map(|s| (Type::String, Value::String(s))),
        Just((Type::String, Value::Null)),
        Just((Type::Number, Value::UNKNOWN)),
        Just((Type::String, refined())),
    ];
    if levels == 0 {
        return leaf.boxed();
    }
    let inner = || prop::collection::btree_map("[a-z_]{1,8}", typed(levels - 1), 0..4);
    let many = || prop::collection::vec(typed(levels - 1), 0..4);
    prop_oneof![
        2 => leaf,
        1 => inner().prop_map(|entries| {
            let types = entries.iter().map(|(k, (t, _))| (k.clone(), t.clone())).collect();
            let values = entries.into_iter().map(|(k, (_, v))| (k, v)).collect();
            (Type::Object(types), Value::Map(values))
        }),
        1 => many().prop_map(|items| {
            let (types, values) = items.into_iter().unzip();
            (Type::Tuple(types), Value::List(values))
        }),
        1 => typed(levels - 1).prop_map(|(ty, value)| (Type::list(ty), Value::List(vec![value]))),
        1 => typed(levels - 1).prop_map(|pair| (Type::Dynamic, Value::Dynamic(Box::new(pair)))),
    ]
    .boxed()
}

proptest! {
    #[test]
    fn what_is_written_is_read_back((ty, value) in typed(3)) {
        let bytes = encode(&value);
        prop_assert_eq!(decode(&bytes, &ty).unwrap(), value.clone());
        prop_assert_eq!(encode(&decode(&bytes, &ty).unwrap()), bytes);
        prop_assert_eq!(Type::from_json(ty.to_json().to_string().as_bytes()), Some(ty));
    }

    #[test]
    fn what_is_stored_is_read_back((ty, value) in typed(3)) {
        prop_assume!(value.is_wholly_known());
        prop_assert_eq!(from_json(&to_state(&value), &ty).unwrap(), value);
    }

    #[test]
    fn garbage_is_an_error_not_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), (ty, _) in typed(2)) {
        let _ = decode(&bytes, &ty);
    }
}

#[test]
fn exact_numbers_survive() {
    for text in [
        "0.1",
        "18446744073709551616",
        "9007199254740993",
        "1e-7",
        "3.14159265358979323846264338327950288",
    ] {
        let json: serde_json::Value = serde_json::from_str(text).unwrap();
        let value = from_json(&json, &Type::Number).unwrap();
        let again = decode(&encode(&value), &Type::Number).unwrap();
        assert_eq!(again, Value::Number(Number::parse(text).unwrap()), "{text}");
    }
}

#[test]
fn a_refined_unknown_goes_back_as_it_came() {
    let bytes = [0xc7, 0x03, 0x0c, 0x81, 0x01, 0xc2];
    let value = decode(&bytes, &Type::String).unwrap();
    assert!(value.is_unknown());
    assert_eq!(encode(&value), bytes);
}

#[test]
fn a_length_that_lies_allocates_nothing() {
    let array32 = [0xdd, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(
        decode(&array32, &Type::list(Type::Bool)),
        Err(DecodeError::Truncated)
    );
    let deep = [0x91_u8; 1000];
    let mut ty = Type::Bool;
    for _ in 0..1000 {
        ty = Type::list(ty);
    }
    assert_eq!(decode(&deep, &ty), Err(DecodeError::TooDeep));
}

#[test]
fn a_dynamic_value_keeps_its_type() {
    let ty = Type::Object([("a".to_owned(), Type::Number)].into());
    let value = Value::Dynamic(Box::new((
        ty,
        Value::object([("a", Value::Number(1.into()))]),
    )));
    assert_eq!(decode(&encode(&value), &Type::Dynamic).unwrap(), value);
    assert_eq!(decode(&[0xc0], &Type::Dynamic).unwrap(), Value::Null);
}
