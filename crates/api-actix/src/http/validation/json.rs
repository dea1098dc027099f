use serde_json::{Map, Value, json};

use super::{Fault, Problem};

/// Reads a body as a JSON object. `is_json` is what the request's `Content-Type` says.
pub(crate) fn read_object(body: &[u8], is_json: bool) -> Result<Map<String, Value>, Vec<Fault>> {
    if body.is_empty() {
        return Err(missing());
    }
    if !is_json {
        return Err(no_object());
    }
    let text = str::from_utf8(body).map_err(|error| {
        let valid = String::from_utf8_lossy(&body[..error.valid_up_to()]);
        broken(valid.chars().count(), "Invalid UTF-8")
    })?;
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(Value::Null) => Err(missing()),
        Ok(_) => Err(no_object()),
        Err(error) => Err(broken(position(text, &error), &reason(&error))),
    }
}

fn missing() -> Vec<Fault> {
    vec![Fault::new("body", Problem::missing(), Value::Null)]
}

/// What is no object is not shown: it may be anything, a secret included.
fn no_object() -> Vec<Fault> {
    vec![Fault::new("body", Problem::not_an_object(), Value::Null)]
}

fn broken(position: usize, why: &str) -> Vec<Fault> {
    vec![Fault::new("body", Problem::not_json(why), json!({})).at_index(position)]
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

    /// The one fault of a body.
    fn fault(body: &[u8], is_json: bool) -> Value {
        let faults = read_object(body, is_json).unwrap_err();
        assert_eq!(faults.len(), 1);
        serde_json::to_value(&faults[0]).unwrap()
    }

    #[rstest::rstest]
    #[case(r#"{"a": }"#, 6, "Expecting value")]
    #[case(r#"{"a": 1,}"#, 8, "trailing comma")]
    #[case(r#"{"a" 1}"#, 5, "Expecting ':' delimiter")]
    #[case(r#"{"é": é}"#, 6, "Expecting value")]
    #[case("{\n\"a\": x}", 7, "Expecting value")]
    #[case("{} {}", 3, "Extra data")]
    #[case("{'a': 1}", 1, "Expecting property name enclosed in double quotes")]
    #[case("  ", 2, "Expecting value")]
    #[case("{\"a\": 1", 7, "EOF while parsing an object")]
    fn broken_json_is_one_fault_at_the_character(#[case] body: &str, #[case] at: usize, #[case] why: &str) {
        let expected = json!({
            "type": "json_invalid", "loc": ["body", at], "msg": "JSON decode error", "input": {},
            "ctx": { "error": why },
        });
        assert_eq!(fault(body.as_bytes(), true), expected);
    }

    #[test]
    fn bytes_that_are_no_utf8_are_broken_json() {
        let fault = fault(b"{\"a\": \"\xff\"}", true);
        assert_eq!((&fault["type"], &fault["loc"]), (&json!("json_invalid"), &json!(["body", 7])));
    }

    #[test]
    fn a_body_nested_too_deeply_is_broken_json() {
        let bomb = format!("{{\"a\":{}", "[".repeat(500_000));
        assert_eq!(fault(bomb.as_bytes(), true)["type"], "json_invalid");
    }

    #[rstest::rstest]
    #[case("")]
    #[case("null")]
    fn no_body_is_missing(#[case] body: &str) {
        let expected = json!({ "type": "missing", "loc": ["body"], "msg": "Field required", "input": null });
        assert_eq!(fault(body.as_bytes(), true), expected);
    }

    #[rstest::rstest]
    #[case("[\"secret\"]", true)]
    #[case("\"secret\"", true)]
    #[case("5", true)]
    #[case("{\"password\": \"secret\"}", false)]
    fn what_is_no_json_object_is_told_without_its_text(#[case] body: &str, #[case] is_json: bool) {
        let expected = json!({
            "type": "model_attributes_type", "loc": ["body"], "input": null,
            "msg": "Input should be a valid dictionary or object to extract fields from",
        });
        assert_eq!(fault(body.as_bytes(), is_json), expected);
    }
}
