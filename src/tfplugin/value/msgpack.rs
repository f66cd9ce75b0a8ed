//! The encoding of values in the protocol: msgpack with extensions.
//!
//! Decoding needs the type, because a value of a dynamic attribute is a pair of type and value that
//! otherwise looks like a list. All input is untrusted: lengths are checked against the remaining
//! bytes, and nesting is limited.

use std::collections::BTreeMap;

use rmp::{Marker, encode as write};

use super::{Number, Refinement, Type, Value};

/// Why the bytes are not a value of the expected type.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DecodeError {
    #[error("the value is truncated")]
    Truncated,
    #[error("{left} bytes follow the end of the value")]
    Trailing { left: usize },
    #[error("expected a value of type {expected}, found msgpack {found}")]
    Mismatch { expected: String, found: String },
    #[error("a string is not UTF-8")]
    Utf8,
    #[error("the type of its value is unknown, or has more than 60 levels")]
    DynamicType,
    #[error("it contains a number that no attribute can hold: {0}")]
    Number(String),
    #[error("its values have too many levels")]
    TooDeep,
    /// The attribute of an object in which the error is.
    #[error("{cause}")]
    Within {
        attribute: String,
        cause: Box<DecodeError>,
    },
}

impl DecodeError {
    /// The outermost attribute with the error.
    pub fn attribute(&self) -> Option<&str> {
        match self {
            Self::Within { attribute, .. } => Some(attribute),
            _ => None,
        }
    }
}

const MOST_LEVELS: usize = 128;
/// The extension code of an unknown value with refinements.
const REFINED_UNKNOWN: i8 = 12;

/// Decodes one value of type `ty` from all of `bytes`.
pub fn decode(bytes: &[u8], ty: &Type) -> Result<Value, DecodeError> {
    let mut reader = Reader { rest: bytes };
    let value = reader.value(ty, 0)?;
    match reader.rest.len() {
        0 => Ok(value),
        left => Err(DecodeError::Trailing { left }),
    }
}

/// Encodes a value; the same value always gives the same bytes.
pub fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    put(&mut out, value);
    out
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (head, tail) = self
            .rest
            .split_at_checked(count)
            .ok_or(DecodeError::Truncated)?;
        self.rest = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.take(N)?.try_into().map_err(|_| DecodeError::Truncated)
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn length(&mut self, width: usize) -> Result<usize, DecodeError> {
        Ok(self
            .take(width)?
            .iter()
            .fold(0, |length, byte| (length << 8) | usize::from(*byte)))
    }

    fn value(&mut self, ty: &Type, level: usize) -> Result<Value, DecodeError> {
        if level > MOST_LEVELS {
            return Err(DecodeError::TooDeep);
        }
        let marker = Marker::from_u8(self.byte()?);
        match marker {
            Marker::Null => return Ok(Value::Null),
            Marker::FixExt1 => return self.unknown(1),
            Marker::FixExt2 => return self.unknown(2),
            Marker::FixExt4 => return self.unknown(4),
            Marker::FixExt8 => return self.unknown(8),
            Marker::FixExt16 => return self.unknown(16),
            Marker::Ext8 => return self.long_unknown(1),
            Marker::Ext16 => return self.long_unknown(2),
            Marker::Ext32 => return self.long_unknown(4),
            _ => {}
        }
        match ty {
            Type::Bool => match marker {
                Marker::True => Ok(Value::Bool(true)),
                Marker::False => Ok(Value::Bool(false)),
                other => Err(mismatch(ty, other)),
            },
            Type::Number => self.number(marker).map(Value::Number),
            Type::String => self.string(marker, ty).map(Value::String),
            Type::Dynamic => self.dynamic(marker, level),
            Type::List(element) | Type::Set(element) => {
                let count = self.count(marker, ty)?;
                (0..count)
                    .map(|_| self.value(element, level + 1))
                    .collect::<Result<_, _>>()
                    .map(Value::List)
            }
            Type::Tuple(items) => {
                let count = self.count(marker, ty)?;
                if count != items.len() {
                    return Err(mismatch(ty, marker));
                }
                items
                    .iter()
                    .map(|item| self.value(item, level + 1))
                    .collect::<Result<_, _>>()
                    .map(Value::List)
            }
            Type::Map(element) => self.entries(marker, ty, level, |_| Some(element.as_ref())),
            Type::Object(attributes) => {
                self.entries(marker, ty, level, |name| attributes.get(name))
            }
        }
    }

    fn unknown(&mut self, length: usize) -> Result<Value, DecodeError> {
        let [code] = self.array::<1>()?;
        let data = self.take(length)?;
        let refinement = if i8::from_be_bytes([code]) == REFINED_UNKNOWN {
            data.to_vec()
        } else {
            Vec::new()
        };
        Ok(Value::Unknown(Refinement(refinement)))
    }

    fn long_unknown(&mut self, width: usize) -> Result<Value, DecodeError> {
        let length = self.length(width)?;
        self.unknown(length)
    }

    fn number(&mut self, marker: Marker) -> Result<Number, DecodeError> {
        Ok(match marker {
            Marker::FixPos(small) => Number::Int(small.into()),
            Marker::FixNeg(small) => Number::Int(small.into()),
            Marker::U8 => Number::Int(self.byte()?.into()),
            Marker::U16 => Number::Int(u16::from_be_bytes(self.array()?).into()),
            Marker::U32 => Number::Int(u32::from_be_bytes(self.array()?).into()),
            Marker::U64 => {
                let uint = u64::from_be_bytes(self.array()?);
                i64::try_from(uint).map_or(Number::UInt(uint), Number::Int)
            }
            Marker::I8 => Number::Int(i8::from_be_bytes(self.array()?).into()),
            Marker::I16 => Number::Int(i16::from_be_bytes(self.array()?).into()),
            Marker::I32 => Number::Int(i32::from_be_bytes(self.array()?).into()),
            Marker::I64 => Number::Int(i64::from_be_bytes(self.array()?)),
            Marker::F32 => double(f32::from_be_bytes(self.array()?).into())?,
            Marker::F64 => double(f64::from_be_bytes(self.array()?))?,
            _ => {
                let text = self.string(marker, &Type::Number)?;
                Number::parse(&text).ok_or(DecodeError::Number(text))?
            }
        })
    }

    fn string(&mut self, marker: Marker, ty: &Type) -> Result<String, DecodeError> {
        let length = match marker {
            Marker::FixStr(length) => length.into(),
            Marker::Str8 | Marker::Bin8 => self.length(1)?,
            Marker::Str16 | Marker::Bin16 => self.length(2)?,
            Marker::Str32 | Marker::Bin32 => self.length(4)?,
            other => return Err(mismatch(ty, other)),
        };
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| DecodeError::Utf8)?;
        Ok(text.to_owned())
    }

    fn dynamic(&mut self, marker: Marker, level: usize) -> Result<Value, DecodeError> {
        if self.count(marker, &Type::Dynamic)? != 2 {
            return Err(mismatch(&Type::Dynamic, marker));
        }
        let marker = Marker::from_u8(self.byte()?);
        let text = self.string(marker, &Type::Dynamic)?;
        let ty = Type::from_json(text.as_bytes()).ok_or(DecodeError::DynamicType)?;
        let value = self.value(&ty, level + 1)?;
        Ok(Value::Dynamic(Box::new((ty, value))))
    }

    fn count(&mut self, marker: Marker, ty: &Type) -> Result<usize, DecodeError> {
        let count = match marker {
            Marker::FixArray(count) => count.into(),
            Marker::Array16 => self.length(2)?,
            Marker::Array32 => self.length(4)?,
            other => return Err(mismatch(ty, other)),
        };
        self.bounded(count)
    }

    /// Each item has at least one byte, so a larger count is invalid and must not allocate memory.
    fn bounded(&self, count: usize) -> Result<usize, DecodeError> {
        if count > self.rest.len() {
            return Err(DecodeError::Truncated);
        }
        Ok(count)
    }

    fn entries<'t>(
        &mut self,
        marker: Marker,
        ty: &Type,
        level: usize,
        type_of: impl Fn(&str) -> Option<&'t Type>,
    ) -> Result<Value, DecodeError> {
        let count = match marker {
            Marker::FixMap(count) => count.into(),
            Marker::Map16 => self.length(2)?,
            Marker::Map32 => self.length(4)?,
            other => return Err(mismatch(ty, other)),
        };
        let count = self.bounded(count)?;
        let mut entries = BTreeMap::new();
        for _ in 0..count {
            let marker = Marker::from_u8(self.byte()?);
            let name = self.string(marker, &Type::String)?;
            let element = type_of(&name).ok_or_else(|| mismatch(ty, marker))?;
            let value = self.value(element, level + 1);
            let value = value.map_err(|cause| match level {
                0 => DecodeError::Within {
                    attribute: name.clone(),
                    cause: Box::new(cause),
                },
                _ => cause,
            })?;
            entries.insert(name, value);
        }
        Ok(Value::Map(entries))
    }
}

