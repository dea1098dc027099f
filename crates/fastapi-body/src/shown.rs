//! The `input` of a fault: known fields only, secrets masked, and `null` in place of what is too large.

use std::fmt;
use std::io::{self, Write as _};

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::sent::{Known, Sent};

/// What stands where an input would show a secret.
const MASK: &str = "**********";

/// The most bytes, as JSON, of one input, and of all those of an answer. An answer may not be much larger than what made it.
const MOST: usize = 8 * 1024;
const MOST_IN_ALL: usize = 32 * 1024;

/// The inputs of an answer.
#[derive(Debug)]
pub(crate) struct Inputs<'a> {
    known: &'a [Known],
    left: usize,
}

impl<'a> Inputs<'a> {
    pub(crate) const fn new(known: &'a [Known]) -> Self {
        Self { known, left: MOST_IN_ALL }
    }

    /// The value of a field, which may be a secret.
    pub(crate) fn value(&mut self, value: &Sent<'_>, is_secret: bool) -> Value {
        self.show(|show| show.field(value, is_secret))
    }

    /// The object of all fields.
    pub(crate) fn object(&mut self, values: &[Option<Sent<'_>>]) -> Value {
        let known = self.known;
        self.show(|show| {
            let mut before = "{";
            for (field, value) in known.iter().zip(values) {
                if let Some(value) = value {
                    show.name(before, field.name)?;
                    show.field(value, field.is_secret)?;
                    before = ",";
                }
            }
            show.end(before, "{", "}")
        })
    }

    fn show(&mut self, write: impl FnOnce(&mut Show<'_>) -> serde_json::Result<()>) -> Value {
        let mut show = Show { text: Vec::new(), most: MOST.min(self.left), known: self.known };
        if write(&mut show).is_err() {
            return Value::Null;
        }
        self.left -= show.text.len();
        serde_json::from_slice(&show.text).unwrap_or_default()
    }
}

/// Writes one input while it is read, and fails where it gets too large.
struct Show<'a> {
    text: Vec<u8>,
    most: usize,
    known: &'a [Known],
}

impl Show<'_> {
    fn field(&mut self, value: &Sent<'_>, is_secret: bool) -> serde_json::Result<()> {
        match value {
            _ if is_secret => serde_json::to_writer(self, MASK),
            Sent::Text(text) => serde_json::to_writer(self, text),
            Sent::Json(json) => self.deserialize(&mut serde_json::Deserializer::from_str(json)),
        }
    }

    fn put(&mut self, text: &str) -> serde_json::Result<()> {
        self.write_all(text.as_bytes()).map_err(serde_json::Error::io)
    }

    fn name(&mut self, before: &str, name: &str) -> serde_json::Result<()> {
        self.put(before)?;
        serde_json::to_writer(&mut *self, name)?;
        self.put(":")
    }

    /// Ends an object or a list. `before` is what its next item would have had before it.
    fn end(&mut self, before: &str, open: &str, close: &str) -> serde_json::Result<()> {
        if before == open {
            self.put(open)?;
        }
        self.put(close)
    }

    fn plain<E: serde::de::Error>(&mut self, value: impl serde::Serialize) -> Result<(), E> {
        serde_json::to_writer(self, &value).map_err(E::custom)
    }
}

impl io::Write for Show<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.text.len() + bytes.len() > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut Show<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Show<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.plain(())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.plain(value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.plain(value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.plain(value)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.plain(value)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.plain(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut before = "[";
        loop {
            // It is taken back where no item follows.
            let length = self.text.len();
            self.put(before).map_err(A::Error::custom)?;
            if items.next_element_seed(&mut *self)?.is_none() {
                self.text.truncate(length);
                return self.end(before, "[", "]").map_err(A::Error::custom);
            }
            before = ",";
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut before = "{";
        while let Some(name) = fields.next_key_seed(Name(self.known))? {
            let Some(index) = name else {
                fields.next_value::<IgnoredAny>()?;
                continue;
            };
            let Known { name, is_secret } = self.known[index];
            self.name(before, name).map_err(A::Error::custom)?;
            if is_secret {
                fields.next_value::<IgnoredAny>()?;
                self.plain::<A::Error>(MASK)?;
            } else {
                fields.next_value_seed(&mut *self)?;
            }
            before = ",";
        }
        self.end(before, "{", "}").map_err(A::Error::custom)
    }
}

/// Reads the name of a field: which of the known ones it is, if any.
struct Name<'a>(&'a [Known]);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|known| known.name == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KNOWN: [Known; 2] =
        [Known { name: "email", is_secret: false }, Known { name: "password", is_secret: true }];

    fn shown_by(inputs: &mut Inputs<'_>, json: &str) -> Value {
        inputs.value(&Sent::Json(json), false)
    }

    fn shown(json: &str) -> Value {
        shown_by(&mut Inputs::new(&KNOWN), json)
    }

    #[test]
    fn what_is_no_object_is_shown_as_it_is() {
        for value in [
            json!(null),
            json!(true),
            json!(-5),
            json!(1.5),
            json!("a\u{0}\"é"),
            json!([]),
            json!([[], [1, [null]], "x"]),
            json!({}),
        ] {
            assert_eq!(shown(&value.to_string()), value);
        }
    }

    #[test]
    fn objects_are_shown_with_known_fields_and_masked_secrets_wherever_they_stand() {
        assert_eq!(
            shown(
                r#"[{"Password": "hunter2"}, {"x": 1, "email": {"password": ["hunter2"], "y": {}}, "z": 2}]"#
            ),
            json!([{}, { "email": { "password": "**********" } }])
        );
    }

    #[test]
    fn an_input_of_eight_kibibytes_is_shown_and_a_larger_one_is_null() {
        let of = |length: usize| json!("x".repeat(length - 2)).to_string();
        assert_ne!(shown(&of(MOST)), Value::Null);
        assert_eq!(shown(&of(MOST + 1)), Value::Null);
        // What counts is how long it is where it is shown.
        assert_eq!(shown(&format!("[{}1]", "1e15,".repeat(1000))), Value::Null);
        assert_eq!(shown(&json!({ "z": "x".repeat(MOST) }).to_string()), json!({}));
    }

    #[test]
    fn what_is_nested_without_end_or_no_number_of_this_world_is_null() {
        assert_eq!(shown(&("[".repeat(30_000) + &"]".repeat(30_000))), Value::Null);
        assert_eq!(shown(&"9".repeat(60_000)), Value::Null);
    }

    #[test]
    fn many_inputs_are_shown_until_they_are_too_much_together() {
        let (input, mut inputs) = (json!("x".repeat(MOST - 2)).to_string(), Inputs::new(&KNOWN));
        let count = (0..1000).filter(|_| !shown_by(&mut inputs, &input).is_null()).count();
        assert_eq!(count, MOST_IN_ALL / MOST);
        assert_eq!(shown_by(&mut inputs, "1"), Value::Null);
    }
}
