//! A JSON object's known fields, as they stand in its text.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{Error as _, IgnoredAny};
use serde_json::json;

use crate::fault::{Fault, Problem};
use crate::sent::{Known, Sent};

/// The most unknown fields of a form that forbids them which are told.
const MOST_EXTRA: usize = 100;

/// What JSON has between its tokens.
const WHITE_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// What an object holds.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    /// The known fields; of several with one name the last, as in Python.
    pub(crate) values: Vec<Option<Sent<'a>>>,
    /// The names of unknown ones, where they matter, each once.
    pub(crate) extra: Vec<String>,
}

impl Object<'_> {
    pub(crate) fn new(known: &[Known]) -> Self {
        Self { values: vec![None; known.len()], extra: Vec::new() }
    }

    pub(crate) fn note_extra(&mut self, name: String) {
        if self.extra.len() < MOST_EXTRA && !self.extra.contains(&name) {
            self.extra.push(name);
        }
    }
}

/// Reads a body as an object.
pub(crate) fn read<'a>(body: &'a [u8], known: &[Known], keep_extra: bool) -> Result<Object<'a>, Vec<Fault>> {
    // RFC 8259, 8.1.
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let text = str::from_utf8(body).map_err(|error| {
        let valid = String::from_utf8_lossy(&body[..error.valid_up_to()]);
        broken(valid.chars().count(), "Invalid UTF-8")
    })?;
    serde_json::from_str::<IgnoredAny>(text)
        .map_err(|error| broken(position(text, &error), &reason(&error)))?;
    match text.trim_matches(WHITE_SPACE) {
        object if object.starts_with('{') => fields(object, known, keep_extra).map_err(|error| {
            // It is JSON: what can still be wrong is a name that is no text.
            broken(0, &reason(&error))
        }),
        "null" => Err(missing()),
        _ => Err(not_an_object()),
    }
}

/// Reads the fields of a text that is a JSON object.
fn fields<'a>(text: &'a str, known: &[Known], keep_extra: bool) -> serde_json::Result<Object<'a>> {
    let (mut object, mut walk) = (Object::new(known), Walk(text));
    walk.pass('{');
    while !walk.pass('}') {
        let (Text(name), _) = walk.value()?;
        walk.pass(':');
        let (IgnoredAny, value) = walk.value()?;
        walk.pass(',');
        match known.iter().position(|known| known.name == name) {
            Some(index) => object.values[index] = Some(Sent::Json(value)),
            None if keep_extra => object.note_extra(name.into_owned()),
            None => {}
        }
    }
    Ok(object)
}

/// The items of the list that a JSON text is, if it is one.
pub(crate) fn items(text: &str) -> Result<Vec<&str>, Problem> {
    let mut walk = Walk(text);
    if !walk.pass('[') {
        return Err(Problem::not_a_list());
    }
    let mut items = Vec::new();
    while !walk.pass(']') {
        let (IgnoredAny, item) = walk.value().map_err(|_| Problem::not_a_list())?;
        items.push(item);
        walk.pass(',');
    }
    Ok(items)
}

/// The text that a JSON text is, if it is one.
pub(crate) fn text(text: &str) -> Result<Cow<'_, str>, Problem> {
    if !text.starts_with('"') {
        return Err(Problem::not_a_string());
    }
    // A lone surrogate is JSON, and no text.
    serde_json::from_str(text).map(|Text(text)| text).map_err(|_| Problem::not_unicode())
}

/// A text, which is copied only where something in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Takes apart a text that is known to be JSON.
struct Walk<'a>(&'a str);

impl<'a> Walk<'a> {
    /// Goes past that character, if it is the next.
    fn pass(&mut self, character: char) -> bool {
        let rest = self.0.trim_start_matches(WHITE_SPACE).strip_prefix(character);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Goes past the next value: what is made of it, and its text.
    fn value<T: Deserialize<'a>>(&mut self) -> serde_json::Result<(T, &'a str)> {
        let text = self.0.trim_start_matches(WHITE_SPACE);
        let mut values = serde_json::Deserializer::from_str(text).into_iter();
        let value = values.next().unwrap_or_else(|| Err(serde_json::Error::custom("no value")))?;
        let (value_text, rest) = text.split_at(values.byte_offset());
        self.0 = rest;
        Ok((value, value_text))
    }
}

pub(crate) fn missing() -> Vec<Fault> {
    vec![Fault::new("body", Problem::missing())]
}

/// What is no object is not shown: it may be anything, a secret included.
pub(crate) fn not_an_object() -> Vec<Fault> {
    vec![Fault::new("body", Problem::not_an_object())]
}

