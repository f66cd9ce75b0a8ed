//! Random configurations: each attribute of a schema gets values that have caused bugs before, the
//! same for the same seed. Unit tests plan them, acceptance tests apply them.

#![allow(
    dead_code,
    reason = "unit and acceptance tests use different parts of it"
)]

mod values;

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value as Json, json};

use values::pool;

/// A random generator, the same for the same seed.
pub struct Random(u64);

impl Random {
    /// `FLOWER_TEST_SEED` repeats a run with the seed that it printed.
    pub fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = std::env::var("FLOWER_TEST_SEED").ok();
        let seed = seed.map_or(now.as_secs(), |seed| seed.parse().unwrap());
        eprintln!("FLOWER_TEST_SEED={seed}");
        Self(seed)
    }

    /// A number below this one.
    pub fn below(&mut self, most: usize) -> usize {
        // Steele, Lea and Flood's splitmix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(most).unwrap()).unwrap()
    }

    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// An attribute that a configuration may set.
#[derive(Clone)]
pub struct Shape {
    pub name: String,
    pub is_required: bool,
    pub form: Form,
}

#[derive(Clone, PartialEq)]
pub enum Form {
    Bool,
    Number,
    Text,
    Dynamic,
    Texts,
    TextMap,
    /// A list or map of another type.
    Other,
    Object(Vec<Shape>),
    List(Vec<Shape>),
    Map(Vec<Shape>),
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// A configuration and its description.
#[derive(Clone)]
pub struct Configuration {
    pub values: Json,
    /// The attributes that are set, as names joined by dots.
    pub set: Vec<String>,
    /// The attribute with an invalid value, if there is one.
    pub spoilt: Option<String>,
}

/// The attributes inside these that have their own values, as names joined by dots.
pub fn places(shapes: &[Shape]) -> Vec<String> {
    fn walk(shapes: &[Shape], prefix: &str, found: &mut Vec<String>) {
        for shape in shapes {
            let place = format!("{prefix}{}", shape.name);
            match &shape.form {
                Form::Object(inner) | Form::List(inner) | Form::Map(inner)
                    if pool(&place).is_none() =>
                {
                    walk(inner, &format!("{place}."), found);
                }
                _ => found.push(place),
            }
        }
    }
    let mut found = Vec::new();
    walk(shapes, "", &mut found);
    found
}

/// A configuration with valid values; `percent` sets how many of the optional attributes it has.
pub fn fitting(random: &mut Random, shapes: &[Shape], percent: usize) -> Configuration {
    let mut made = Configuration {
        values: Json::Null,
        set: Vec::new(),
        spoilt: None,
    };
    let values = object(random, shapes, "", percent, &mut made);
    made.values = Json::Object(values);
    made
}

/// The same with one invalid value.
pub fn spoilt(random: &mut Random, shapes: &[Shape], place: &str) -> Option<Configuration> {
    let bad = pool(place)?.bad;
    if bad.is_empty() {
        return None;
    }
    let mut made = fitting(random, shapes, 10);
    let value = random.one_of(&bad).clone();
    put(random, shapes, &mut made.values, place, "", value);
    made.set.push(place.to_owned());
    made.spoilt = Some(place.to_owned());
    Some(made)
}

fn object(
    random: &mut Random,
    shapes: &[Shape],
    prefix: &str,
    percent: usize,
    made: &mut Configuration,
) -> Map<String, Json> {
    let mut values = Map::new();
    for shape in shapes {
        if !shape.is_required && !random.percent(percent) {
            continue;
        }
        let place = format!("{prefix}{}", shape.name);
        let inner = format!("{place}.");
        let value = match (&shape.form, pool(&place)) {
            (_, Some(pool)) => random.one_of(&pool.good).clone(),
            (Form::Object(shapes), None) => {
                Json::Object(object(random, shapes, &inner, percent, made))
            }
            (Form::List(shapes), None) => {
                json!([object(random, shapes, &inner, percent, made)])
            }
            (Form::Map(shapes), None) => {
                json!({ "a": object(random, shapes, &inner, percent, made) })
            }
            (form, None) => random.one_of(&plain(form)).clone(),
        };
        made.set.push(place);
        values.insert(shape.name.clone(), value);
    }
    values
}

/// Values of an attribute without specific ones.
fn plain(form: &Form) -> Vec<Json> {
    match form {
        Form::Bool => vec![json!(true), json!(false)],
        Form::Number => vec![json!(1), json!(2), json!(60)],
        Form::Text => vec![json!("a"), json!("two words"), json!("größe\n")],
        Form::Dynamic => vec![json!({ "a": 1 }), json!({ "a": { "b": "c" } })],
        Form::Texts => vec![json!([]), json!(["a"]), json!(["a", "b"])],
        Form::TextMap => vec![json!({}), json!({ "a": "b" })],
        _ => vec![Json::Null],
    }
}

/// Puts a value at `place`, with everything that is required around it.
fn put(
    random: &mut Random,
    shapes: &[Shape],
    values: &mut Json,
    place: &str,
    prefix: &str,
    value: Json,
) {
    let Some((first, rest)) = place.split_once('.') else {
        values[place] = value;
        return;
    };
    let shape = shapes.iter().find(|shape| shape.name == first).unwrap();
    let full = format!("{prefix}{first}.");
    let mut ignored = Configuration {
        values: Json::Null,
        set: Vec::new(),
        spoilt: None,
    };
    let (inner, wrap): (&[Shape], fn(Json) -> Json) = match &shape.form {
        Form::Object(inner) => (inner, |one| one),
        Form::List(inner) => (inner, |one| json!([one])),
        Form::Map(inner) => (inner, |one| json!({ "a": one })),
        _ => panic!("{place} is in no object"),
    };
    let mut within = match &values[first] {
        Json::Object(_) if matches!(shape.form, Form::Object(_)) => values[first].clone(),
        _ => Json::Object(object(random, inner, &full, 0, &mut ignored)),
    };
    put(random, inner, &mut within, rest, &full, value);
    values[first] = wrap(within);
}
