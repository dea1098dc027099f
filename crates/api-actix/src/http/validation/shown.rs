use std::io;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// What stands where an input would show a secret.
const MASK: &str = "**********";

/// The most bytes, as JSON, of one input, and of all those of an answer. An answer may not be much larger than what
/// made it: a client would pay one byte to have us hold many.
const MOST: usize = 8 * 1024;
const MOST_IN_ALL: usize = 64 * 1024;

/// Shows inputs in faults: secrets masked, and `null` instead of what is too large.
#[derive(Debug)]
pub(super) struct Inputs {
    left: usize,
}

impl Inputs {
    pub(super) fn new() -> Self {
        Self { left: MOST_IN_ALL }
    }

    /// A field's value.
    pub(super) fn field(&mut self, name: &str, value: &Value) -> Value {
        self.show(&Masked::field(name, value))
    }

    /// An object.
    pub(super) fn object(&mut self, object: &Map<String, Value>) -> Value {
        self.show(&Masked::Object(object))
    }

    /// A text that is no secret.
    pub(super) fn text(&mut self, text: &str) -> Value {
        self.show(&text)
    }

    fn show(&mut self, input: &impl Serialize) -> Value {
        // It is measured before it is built, and no further than to the limit.
        let most = MOST.min(self.left);
        let mut measure = Measure { left: most };
        if serde_json::to_writer(&mut measure, input).is_err() {
            return Value::Null;
        }
        self.left -= most - measure.left;
        serde_json::to_value(input).unwrap_or_default()
    }
}

/// An input that hides its secrets when it is written.
enum Masked<'a> {
    Secret,
    Object(&'a Map<String, Value>),
    Array(&'a [Value]),
    Plain(&'a Value),
}

impl<'a> Masked<'a> {
    fn field(name: &str, value: &'a Value) -> Self {
        if is_secret(name) { Self::Secret } else { Self::value(value) }
    }

    fn value(value: &'a Value) -> Self {
        match value {
            Value::Object(object) => Self::Object(object),
            Value::Array(items) => Self::Array(items),
            plain => Self::Plain(plain),
        }
    }
}

impl Serialize for Masked<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Secret => serializer.serialize_str(MASK),
            Self::Object(object) => {
                serializer.collect_map(object.iter().map(|(name, value)| (name, Self::field(name, value))))
            }
            Self::Array(items) => serializer.collect_seq(items.iter().map(Self::value)),
            Self::Plain(value) => value.serialize(serializer),
        }
    }
}

fn is_secret(field: &str) -> bool {
    matches!(field, "password" | "refresh_token")
}

/// Counts what is written to it, and refuses what is too much.
struct Measure {
    left: usize,
}

impl io::Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_input_of_eight_kibibytes_is_shown_and_a_larger_one_is_null() {
        let largest = json!("x".repeat(MOST - 2));
        assert_eq!(Inputs::new().field("email", &largest), largest);
        assert_eq!(Inputs::new().field("email", &json!("x".repeat(MOST - 1))), Value::Null);
        assert_eq!(Inputs::new().text(&"x".repeat(MOST - 1)), Value::Null);
    }

    #[test]
    fn what_counts_is_how_long_an_input_is_as_it_is_shown() {
        let long_when_shown: Value = serde_json::from_str(&format!("[{}1]", "1e15,".repeat(1000))).unwrap();
        assert_eq!(Inputs::new().field("email", &long_when_shown), Value::Null);
        let body = json!({ "password": "x".repeat(MOST) });
        assert_eq!(Inputs::new().object(body.as_object().unwrap()), json!({ "password": MASK }));
    }

    #[test]
    fn many_inputs_are_shown_until_they_are_too_much_together() {
        let (input, mut inputs) = (json!("x".repeat(MOST - 2)), Inputs::new());
        let shown = (0..1000).filter(|_| !inputs.field("email", &input).is_null()).count();
        assert_eq!(shown, MOST_IN_ALL / MOST);
        assert_eq!(inputs.text("x"), Value::Null);
    }
}
