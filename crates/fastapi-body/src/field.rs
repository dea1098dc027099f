//! The kinds of fields.

use std::fmt;

use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};

use crate::fault::{Faulty, Problem};
use crate::form::{Field, Place};
use crate::json;
use crate::sent::Sent;

/// A text, of which a function makes a value.
pub struct Text<T> {
    parse: fn(&str) -> Result<T, Problem>,
    format: Option<&'static str>,
    min: Option<usize>,
    max: Option<usize>,
    pattern: Option<&'static str>,
    example: Option<&'static str>,
    is_secret: bool,
}

impl<T> Text<T> {
    /// A text that this function reads.
    pub const fn new(parse: fn(&str) -> Result<T, Problem>) -> Self {
        Self { parse, format: None, min: None, max: None, pattern: None, example: None, is_secret: false }
    }

    /// No fault ever shows it.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    /// The document says that it has this format.
    #[must_use]
    pub const fn format(mut self, format: &'static str) -> Self {
        self.format = Some(format);
        self
    }

    /// The document says that it has so many characters.
    #[must_use]
    pub const fn length(mut self, min: usize, max: usize) -> Self {
        if min > 0 {
            self.min = Some(min);
        }
        self.max = Some(max);
        self
    }

    /// The document shows this one.
    #[must_use]
    pub const fn example(mut self, example: &'static str) -> Self {
        self.example = Some(example);
        self
    }

    /// The document says that it matches this regular expression.
    #[must_use]
    pub const fn pattern(mut self, pattern: &'static str) -> Self {
        self.pattern = Some(pattern);
        self
    }
}

impl<T> fmt::Debug for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Text").field("is_secret", &self.is_secret).finish_non_exhaustive()
    }
}

impl<T> Field for Text<T> {
    type Value = T;

    fn read(&self, place: &mut Place<'_, '_>) -> Result<T, Faulty> {
        let parsed = match place.required()? {
            Sent::Text(text) => (self.parse)(text),
            Sent::Json(json) => json::text(json).and_then(|text| (self.parse)(&text)),
        };
        parsed.map_err(|problem| place.refuse(problem))
    }

    fn schema(&self) -> Schema {
        let format = self.format.map(|format| SchemaFormat::Custom(format.to_owned()));
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(format)
            .min_length(self.min)
            .max_length(self.max)
            .pattern(self.pattern)
            .examples(self.example)
            .into()
    }

    fn is_secret(&self) -> bool {
        self.is_secret
    }
}

/// A field that may be left out. See [`optional`].
#[derive(Debug)]
pub struct Optional<F>(F);

/// A field that may be left out, or be `null` in a body.
pub const fn optional<F: Field>(field: F) -> Optional<F> {
    Optional(field)
}

impl<F: Field> Field for Optional<F> {
    type Value = Option<F::Value>;

    fn read(&self, place: &mut Place<'_, '_>) -> Result<Self::Value, Faulty> {
        match place.value() {
            None => Ok(None),
            Some(Sent::Json(json)) if *json == "null" => Ok(None),
            Some(_) => self.0.read(place).map(Some),
        }
    }

    fn schema(&self) -> Schema {
        let mut schema = self.0.schema();
        let schema_type = match &mut schema {
            Schema::Object(object) => &mut object.schema_type,
            Schema::Array(array) => &mut array.schema_type,
            _ => return schema,
        };
        if let SchemaType::Type(of) = schema_type {
            *schema_type = SchemaType::from_iter([of.clone(), Type::Null]);
        }
        schema
    }

    fn parameter_schema(&self) -> Schema {
        self.0.parameter_schema()
    }

    fn is_required(&self) -> bool {
        false
    }

    fn is_secret(&self) -> bool {
        self.0.is_secret()
    }
}

/// A list, in a body. See [`list`].
#[derive(Debug)]
pub struct List<F> {
    item: F,
    max: usize,
    min_told: Option<usize>,
}

/// A list of at most `max` items.
pub const fn list<F: Field>(item: F, max: usize) -> List<F> {
    List { item, max, min_told: None }
}

impl<F> List<F> {
    /// The document says that there are at least so many items.
    #[must_use]
    pub const fn at_least(mut self, min: usize) -> Self {
        self.min_told = Some(min);
        self
    }
}

