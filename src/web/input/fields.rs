//! Fields as they were sent, read into a struct; where one has another shape than it should, the fault names it.

use std::fmt::{self, Display};

use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeOwned, DeserializeSeed, Expected, IntoDeserializer, MapAccess, Unexpected, Visitor,
        value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer},
    },
    forward_to_deserialize_any,
};
use serde_json::Value;

use crate::error::{Error, Errors, Result};

// The one that is a list, however it is sent.
const LIST: &str = "permissions";

/// Names and values, in the order in which they were sent. A name may stand there twice.
pub(crate) struct Fields(Vec<(String, Value)>);

impl Fields {
    /// The fields of a form or of a query.
    pub(crate) fn of_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name, Value::String(value))).collect())
    }

    /// Those of a form, in which each box of a list that is ticked has a field of its own.
    pub(crate) fn of_form(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut fields: Vec<(String, String)> = Vec::new();
        for (name, value) in pairs {
            match fields.iter_mut().find(|(known, _)| *known == name && name == LIST) {
                Some((_, list)) => list.extend([",", &value]),
                None => fields.push((name, value)),
            }
        }
        Self::of_pairs(fields)
    }

    /// Reads them. What is null was not sent; what the struct does not know is left aside, or refused where it says
    /// `deny_unknown_fields`.
    pub(crate) fn read<T: DeserializeOwned>(self) -> Result<T, Fault> {
        let fields = self.0.into_iter().filter(|(_, value)| !value.is_null());
        T::deserialize(MapAccessDeserializer::new(Named { fields, at: None }))
    }
}

impl<'de> Deserialize<'de> for Fields {
    /// An object, and no list: a derived struct would take a list for its fields in their order.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = object.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// What is wrong with fields, in the words of whoever sends them.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It was sent more than once.
    Twice(String),
    /// It has to be sent.
    Missing(String),
    /// There is no such field. `known`: those that there are; `within`: the field that it is in.
    Unknown { field: String, known: &'static [&'static str], within: Option<String> },
    /// It has another shape. The field is not known where the fault is found, but where its value was taken from.
    Shape { field: Option<String>, asks: String },
}

impl Fault {
    fn within(self, name: &str) -> Self {
        match self {
            Fault::Shape { field: None, asks } => Fault::Shape { field: Some(name.to_owned()), asks },
            Fault::Unknown { field, known, within: None } => {
                Fault::Unknown { field, known, within: Some(name.to_owned()) }
            }
            // A field of a field.
            Fault::Missing(inner) => {
                Fault::Shape { field: Some(name.to_owned()), asks: format!("with {inner} in it") }
            }
            Fault::Twice(inner) => {
                Fault::Shape { field: Some(name.to_owned()), asks: format!("with one {inner} in it") }
            }
            fault => fault,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let (field, sentence) = match fault {
            Fault::Twice(field) => return Error::Malformed(format!("{field} was sent twice")),
            Fault::Missing(field) => {
                let sentence = format!("Send {field} as well.");
                (field, sentence)
            }
            Fault::Unknown { field, known, within } => {
                let sentence = no_such_field(&field, known, within.as_deref());
                (field, sentence)
            }
            Fault::Shape { field: Some(field), asks } => {
                let sentence = format!("Send {field} {asks}.");
                (field, sentence)
            }
            Fault::Shape { field: None, asks } => return Error::Malformed(format!("send it {asks}")),
        };
        Error::Invalid(Errors::one(field, sentence))
    }
}

/// What is said of a field that there is not, with the one that is meant, as far as it looks like one.
fn no_such_field(field: &str, known: &[&str], within: Option<&str>) -> String {
    let place = within.map_or_else(|| "here".to_owned(), |within| format!("in {within}"));
    let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let likeness = |name: &str| strsim::jaro_winkler(&plain(field), &plain(name));
    let nearest = known.iter().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    let more = match nearest.filter(|name| likeness(name) > 0.85) {
        Some(name) => format!("Write {name}."),
        None => format!("There is {}.", known.join(", ")),
    };
    // Somebody else's text: as much of it as says which is meant.
    let field: String = field.chars().filter(|c| !c.is_control()).take(60).collect();
    format!("There is no field {field} {place}. {more}")
}

impl Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self:?}")
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: Display>(_: T) -> Self {
        // What a value's own type says is meant for us, and may repeat the value.
        Fault::Shape { field: None, asks: "in the form that the documentation shows".to_owned() }
    }

    fn invalid_type(sent: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = expected.to_string();
        let asks = match (expected.as_str(), sent) {
            ("a string", Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_)) => {
                "as text in quotes: a number loses the zeros that it begins with".to_owned()
            }
            ("a string", _) => "as text in quotes".to_owned(),
            _ => format!("as {}", plain_shape(&expected)),
        };
        Fault::Shape { field: None, asks }
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Fault::Shape { field: None, asks: format!("as {}", plain_shape(&expected.to_string())) }
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Fault::Unknown { field: field.to_owned(), known, within: None }
    }

    fn missing_field(field: &'static str) -> Self {
        Fault::Missing(field.to_owned())
    }

    fn duplicate_field(field: &'static str) -> Self {
        Fault::Twice(field.to_owned())
    }
}

/// A shape as serde calls it, in the words of those who write JSON.
fn plain_shape(expected: &str) -> &str {
    match expected {
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        shape if shape.starts_with("struct ") => "an object",
        shape if shape.starts_with("tuple ") || shape.starts_with("an array") => "a list",
        shape => shape,
    }
}

/// The fields one by one. Whatever is wrong with a value, also what its own type finds, is told by the field's name.
struct Named<I> {
    fields: I,
    at: Option<(String, Value)>,
}

impl<'de, I: Iterator<Item = (String, Value)>> MapAccess<'de> for Named<I> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.at = self.fields.next();
        let Some((name, _)) = &self.at else { return Ok(None) };
        seed.deserialize(name.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (name, value) = self.at.take().unwrap_or_default();
        seed.deserialize(Sent(value)).map_err(|fault| fault.within(&name))
    }
}

/// A value, or one inside another. `serde_json` reads a [`Value`] as well, but its errors are sentences already.
struct Sent(Value);

impl<'de> IntoDeserializer<'de, Fault> for Sent {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Sent {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(value) => match (value.as_u64(), value.as_i64()) {
                (Some(value), _) => visitor.visit_u64(value),
                (None, Some(value)) => visitor.visit_i64(value),
                (None, None) => visitor.visit_f64(value.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_string(text),
            Value::Array(values) => visitor.visit_seq(SeqDeserializer::new(values.into_iter().map(Sent))),
            Value::Object(fields) => visitor
                .visit_map(MapDeserializer::new(fields.into_iter().map(|(name, value)| (name, Sent(value))))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.0 {
            Value::String(word) => visitor.visit_enum(word.into_deserializer()),
            other => Sent(other).deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}
