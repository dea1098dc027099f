use serde_json::{Map, Value};

use super::shown::Inputs;
use super::{Fault, Faulty, Problem};

/// The fields of a body, read in the order in which their faults are to be told.
///
/// Each reader answers [`Faulty`] where it found a fault; [`faults`](Self::faults) then has them all.
pub(crate) struct BodyFields<'a> {
    object: &'a Map<String, Value>,
    inputs: Inputs,
    faults: Vec<Fault>,
}

impl<'a> BodyFields<'a> {
    pub(crate) fn new(object: &'a Map<String, Value>) -> Self {
        Self { object, inputs: Inputs::new(), faults: Vec::new() }
    }

    /// A text that has to be there.
    pub(crate) fn text<T, P: Into<Problem>>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&'a str) -> Result<T, P>,
    ) -> Result<T, Faulty> {
        let value = self.required(field)?;
        self.parsed(field, value, parse)
    }

    /// A text that may be left out, or be `null`.
    pub(crate) fn optional_text<T, P: Into<Problem>>(
        &mut self,
        field: &'static str,
        parse: impl FnOnce(&'a str) -> Result<T, P>,
    ) -> Result<Option<T>, Faulty> {
        match self.object.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => self.parsed(field, value, parse).map(Some),
        }
    }

    /// A list of at most `max` texts that has to be there.
    pub(crate) fn texts(&mut self, field: &'static str, max: usize) -> Result<Vec<&'a str>, Faulty> {
        let value = self.required(field)?;
        let Value::Array(items) = value else {
            return self.fault(field, Problem::not_a_list(), value);
        };
        if items.len() > max {
            return self.fault(field, Problem::list_too_long(max, items.len()), value);
        }
        let faults_before = self.faults.len();
        let mut texts = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            match item {
                Value::String(text) => texts.push(text.as_str()),
                other => {
                    let fault = Fault::new("body", Problem::not_a_string(), self.inputs.field(field, other));
                    self.faults.push(fault.at(field).at_index(index));
                }
            }
        }
        if self.faults.len() == faults_before { Ok(texts) } else { Err(Faulty) }
    }

    /// The whole body breaks a rule.
    pub(crate) fn break_rule(&mut self, why: &str) {
        let input = self.inputs.object(self.object);
        self.faults.push(Fault::new("body", Problem::rule(why), input));
    }

    /// All that was found.
    pub(crate) fn faults(self) -> Vec<Fault> {
        self.faults
    }

    fn required(&mut self, field: &'static str) -> Result<&'a Value, Faulty> {
        self.object.get(field).ok_or_else(|| {
            let input = self.inputs.object(self.object);
            self.faults.push(Fault::new("body", Problem::missing(), input).at(field));
            Faulty
        })
    }

    fn parsed<T, P: Into<Problem>>(
        &mut self,
        field: &'static str,
        value: &'a Value,
        parse: impl FnOnce(&'a str) -> Result<T, P>,
    ) -> Result<T, Faulty> {
        let Value::String(text) = value else {
            return self.fault(field, Problem::not_a_string(), value);
        };
        match parse(text) {
            Ok(parsed) => Ok(parsed),
            Err(problem) => self.fault(field, problem.into(), value),
        }
    }

    fn fault<T>(&mut self, field: &'static str, problem: Problem, value: &Value) -> Result<T, Faulty> {
        let input = self.inputs.field(field, value);
        self.faults.push(Fault::new("body", problem, input).at(field));
        Err(Faulty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use roster_domain::values::{Email, Password, Username};
    use serde_json::json;

    /// The faults of a sign-up's fields.
    fn sign_up_faults(body: &Value) -> Value {
        let mut fields = BodyFields::new(body.as_object().unwrap());
        let _email = fields.text("email", Email::parse);
        let _username = fields.text("username", Username::parse);
        let _password = fields.text("password", |text| Password::parse(text.to_owned()));
        serde_json::to_value(fields.faults()).unwrap()
    }

    #[test]
    fn every_missing_field_is_told_in_order() {
        let missing = |field| json!({ "type": "missing", "loc": ["body", field], "msg": "Field required", "input": {} });
        assert_eq!(
            sign_up_faults(&json!({})),
            json!([missing("email"), missing("username"), missing("password")])
        );
    }

    #[test]
    fn what_is_no_string_is_told_with_what_was_sent() {
        let body = json!({ "email": 5, "username": null, "password": { "$ne": "" } });
        let fault = |field, input| {
            json!({
                "type": "string_type", "loc": ["body", field], "msg": "Input should be a valid string",
                "input": input,
            })
        };
        assert_eq!(
            sign_up_faults(&body),
            json!([
                fault("email", json!(5)),
                fault("username", Value::Null),
                fault("password", json!("**********"))
            ])
        );
    }

    #[test]
    fn an_email_is_refused_with_its_reason() {
        let body = json!({ "email": "nobody", "username": "a", "password": "b" });
        assert_eq!(
            sign_up_faults(&body),
            json!([{
                "type": "value_error", "loc": ["body", "email"], "input": "nobody",
                "msg": "value is not a valid email address: An email address must have an @-sign.",
                "ctx": { "reason": "An email address must have an @-sign." },
            }])
        );
    }

    #[test]
    fn lengths_are_told_with_their_bounds_and_the_password_is_masked() {
        let body = json!({ "email": "a@b.com", "username": "x".repeat(65), "password": "" });
        let name = "x".repeat(65);
        assert_eq!(
            sign_up_faults(&body),
            json!([
                { "type": "string_too_long", "loc": ["body", "username"], "input": name,
                  "msg": "String should have at most 64 characters", "ctx": { "max_length": 64 } },
                { "type": "string_too_short", "loc": ["body", "password"], "input": "**********",
                  "msg": "String should have at least 1 character", "ctx": { "min_length": 1 } },
            ])
        );
    }

    #[test]
    fn control_characters_are_a_broken_rule() {
        let faults = sign_up_faults(&json!({ "email": "a@b.com", "username": "a\u{7}", "password": "b" }));
        assert_eq!(
            faults,
            json!([{
                "type": "value_error", "loc": ["body", "username"], "input": "a\u{7}",
                "msg": "Value error, must not contain control characters", "ctx": { "error": {} },
            }])
        );
    }

    #[test]
    fn secrets_are_masked_wherever_an_input_holds_them() {
        let body = json!({ "password": "hunter2", "email": { "x": [{ "refresh_token": ["hunter2"] }] } });
        let faults = sign_up_faults(&body);
        assert!(!faults.to_string().contains("hunter2"), "{faults}");
        assert_eq!(faults[0]["input"], json!({ "x": [{ "refresh_token": "**********" }] }));
        assert_eq!(faults[1]["input"]["password"], "**********");
    }

    #[test]
    fn null_is_a_field_not_given_where_it_is_optional() {
        let body = json!({ "username": null });
        let mut fields = BodyFields::new(body.as_object().unwrap());
        assert_eq!(fields.optional_text("username", Username::parse), Ok(None));
        assert_eq!(fields.optional_text("email", Email::parse), Ok(None));
        assert_eq!(fields.faults(), []);
    }

    /// The faults of a list of at most 2 texts.
    fn list_faults(body: &Value) -> Value {
        let mut fields = BodyFields::new(body.as_object().unwrap());
        assert_eq!(fields.texts("ids", 2), Err(Faulty));
        serde_json::to_value(fields.faults()).unwrap()
    }

    #[test]
    fn what_is_no_list_is_told() {
        assert_eq!(
            list_faults(&json!({ "ids": "a" })),
            json!([{ "type": "list_type", "loc": ["body", "ids"], "msg": "Input should be a valid list", "input": "a" }])
        );
    }

    #[test]
    fn every_item_that_is_no_string_is_told_with_its_index() {
        let faults = list_faults(&json!({ "ids": [5, {}] }));
        assert_eq!((&faults[0]["loc"], &faults[0]["input"]), (&json!(["body", "ids", 0]), &json!(5)));
        assert_eq!(
            (&faults[1]["loc"], &faults[1]["type"]),
            (&json!(["body", "ids", 1]), &json!("string_type"))
        );
    }

    #[test]
    fn a_list_that_is_too_long_is_one_fault() {
        assert_eq!(
            list_faults(&json!({ "ids": [1, 2, 3] })),
            json!([{
                "type": "too_long", "loc": ["body", "ids"], "input": [1, 2, 3],
                "msg": "List should have at most 2 items after validation, not 3",
                "ctx": { "field_type": "List", "max_length": 2, "actual_length": 3 },
            }])
        );
    }
}
