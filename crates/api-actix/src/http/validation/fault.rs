use std::borrow::Cow;

use roster_domain::values::{EmailError, TextError};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// One thing that is wrong with a request, and where.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Fault {
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
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(untagged)]
enum Loc {
    /// A part of the request, or a field.
    Name(&'static str),
    /// An item of a list, or a character of a text.
    Index(usize),
}

impl Fault {
    /// That problem in that part of the request.
    pub(crate) fn new(part: &'static str, problem: Problem, input: Value) -> Self {
        let Problem { kind, msg, ctx } = problem;
        Self { kind, loc: vec![Loc::Name(part)], msg, input, ctx }
    }

    /// The same in that field of the part.
    pub(crate) fn at(mut self, field: &'static str) -> Self {
        self.loc.push(Loc::Name(field));
        self
    }

    /// The same at that item of the field, or at that character of the part.
    pub(super) fn at_index(mut self, index: usize) -> Self {
        self.loc.push(Loc::Index(index));
        self
    }
}

/// A value that can't be had, because of a fault that was noted.
#[derive(Debug, PartialEq)]
pub(crate) struct Faulty;

/// What is wrong with a value, wherever it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    kind: &'static str,
    msg: Cow<'static, str>,
    ctx: Option<Value>,
}

impl Problem {
    fn plain(kind: &'static str, msg: &'static str) -> Self {
        Self { kind, msg: Cow::Borrowed(msg), ctx: None }
    }

    /// Nothing was sent.
    pub(crate) fn missing() -> Self {
        Self::plain("missing", "Field required")
    }

    pub(super) fn not_an_object() -> Self {
        let msg = "Input should be a valid dictionary or object to extract fields from";
        Self::plain("model_attributes_type", msg)
    }

    pub(super) fn not_a_string() -> Self {
        Self::plain("string_type", "Input should be a valid string")
    }

    pub(super) fn not_a_list() -> Self {
        Self::plain("list_type", "Input should be a valid list")
    }

    pub(super) fn not_an_integer() -> Self {
        let msg = "Input should be a valid integer, unable to parse string as an integer";
        Self::plain("int_parsing", msg)
    }

    pub(super) fn not_json(why: &str) -> Self {
        let ctx = Some(json!({ "error": why }));
        Self { kind: "json_invalid", msg: Cow::Borrowed("JSON decode error"), ctx }
    }

    pub(super) fn less_than(min: i64) -> Self {
        Self {
            kind: "greater_than_equal",
            msg: format!("Input should be greater than or equal to {min}").into(),
            ctx: Some(json!({ "ge": min })),
        }
    }

    pub(super) fn greater_than(max: i64) -> Self {
        Self {
            kind: "less_than_equal",
            msg: format!("Input should be less than or equal to {max}").into(),
            ctx: Some(json!({ "le": max })),
        }
    }

    pub(super) fn list_too_long(max: usize, length: usize) -> Self {
        Self {
            kind: "too_long",
            msg: format!("List should have at most {max} items after validation, not {length}").into(),
            ctx: Some(json!({ "field_type": "List", "max_length": max, "actual_length": length })),
        }
    }

    /// A rule that is not of one of the kinds above.
    pub(crate) fn rule(why: &str) -> Self {
        Self {
            kind: "value_error",
            msg: format!("Value error, {why}").into(),
            ctx: Some(json!({ "error": {} })),
        }
    }
}

impl From<TextError> for Problem {
    fn from(error: TextError) -> Self {
        match error {
            TextError::TooShort { min } => Self {
                kind: "string_too_short",
                msg: format!("String should have at least {}", characters(min)).into(),
                ctx: Some(json!({ "min_length": min })),
            },
            TextError::TooLong { max } => Self {
                kind: "string_too_long",
                msg: format!("String should have at most {}", characters(max)).into(),
                ctx: Some(json!({ "max_length": max })),
            },
            TextError::ControlCharacter | TextError::Unseen { .. } => Self::rule(&error.to_string()),
        }
    }
}

impl From<EmailError> for Problem {
    fn from(error: EmailError) -> Self {
        let reason = error.to_string();
        Self {
            kind: "value_error",
            msg: format!("value is not a valid email address: {reason}").into(),
            ctx: Some(json!({ "reason": reason })),
        }
    }
}

fn characters(count: usize) -> String {
    if count == 1 { "1 character".to_owned() } else { format!("{count} characters") }
}