/// Terraform's numbers can be infinite, such as `pow(10, 400)`; a state and an attribute cannot
/// hold that.
fn double(float: f64) -> Result<Number, DecodeError> {
    Number::of_double(float).ok_or_else(|| DecodeError::Number(float.to_string()))
}

fn mismatch(expected: &Type, found: Marker) -> DecodeError {
    DecodeError::Mismatch {
        expected: expected.to_json().to_string(),
        found: format!("{found:?}"),
    }
}

fn put(out: &mut Vec<u8>, value: &Value) {
    // Writing to a vector cannot fail, although the functions return a result.
    let _ = match value {
        Value::Null => write::write_nil(out),
        Value::Unknown(Refinement(refinement)) => {
            put_unknown(out, refinement);
            Ok(())
        }
        Value::Bool(bool) => write::write_bool(out, *bool),
        Value::Number(number) => {
            put_number(out, number);
            Ok(())
        }
        Value::String(text) => {
            let _ = write::write_str(out, text);
            Ok(())
        }
        Value::List(items) => {
            let _ = write::write_array_len(out, length(items.len()));
            for item in items {
                put(out, item);
            }
            Ok(())
        }
        Value::Map(entries) => {
            let _ = write::write_map_len(out, length(entries.len()));
            for (name, value) in entries {
                let _ = write::write_str(out, name);
                put(out, value);
            }
            Ok(())
        }
        Value::Dynamic(inner) => {
            let _ = write::write_array_len(out, 2);
            let ty = inner.0.to_json().to_string();
            let _ = write::write_bin(out, ty.as_bytes());
            put(out, &inner.1);
            Ok(())
        }
    };
}

fn put_unknown(out: &mut Vec<u8>, refinement: &[u8]) {
    if refinement.is_empty() {
        let _ = write::write_ext_meta(out, 1, 0);
        out.push(0);
    } else {
        let _ = write::write_ext_meta(out, length(refinement.len()), REFINED_UNKNOWN);
        out.extend_from_slice(refinement);
    }
}

fn put_number(out: &mut Vec<u8>, number: &Number) {
    match number {
        Number::Int(int) => drop(write::write_sint(out, *int)),
        Number::UInt(uint) => drop(write::write_uint(out, *uint)),
        Number::Float(float) => drop(write::write_f64(out, *float)),
        Number::Decimal(text) => drop(write::write_str(out, text)),
    }
}

/// The transport limits messages to far less.
fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