fn broken(position: usize, why: &str) -> Vec<Fault> {
    vec![Fault::new("body", Problem::not_json(why)).at_index(position).showing(json!({}))]
}

/// Which character of the text is the first that can't be.
fn position(text: &str, error: &serde_json::Error) -> usize {
    if error.is_eof() {
        return text.chars().count();
    }
    let lines_before = error.line().saturating_sub(1);
    let line_start: usize = text.split_inclusive('\n').take(lines_before).map(str::len).sum();
    let offset = line_start + error.column().saturating_sub(1);
    text.char_indices().take_while(|(start, _)| *start < offset).count()
}

/// What is wrong, without the place, which `loc` tells.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or_default();
    match reason {
        "expected value" | "EOF while parsing a value" => "Expecting value".to_owned(),
        "expected `:`" => "Expecting ':' delimiter".to_owned(),
        "expected `,` or `}`" | "expected `,` or `]`" => "Expecting ',' delimiter".to_owned(),
        "key must be a string" => "Expecting property name enclosed in double quotes".to_owned(),
        "trailing characters" => "Extra data".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const KNOWN: [Known; 1] = [Known { name: "a", is_secret: false }];

    /// The one fault of a body.
    fn fault(body: &[u8]) -> Value {
        let faults = read(body, &KNOWN, false).unwrap_err();
        assert_eq!(faults.len(), 1);
        serde_json::to_value(&faults[0]).unwrap()
    }

    #[rstest::rstest]
    #[case(r#"{"a": }"#, 6, "Expecting value")]
    #[case(r#"{"b": }"#, 6, "Expecting value")]
    #[case(r#"{"a": 1,}"#, 8, "Expecting property name enclosed in double quotes")]
    #[case(r#"{"a" 1}"#, 5, "Expecting ':' delimiter")]
    #[case(r#"{"é": é}"#, 6, "Expecting value")]
    #[case("{\n\"a\": x}", 7, "Expecting value")]
    #[case("{} {}", 3, "Extra data")]
    #[case("{'a': 1}", 1, "Expecting property name enclosed in double quotes")]
    #[case("  ", 2, "Expecting value")]
    #[case("\u{feff}", 0, "Expecting value")]
    #[case("\u{feff}{\"a\": x}", 6, "Expecting value")]
    #[case("{\"a\": 1", 7, "EOF while parsing an object")]
    fn broken_json_is_one_fault_at_the_character(#[case] body: &str, #[case] at: usize, #[case] why: &str) {
        let expected = json!({
            "type": "json_invalid", "loc": ["body", at], "msg": "JSON decode error", "input": {},
            "ctx": { "error": why },
        });
        assert_eq!(fault(body.as_bytes()), expected);
    }

    #[test]
    fn bytes_that_are_no_utf8_are_broken_json() {
        let fault = fault(b"{\"a\": \"\xff\"}");
        assert_eq!((&fault["type"], &fault["loc"]), (&json!("json_invalid"), &json!(["body", 7])));
    }

    #[test]
    fn a_name_that_is_no_text_is_broken_json() {
        let fault = fault(br#"{"\ud800": 1}"#);
        assert_eq!(fault["type"], "json_invalid");
    }

    #[test]
    fn a_byte_order_mark_is_skipped_once() {
        let body = "\u{feff}{\"a\": 5}".as_bytes();
        let read = read(body, &KNOWN, false).unwrap();
        assert!(matches!(&read.values[..], [Some(Sent::Json(raw))] if *raw == "5"), "{read:?}");
        assert_eq!(fault("\u{feff}\u{feff}{}".as_bytes())["type"], "json_invalid");
    }

    #[test]
    fn null_is_missing_and_anything_else_no_object() {
        let missing = json!({ "type": "missing", "loc": ["body"], "msg": "Field required", "input": null });
        assert_eq!(fault(b" null "), missing);
        for body in ["[\"secret\"]", "\"secret\"", "5", "true", &"9".repeat(60_000)] {
            let told = fault(body.as_bytes());
            assert_eq!((&told["type"], &told["input"]), (&json!("model_attributes_type"), &Value::Null));
        }
    }

    #[test]
    fn depth_without_end_is_no_matter_where_nothing_is_built() {
        let deep =
            |open: &str, close: &str| format!("{{\"z\":{}1{}}}", open.repeat(30_000), close.repeat(30_000));
        for body in [deep("[", "]"), deep("{\"\":", "}")] {
            assert!(read(body.as_bytes(), &KNOWN, false).is_ok());
        }
        assert_eq!(fault(format!("{{\"a\":{}", "[".repeat(60_000)).as_bytes())["type"], "json_invalid");
    }
}
