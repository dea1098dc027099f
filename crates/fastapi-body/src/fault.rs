use std::borrow::Cow;
use std::io;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// The most bytes, as JSON, of all faults of an answer. Small items of a list make many: a client that doesn't read its answer
/// would have us hold more than it sent.
const MOST_IN_ALL: usize = 64 * 1024;

/// One thing that is wrong with a request, and where.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Fault {
    /// The kind of fault, for programs.
    #[serde(rename = "type")]
    kind: &'static str,
    /// Where it is: `body`, `query` or `path`, then the field, then its item.
    loc: Vec<Loc>,
    /// The kind of fault, for people.
    msg: Cow<'static, str>,
    /// What was sent; secrets are masked, and what is too large is `null`.
    #[schema(value_type = Value)]
    input: Value,
    /// What the message speaks of.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    ctx: Option<Value>,
}

/// A step on the way to a fault.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(untagged)]
enum Loc {
    /// A part of the request, or a field.
    Name(Cow<'static, str>),
    /// An item of a list, or a character of a text.
    Index(usize),
}

impl Fault {
    /// That problem in that part of the request. Its `input` is `null`.
    #[must_use]
    pub fn new(part: &'static str, problem: Problem) -> Self {
        let Problem { kind, msg, ctx } = problem;
        Self { kind, loc: vec![Loc::Name(Cow::Borrowed(part))], msg, input: Value::Null, ctx }
    }

    /// The same in that field of the part.
    #[must_use]
    pub fn at(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.loc.push(Loc::Name(field.into()));
        self
    }

    /// The same at that item of the field, or at that character of the part.
    pub(crate) fn at_index(mut self, index: usize) -> Self {
        self.loc.push(Loc::Index(index));
        self
    }

    /// The same with what was sent.
    pub(crate) fn showing(mut self, input: Value) -> Self {
        self.input = input;
        self
    }
}

/// A value that can't be had, because of a fault that was noted.
#[derive(Debug, PartialEq, Eq)]
pub struct Faulty;

/// The faults of a request, of which an answer tells as many as fit.
#[derive(Debug)]
pub(crate) struct Faults {
    list: Vec<Fault>,
    left: Measure,
    is_full: bool,
}

impl Faults {
    pub(crate) const fn new() -> Self {
        Self { list: Vec::new(), left: Measure(MOST_IN_ALL), is_full: false }
    }

    /// Adds a fault. None is told after one that did not fit.
    pub(crate) fn push(&mut self, fault: Fault) {
        self.is_full = self.is_full || serde_json::to_writer(&mut self.left, &fault).is_err();
        if !self.is_full {
            self.list.push(fault);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(crate) fn into_list(self) -> Vec<Fault> {
        self.list
    }
}

/// Counts what is written to it, and refuses what is too much.
#[derive(Debug)]
struct Measure(usize);

impl io::Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is wrong with a value, wherever it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    kind: &'static str,
    msg: Cow<'static, str>,
    ctx: Option<Value>,
}

impl Problem {
    fn plain(kind: &'static str, msg: &'static str) -> Self {
        Self { kind, msg: Cow::Borrowed(msg), ctx: None }
    }

    fn with(kind: &'static str, msg: String, ctx: Value) -> Self {
        Self { kind, msg: Cow::Owned(msg), ctx: Some(ctx) }
    }

    /// Nothing was sent.
    #[must_use]
    pub fn missing() -> Self {
        Self::plain("missing", "Field required")
    }

    /// Fewer characters than `min`.
    #[must_use]
    pub fn too_short(min: usize) -> Self {
        let msg = format!("String should have at least {}", characters(min));
        Self::with("string_too_short", msg, json!({ "min_length": min }))
    }

    /// More characters than `max`.
    #[must_use]
    pub fn too_long(max: usize) -> Self {
        let msg = format!("String should have at most {}", characters(max));
        Self::with("string_too_long", msg, json!({ "max_length": max }))
    }

    /// Not an address of email, for that reason, which is a sentence.
    #[must_use]
    pub fn not_an_email(reason: &str) -> Self {
        let msg = format!("value is not a valid email address: {reason}");
        Self::with("value_error", msg, json!({ "reason": reason }))
    }

    /// A rule is broken that is not of one of the other kinds.
    #[must_use]
    pub fn rule(why: &str) -> Self {
        Self::with("value_error", format!("Value error, {why}"), json!({ "error": {} }))
    }

    pub(crate) fn extra() -> Self {
        Self::plain("extra_forbidden", "Extra inputs are not permitted")
    }

    pub(crate) fn not_an_object() -> Self {
        let msg = "Input should be a valid dictionary or object to extract fields from";
        Self::plain("model_attributes_type", msg)
    }

    pub(crate) fn not_a_string() -> Self {
        Self::plain("string_type", "Input should be a valid string")
    }

    pub(crate) fn not_unicode() -> Self {
        let msg = "Input should be a valid string, unable to parse raw data as a unicode string";
        Self::plain("string_unicode", msg)
    }

    pub(crate) fn not_a_list() -> Self {
        Self::plain("list_type", "Input should be a valid list")
    }

    pub(crate) fn not_an_integer() -> Self {
        Self::plain("int_type", "Input should be a valid integer")
    }

    pub(crate) fn no_integer_in_text() -> Self {
        let msg = "Input should be a valid integer, unable to parse string as an integer";
        Self::plain("int_parsing", msg)
    }

    pub(crate) fn fraction() -> Self {
        let msg = "Input should be a valid integer, got a number with a fractional part";
        Self::plain("int_from_float", msg)
    }

    pub(crate) fn not_json(why: &str) -> Self {
        Self::with("json_invalid", "JSON decode error".to_owned(), json!({ "error": why }))
    }

    pub(crate) fn less_than(min: i64) -> Self {
        let msg = format!("Input should be greater than or equal to {min}");
        Self::with("greater_than_equal", msg, json!({ "ge": min }))
    }

    pub(crate) fn greater_than(max: i64) -> Self {
        let msg = format!("Input should be less than or equal to {max}");
        Self::with("less_than_equal", msg, json!({ "le": max }))
    }

    pub(crate) fn list_too_long(max: usize, length: usize) -> Self {
        let msg = format!("List should have at most {max} items after validation, not {length}");
        Self::with(
            "too_long",
            msg,
            json!({ "field_type": "List", "max_length": max, "actual_length": length }),
        )
    }
}

fn characters(count: usize) -> String {
    if count == 1 { "1 character".to_owned() } else { format!("{count} characters") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_the_first_faults_and_no_more_than_fit() {
        let mut faults = Faults::new();
        for index in 0..1000 {
            faults.push(Fault::new("body", Problem::not_a_string()).at("ids").at_index(index));
        }
        let told = faults.into_list();
        let length = serde_json::to_string(&told).unwrap().len();
        assert!((MOST_IN_ALL - 1024..=MOST_IN_ALL + 1024).contains(&length), "{length}");
        let last = serde_json::to_value(told.last().unwrap()).unwrap();
        assert_eq!(last["loc"], json!(["body", "ids", told.len() - 1]));
    }

    #[test]
    fn nothing_is_told_after_a_fault_that_did_not_fit() {
        let mut faults = Faults::new();
        faults.push(Fault::new("body", Problem::rule(&"x".repeat(MOST_IN_ALL))));
        faults.push(Fault::new("body", Problem::missing()));
        assert!(faults.is_empty());
    }
}
