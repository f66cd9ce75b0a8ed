use proptest::prelude::*;

use super::*;

fn refined() -> Value {
    Value::Unknown(Refinement(vec![0x81, 0x01, 0xc2]))
}

/// A type and one of its values.
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
        let _ = Type::from_json(&bytes);
    }

    /// A truncated value is an error; a value with one changed byte is an error or another value.
    #[test]
    fn what_is_cut_or_damaged_is_an_error_not_a_panic(
        (ty, value) in typed(3),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = encode(&value);
        let cut = at.index(bytes.len());
        prop_assert!(decode(&bytes[..cut], &ty).is_err());
        bytes[cut] = byte;
        if let Ok(read) = decode(&bytes, &ty) {
            let _ = encode(&read);
            let _ = to_state(&read);
        }
    }

    #[test]
    fn a_state_that_somebody_edited_is_an_error_not_a_panic(
        (ty, value) in typed(3),
        (other, _) in typed(3),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let state = to_state(&value);
        let _ = from_json(&state, &other);
        let mut text = state.to_string().into_bytes();
        let place = at.index(text.len());
        text[place] = byte;
        if let Ok(json) = serde_json::from_slice(&text) {
            let _ = from_json(&json, &ty);
            let _ = from_json(&json, &Type::Dynamic);
        }
    }

    #[test]
    fn the_text_of_a_number_is_a_number_or_none(text in "[+-]?[0-9]{0,9}[.]?[0-9]{0,9}([eE][+-]?[0-9]{1,21})?") {
        if let Some(number) = Number::parse(&text) {
            prop_assert_eq!(Number::parse(&number.plain()), Some(number.clone()));
            let _ = (number.as_i64(), number.as_f64());
        }
    }
}

#[test]
fn a_number_of_a_state_without_end_is_an_error() {
    let json = serde_json::from_str("1.5e-9223372036854775808").unwrap();
    assert!(from_json(&json, &Type::Number).is_err());
    let ty = Type::Object([("last".to_owned(), Type::Number)].into());
    let state = serde_json::json!({ "last": "secret" });
    let error = from_json(&state, &ty).unwrap_err();
    assert_eq!(error, "last: expected \"number\", found a string");
}

#[test]
fn what_is_not_finite_is_refused_with_its_attribute() {
    let ty = Type::Object([("last".to_owned(), Type::Number)].into());
    let value = Value::object([("last", Value::Number(Number::Float(f64::INFINITY)))]);
    let error = decode(&encode(&value), &ty).unwrap_err();
    assert_eq!(error.attribute(), Some("last"));
    assert_eq!(
        error.to_string(),
        "it contains a number that no attribute can hold: inf"
    );
}

/// A dynamic value with its own type at each level.
fn dynamic_in_dynamic(levels: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..levels {
        bytes.extend([0x92, 0xc4, 9]);
        bytes.extend(b"\"dynamic\"");
    }
    bytes.push(0xc0);
    bytes
}

#[test]
fn nesting_is_bounded_before_it_is_followed() {
    const LEVELS: usize = 100_000;
    let bytes = dynamic_in_dynamic(LEVELS);
    assert_eq!(decode(&bytes, &Type::Dynamic), Err(DecodeError::TooDeep));
    for (open, inner, close) in [
        ("[\"list\",", "\"string\"", "]"),
        ("[\"object\",{\"a\":", "\"string\"", "}]"),
        ("[\"tuple\",[", "\"string\"", "]]"),
    ] {
        let ty = [&open.repeat(LEVELS), inner, &close.repeat(LEVELS)].concat();
        assert_eq!(Type::from_json(ty.as_bytes()), None, "{open}");
        let mut bytes = vec![0x92, 0xc6];
        bytes.extend(u32::try_from(ty.len()).unwrap().to_be_bytes());
        bytes.extend(ty.as_bytes());
        bytes.extend(vec![0x91; LEVELS]);
        assert_eq!(
            decode(&bytes, &Type::Dynamic),
            Err(DecodeError::DynamicType),
            "{open}"
        );
    }
    for (open, close) in [("[", "]"), ("{\"value\":", "}")] {
        let state = [&open.repeat(LEVELS), "1", &close.repeat(LEVELS)].concat();
        let state = serde_json::from_str::<serde_json::Value>(&state);
        assert!(state.unwrap_err().to_string().contains("recursion limit"));
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