impl<F: Field> Field for List<F> {
    type Value = Vec<F::Value>;

    fn read(&self, place: &mut Place<'_, '_>) -> Result<Self::Value, Faulty> {
        let items = match place.required()? {
            Sent::Json(json) => json::items(json),
            Sent::Text(_) => Err(Problem::not_a_list()),
        };
        let items = items.map_err(|problem| place.refuse(problem))?;
        if items.len() > self.max {
            return Err(place.refuse(Problem::list_too_long(self.max, items.len())));
        }
        let mut values = Vec::with_capacity(items.len());
        let mut faulty = None;
        for (index, item) in items.into_iter().enumerate() {
            match self.item.read(&mut place.item(index, &Sent::Json(item))) {
                Ok(value) => values.push(value),
                Err(fault) => faulty = Some(fault),
            }
        }
        faulty.map_or(Ok(values), Err)
    }

    fn schema(&self) -> Schema {
        ArrayBuilder::new()
            .items(RefOr::T(self.item.schema()))
            .min_items(self.min_told)
            .max_items(Some(self.max))
            .into()
    }

    fn is_secret(&self) -> bool {
        self.item.is_secret()
    }
}

/// An integer within bounds, of which a function makes a value.
pub struct Integer<T> {
    make: fn(i64) -> Option<T>,
    min: i64,
    max: i64,
    default: Option<i64>,
}

impl<T> Integer<T> {
    /// An integer from `min` to `max`. The function takes each of them.
    pub const fn new(min: i64, max: i64, make: fn(i64) -> Option<T>) -> Self {
        Self { make, min, max, default: None }
    }

    /// What it is where it is left out.
    #[must_use]
    pub const fn or(mut self, default: i64) -> Self {
        self.default = Some(default);
        self
    }

    fn checked(&self, number: i64) -> Result<T, Problem> {
        if number < self.min {
            return Err(Problem::less_than(self.min));
        }
        let made = if number > self.max { None } else { (self.make)(number) };
        made.ok_or_else(|| Problem::greater_than(self.max))
    }
}

impl<T> fmt::Debug for Integer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Integer").field("min", &self.min).field("max", &self.max).finish_non_exhaustive()
    }
}

impl<T> Field for Integer<T> {
    type Value = T;

    fn read(&self, place: &mut Place<'_, '_>) -> Result<T, Faulty> {
        let number = match (place.value(), self.default) {
            (None, Some(default)) => Ok(default),
            _ => match place.required()? {
                Sent::Text(text) => parse_integer(text).ok_or_else(Problem::no_integer_in_text),
                Sent::Json(json) => integer(json),
            },
        };
        number.and_then(|number| self.checked(number)).map_err(|problem| place.refuse(problem))
    }

    fn schema(&self) -> Schema {
        let max = (self.max < i64::MAX).then_some(self.max);
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(self.min))
            .maximum(max)
            .default(self.default.map(Into::into))
            .into()
    }

    fn is_required(&self) -> bool {
        self.default.is_none()
    }
}

/// The integer that a JSON value is. A text that is one will do, as it does for pydantic.
fn integer(value: &str) -> Result<i64, Problem> {
    match value.as_bytes() {
        [b'-' | b'0'..=b'9', ..] => parse_integer(value).ok_or_else(Problem::fraction),
        [b'"', ..] => parse_integer(&json::text(value)?).ok_or_else(Problem::no_integer_in_text),
        _ => Err(Problem::not_an_integer()),
    }
}

/// Reads an integer as pydantic does: around it white space, before it a sign, in it single underscores, after it a
/// fraction of zeros. One beyond all counting is as large, or as small, as can be counted.
fn parse_integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = match text.split_once('.') {
        Some((digits, fraction)) if fraction.bytes().all(|digit| digit == b'0') => digits,
        Some(_) => return None,
        None => text,
    };
    let mut number = 0_i64;
    for group in digits.split('_') {
        if group.is_empty() || !group.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        for digit in group.bytes() {
            number = number.saturating_mul(10).saturating_add(i64::from(digit - b'0'));
        }
    }
    Some(if negative { -number } else { number })
}
