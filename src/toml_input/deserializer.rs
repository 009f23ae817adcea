//! Deserializes TOML values into Rust types with serde. A fault carries the path that `serde_path_to_error` recorded,
//! and never the value.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserialize, Deserializer, Error as _, Expected, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use serde_path_to_error::Segment;

use super::fault::{Fault, PathStep};
use super::value::Value;

/// Deserializes `value` as a `T`.
pub(crate) fn read<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, Fault> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let steps = error.path().iter().filter_map(|segment| match segment {
            Segment::Seq { index } => Some(PathStep::Item(*index)),
            Segment::Map { key } => Some(PathStep::Field(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        });
        let steps: Vec<PathStep> = steps.collect();
        error.into_inner().below(steps)
    })
}

impl Value {
    /// Returns the fault that names the expected type and the type of this value, but never the value.
    fn must_be(&self, expected: &dyn Expected) -> Fault {
        let actual = match self {
            Self::Text(_) => Unexpected::Str(""),
            Self::Integer(_) => Unexpected::Signed(0),
            Self::Boolean(_) => Unexpected::Bool(false),
            Self::List(_) => Unexpected::Seq,
            Self::Table(_) => Unexpected::Map,
            Self::Other => Unexpected::Other("another type"),
        };
        Fault::invalid_type(actual, expected)
    }
}

impl<'de> Deserializer<'de> for &'de Value {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Boolean(truth) => visitor.visit_bool(*truth),
            Value::List(items) => visitor.visit_seq(SeqDeserializer::new(items.iter().map(|item| &item.value))),
            Value::Table(fields) => visitor
                .visit_map(MapDeserializer::new(fields.iter().map(|(name, field)| (name.as_str(), &field.value)))),
            Value::Other => Err(self.must_be(&visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self {
            Value::Text(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            other => Err(other.must_be(&"a string")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Fault> for &'de Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
