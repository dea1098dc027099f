use std::borrow::Cow;

use roster_domain::values::{PageNumber, PageRequest, PerPage};
use serde_json::Value;

use super::shown::Inputs;
use super::{Fault, Faulty, Problem};

/// How many items a page holds where the client does not say.
const DEFAULT_PER_PAGE: i64 = 10;

/// The parameters of a query, read in the order in which their faults are to be told.
///
/// Of several with one name the last counts; what is no UTF-8 is read with replacement characters. Each reader answers
/// [`Faulty`] where it found a fault; [`faults`](Self::faults) then has them all.
pub(crate) struct QueryFields<'a> {
    query: &'a str,
    inputs: Inputs,
    faults: Vec<Fault>,
}

impl<'a> QueryFields<'a> {
    pub(crate) fn new(query: &'a str) -> Self {
        Self { query, inputs: Inputs::new(), faults: Vec::new() }
    }

    /// A text that has to be there.
    pub(crate) fn text<T, P: Into<Problem>>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&str) -> Result<T, P>,
    ) -> Result<T, Faulty> {
        let Some(text) = self.value(field) else {
            self.faults.push(Fault::new("query", Problem::missing(), Value::Null).at(field));
            return Err(Faulty);
        };
        parse(&text).map_err(|problem| self.fault(field, problem.into(), &text))
    }

    /// A text that may be left out.
    pub(crate) fn optional_text<T, P: Into<Problem>>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&str) -> Result<Option<T>, P>,
    ) -> Result<Option<T>, Faulty> {
        let Some(text) = self.value(field) else { return Ok(None) };
        parse(&text).map_err(|problem| self.fault(field, problem.into(), &text))
    }

    /// `page` and `per_page`, the latter at most `MAX`.
    pub(crate) fn page<const MAX: u64>(&mut self) -> Result<PageRequest, Faulty> {
        let number = self.integer("page", 1, i64::MAX);
        let per_page = self.integer("per_page", DEFAULT_PER_PAGE, i64::try_from(MAX).unwrap_or(i64::MAX));
        let number = PageNumber::new(number?.unsigned_abs()).ok_or(Faulty)?;
        let per_page = PerPage::<MAX>::new(per_page?.unsigned_abs()).ok_or(Faulty)?;
        Ok(PageRequest::new(number, per_page))
    }

    /// All that was found.
    pub(crate) fn faults(self) -> Vec<Fault> {
        self.faults
    }

    /// An integer from 1 to `max`.
    fn integer(&mut self, field: &'static str, default: i64, max: i64) -> Result<i64, Faulty> {
        let Some(text) = self.value(field) else { return Ok(default) };
        let problem = match parse_integer(&text) {
            None => Problem::not_an_integer(),
            Some(number) if number < 1 => Problem::less_than(1),
            Some(number) if number > max => Problem::greater_than(max),
            Some(number) => return Ok(number),
        };
        Err(self.fault(field, problem, &text))
    }

    fn value(&self, field: &str) -> Option<Cow<'a, str>> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .filter(|(name, _)| name == field)
            .map(|(_, value)| value)
            .last()
    }

    fn fault(&mut self, field: &'static str, problem: Problem, text: &str) -> Faulty {
        let input = self.inputs.text(text);
        self.faults.push(Fault::new("query", problem, input).at(field));
        Faulty
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use roster_domain::values::{Reason, SearchTerm};
    use serde_json::json;

    /// Offset and limit of the page that a query asks for, or its faults.
    fn page(query: &str) -> Result<(u64, u64), Value> {
        let mut fields = QueryFields::new(query);
        let page = fields.page::<30>().map(|page| (page.offset(), page.limit()));
        page.map_err(|_| serde_json::to_value(fields.faults()).unwrap())
    }

    #[rstest::rstest]
    #[case("", (0, 10))]
    #[case("page=3&per_page=30", (60, 30))]
    #[case("page=1&page=2", (10, 10))]
    #[case("page=%2B2", (10, 10))]
    #[case("page=+2+", (10, 10))]
    #[case("page=02.0&per_page=1_0", (10, 10))]
    #[case("page=99999999999999999999999999&per_page=1", (i64::MAX.unsigned_abs() - 1, 1))]
    fn a_page_is_read_as_leniently_as_clients_know_it(#[case] query: &str, #[case] expected: (u64, u64)) {
        assert_eq!(page(query), Ok(expected));
    }

    #[test]
    fn both_faults_of_a_page_are_told() {
        assert_eq!(
            page("page=0&per_page=31"),
            Err(json!([
                { "type": "greater_than_equal", "loc": ["query", "page"], "input": "0",
                  "msg": "Input should be greater than or equal to 1", "ctx": { "ge": 1 } },
                { "type": "less_than_equal", "loc": ["query", "per_page"], "input": "31",
                  "msg": "Input should be less than or equal to 30", "ctx": { "le": 30 } },
            ]))
        );
    }

    #[rstest::rstest]
    #[case("abc")]
    #[case("")]
    #[case("1.5")]
    #[case("1__0")]
    #[case("_1")]
    #[case("1e3")]
    #[case("--1")]
    #[case("١")]
    fn what_is_no_integer_is_told(#[case] text: &str) {
        assert_eq!(
            page(&format!("page={text}")),
            Err(json!([{
                "type": "int_parsing", "loc": ["query", "page"], "input": text,
                "msg": "Input should be a valid integer, unable to parse string as an integer",
            }]))
        );
    }

    #[test]
    fn a_reason_that_is_left_out_is_missing_and_an_empty_one_too_short() {
        let faults = |query| {
            let mut fields = QueryFields::new(query);
            assert_eq!(fields.text("reason", Reason::parse), Err(Faulty));
            serde_json::to_value(fields.faults()).unwrap()
        };
        assert_eq!(
            faults("other=1"),
            json!([{ "type": "missing", "loc": ["query", "reason"], "msg": "Field required", "input": null }])
        );
        assert_eq!(
            faults("reason="),
            json!([{
                "type": "string_too_short", "loc": ["query", "reason"], "input": "",
                "msg": "String should have at least 1 character", "ctx": { "min_length": 1 },
            }])
        );
    }

    proptest! {
        #[test]
        fn no_query_is_too_broken_to_be_read(query in "[ -~]{0,60}") {
            let mut fields = QueryFields::new(&query);
            let _page = fields.page::<30>();
            let _search = fields.optional_text("q", SearchTerm::parse);
            prop_assert!(fields.faults().len() <= 3);
        }
    }
}
