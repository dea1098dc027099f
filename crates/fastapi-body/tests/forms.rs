//! Forms as endpoints declare them, read from bodies and queries.

#![expect(clippy::unwrap_used, reason = "what a test can't go on without, it stops for")]

use proptest::prelude::*;
use roster_fastapi_body::{Fault, Form, Integer, Problem, Text, form, list, optional, read_json, read_query};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, PartialSchema, ToSchema};

/// 1 to 5 characters.
const NAME: Text<String> = Text::new(short).length(1, 5);
const PASSWORD: Text<String> = Text::new(short).secret().format("password");
const COUNT: Integer<i64> = Integer::new(1, 30, Some).or(10);

fn short(text: &str) -> Result<String, Problem> {
    match text.chars().count() {
        0 => Err(Problem::too_short(1)),
        1..=5 => Ok(text.to_owned()),
        _ => Err(Problem::too_long(5)),
    }
}

form! {
    /// Somebody.
    ///
    /// With friends.
    #[derive(Debug, PartialEq)]
    struct Person {
        name: String = NAME,
        /// Not told to anybody.
        password: String = PASSWORD,
        nick: Option<String> = optional(NAME),
        friends: Option<Vec<String>> = optional(list(NAME, 2)),
    }
}

form! {
    /// What is looked for.
    #[derive(Debug, PartialEq)]
    struct Search {
        /// A piece of it
        q: Option<String> = optional(NAME),
        count: i64 = COUNT,
    }
    forbid extra;
    check |search| if search.q.as_deref() == Some("x") { Err("x is not found") } else { Ok(()) };
}

fn told<F>(result: Result<F, Vec<Fault>>) -> Result<F, Value> {
    result.map_err(|faults| serde_json::to_value(faults).unwrap())
}

fn person(body: &str) -> Result<Person, Value> {
    told(read_json(body.as_bytes(), true))
}

/// The faults of a body.
fn faults(body: &Value) -> Value {
    person(&body.to_string()).unwrap_err()
}

fn search(query: &str) -> Result<Search, Value> {
    told(read_query(query))
}

fn fault(kind: &str, loc: &Value, msg: &str, input: &Value) -> Value {
    json!({ "type": kind, "loc": loc, "msg": msg, "input": input })
}

#[test]
fn what_is_right_is_read_wherever_it_stands_and_the_last_of_several_counts() {
    let body = r#"{"z": {"name": 1}, "n\u0061me": "first", "password": 5, "name": "Ann", "password": "\u00e9",
                   "friends": ["Bob"], "nick": null, "deep": [[[{}]]]}"#;
    let expected = Person {
        name: "Ann".to_owned(),
        password: "é".to_owned(),
        nick: None,
        friends: Some(vec!["Bob".to_owned()]),
    };
    assert_eq!(person(body), Ok(expected));
}

#[test]
fn every_missing_field_is_told_in_order_with_the_object_it_is_missing_from() {
    let missing =
        |field: &str, input: &Value| fault("missing", &json!(["body", field]), "Field required", input);
    assert_eq!(faults(&json!({})), json!([missing("name", &json!({})), missing("password", &json!({}))]));
    let body =
        json!({ "Name": "x", "Password": "hunter2", "nick": "a", "friends": [{ "Password": "hunter2" }] });
    let input = json!({ "nick": "a", "friends": [{}] });
    assert_eq!(
        faults(&body),
        json!([
            missing("name", &input),
            missing("password", &input),
            fault(
                "string_type",
                &json!(["body", "friends", 0]),
                "Input should be a valid string",
                &json!({})
            ),
        ])
    );
}

#[test]
fn what_is_no_string_is_told_with_what_was_sent_and_a_secret_is_masked() {
    let told = |field: &str, input: Value| {
        fault("string_type", &json!(["body", field]), "Input should be a valid string", &input)
    };
    assert_eq!(
        faults(&json!({ "name": 5, "password": { "$ne": "" }, "nick": { "$ne": 1, "nick": [true] } })),
        json!([
            told("name", json!(5)),
            told("password", json!("**********")),
            told("nick", json!({ "nick": [true] })),
        ])
    );
}

#[test]
fn lengths_are_told_with_their_bounds() {
    assert_eq!(
        faults(&json!({ "name": "x".repeat(6), "password": "" })),
        json!([
            { "type": "string_too_long", "loc": ["body", "name"], "input": "xxxxxx",
              "msg": "String should have at most 5 characters", "ctx": { "max_length": 5 } },
            { "type": "string_too_short", "loc": ["body", "password"], "input": "**********",
              "msg": "String should have at least 1 character", "ctx": { "min_length": 1 } },
        ])
    );
}

#[test]
fn a_lone_surrogate_is_no_text() {
    let faults = person(r#"{"name": "\ud800", "password": "x", "z": "\ud800"}"#).unwrap_err();
    assert_eq!((&faults[0]["type"], &faults[0]["input"]), (&json!("string_unicode"), &Value::Null));
    assert_eq!(faults.as_array().unwrap().len(), 1);
}

#[test]
fn a_list_is_told_as_a_whole_or_item_by_item() {
    let of = |friends: Value| faults(&json!({ "name": "a", "password": "b", "friends": friends }));
    assert_eq!(
        of(json!("a")),
        json!([fault("list_type", &json!(["body", "friends"]), "Input should be a valid list", &json!("a"))])
    );
    assert_eq!(
        of(json!([1, 2, 3])),
        json!([{
            "type": "too_long", "loc": ["body", "friends"], "input": [1, 2, 3],
            "msg": "List should have at most 2 items after validation, not 3",
            "ctx": { "field_type": "List", "max_length": 2, "actual_length": 3 },
        }])
    );
    let faults = of(json!([5, ""]));
    assert_eq!(
        (&faults[0]["loc"], &faults[0]["type"]),
        (&json!(["body", "friends", 0]), &json!("string_type"))
    );
    assert_eq!(
        (&faults[1]["loc"], &faults[1]["type"]),
        (&json!(["body", "friends", 1]), &json!("string_too_short"))
    );
}

#[test]
fn no_body_is_missing_and_what_is_not_json_no_object() {
    assert_eq!(
        person("").unwrap_err(),
        json!([fault("missing", &json!(["body"]), "Field required", &Value::Null)])
    );
    let faults = told(read_json::<Person>(b"{}", false)).unwrap_err();
    assert_eq!((&faults[0]["type"], &faults[0]["input"]), (&json!("model_attributes_type"), &Value::Null));
}

#[test]
fn where_unknown_fields_are_forbidden_each_is_told_without_its_value() {
    let extra = |part, name| {
        fault("extra_forbidden", &json!([part, name]), "Extra inputs are not permitted", &Value::Null)
    };
    let faults = told(read_json::<Search>(br#"{"Password": "hunter2", "q": "", "b": [1], "b": 2}"#, true))
        .unwrap_err();
    assert_eq!(faults[0]["loc"], json!(["body", "q"]));
    assert_eq!(faults.as_array().unwrap()[1..], [extra("body", "Password"), extra("body", "b")]);
    assert_eq!(search("page=1").unwrap_err(), json!([extra("query", "page")]));
}

#[test]
fn a_check_of_the_whole_is_made_where_every_field_is_right() {
    let faults = told(read_json::<Search>(br#"{"q": "x"}"#, true)).unwrap_err();
    assert_eq!(
        faults,
        json!([{
            "type": "value_error", "loc": ["body"], "msg": "Value error, x is not found", "input": { "q": "x" },
            "ctx": { "error": {} },
        }])
    );
    let faults = search("q=x&count=0").unwrap_err();
    assert_eq!(faults.as_array().unwrap().len(), 1, "{faults}");
    assert_eq!(search("q=x").unwrap_err()[0]["input"], Value::Null);
}

#[test]
fn integers_in_a_query_are_read_as_leniently_as_clients_know_it() {
    for (query, expected) in [
        ("", 10),
        ("count=7", 7),
        ("count=1&count=2", 2),
        ("count=%2B2", 2),
        ("count=+2+", 2),
        ("count=02.0", 2),
        ("count=1_0", 10),
    ] {
        assert_eq!(search(query).map(|search| search.count), Ok(expected), "{query}");
    }
    for text in ["abc", "", "1.5", "1__0", "_1", "1e3", "--1", "١"] {
        let msg = "Input should be a valid integer, unable to parse string as an integer";
        let fault = fault("int_parsing", &json!(["query", "count"]), msg, &json!(text));
        assert_eq!(search(&format!("count={text}")), Err(json!([fault])));
    }
    assert_eq!(
        search("count=0").unwrap_err(),
        json!([{ "type": "greater_than_equal", "loc": ["query", "count"], "input": "0",
                 "msg": "Input should be greater than or equal to 1", "ctx": { "ge": 1 } }])
    );
    assert_eq!(
        search("count=99999999999999999999999999").unwrap_err(),
        json!([{ "type": "less_than_equal", "loc": ["query", "count"], "input": "99999999999999999999999999",
                 "msg": "Input should be less than or equal to 30", "ctx": { "le": 30 } }])
    );
}

#[test]
fn integers_in_a_body_are_numbers_or_texts() {
    let count = |value: &str| {
        let body = format!("{{\"count\": {value}}}");
        told(read_json::<Search>(body.as_bytes(), true))
            .map(|search| search.count)
            .map_err(|faults| faults[0]["type"].as_str().unwrap().to_owned())
    };
    assert_eq!((count("5"), count("5.0"), count("\" 5 \"")), (Ok(5), Ok(5), Ok(5)));
    for (value, kind) in [
        ("1.5", "int_from_float"),
        ("\"x\"", "int_parsing"),
        ("null", "int_type"),
        ("[1]", "int_type"),
        ("true", "int_type"),
        ("-1", "greater_than_equal"),
        ("31", "less_than_equal"),
    ] {
        assert_eq!(count(value), Err(kind.to_owned()), "{value}");
    }
    assert_eq!(count(&"9".repeat(60_000)), Err("less_than_equal".to_owned()));
}

#[test]
fn the_document_tells_what_is_read() {
    assert_eq!(Person::name(), "Person");
    assert_eq!(
        serde_json::to_value(Person::schema()).unwrap(),
        json!({
            "type": "object",
            "description": "Somebody.\n\nWith friends.",
            "required": ["name", "password"],
            "properties": {
                "name": { "type": "string", "minLength": 1, "maxLength": 5 },
                "password": { "type": "string", "format": "password", "description": "Not told to anybody." },
                "nick": { "type": ["string", "null"], "minLength": 1, "maxLength": 5 },
                "friends": {
                    "type": ["array", "null"], "maxItems": 2,
                    "items": { "type": "string", "minLength": 1, "maxLength": 5 },
                },
            },
        })
    );
    assert_eq!(serde_json::to_value(Search::schema()).unwrap()["additionalProperties"], json!(false));
    assert_eq!(
        serde_json::to_value(Search::into_params(|| None)).unwrap(),
        json!([
            { "name": "q", "in": "query", "description": "A piece of it", "required": false,
              "schema": { "type": "string", "minLength": 1, "maxLength": 5 } },
            { "name": "count", "in": "query", "required": false,
              "schema": { "type": "integer", "default": 10, "minimum": 1, "maximum": 30 } },
        ])
    );
}

/// JSON of any shape, rich in the names of the form.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-é\"\\\\\u{0}🔑]{0,7}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any_name(), inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["name", "password", "nick", "friends"]).prop_map(str::to_owned),
        1 => "[a-z\"é]{0,4}",
    ]
}

/// An object's text, in which a name may stand several times, and every character may be escaped.
fn written(fields: &[(String, Value)], escape: bool) -> String {
    let text = |name: &str| {
        if !escape {
            return json!(name).to_string();
        }
        let units: Vec<_> = name.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        format!("\"{}\"", units.concat())
    };
    let fields: Vec<_> = fields.iter().map(|(name, value)| format!("{} :{value} ", text(name))).collect();
    format!(" {{{}}}", fields.join(", "))
}

/// What a form of the same fields makes of a whole tree.
fn picked(body: &Map<String, Value>) -> Option<Person> {
    let text = |value: &Value| value.as_str().and_then(|text| short(text).ok());
    let optional = |field: &str| body.get(field).filter(|value| !value.is_null());
    let nick = optional("nick").map(text);
    let friends = optional("friends").map(|friends| {
        let friends = friends.as_array().filter(|friends| friends.len() <= 2)?;
        friends.iter().map(text).collect::<Option<Vec<_>>>()
    });
    Some(Person {
        name: text(body.get("name")?)?,
        password: text(body.get("password")?)?,
        nick: nick.map_or(Some(None), |nick| nick.map(Some))?,
        friends: friends.map_or(Some(None), |friends| friends.map(Some))?,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_form_reads_what_a_tree_would_have(
        fields in prop::collection::vec((any_name(), any_json()), 0..8),
        escape: bool,
    ) {
        let text = written(&fields, escape);
        let tree: Map<String, Value> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(person(&text).ok(), picked(&tree), "{}", text);
    }

    #[test]
    fn nothing_that_is_unknown_or_secret_is_told(
        fields in prop::collection::vec((any_name(), any_json()), 0..8),
    ) {
        fn only_known(value: &Value) -> bool {
            match value {
                Value::Object(object) => object.iter().all(|(name, value)| match name.as_str() {
                    "password" => value == "**********",
                    "name" | "nick" | "friends" => only_known(value),
                    _ => false,
                }),
                Value::Array(items) => items.iter().all(only_known),
                _ => true,
            }
        }
        if let Err(faults) = person(&written(&fields, false)) {
            for fault in faults.as_array().unwrap() {
                prop_assert!(only_known(&fault["input"]), "{}", fault);
            }
        }
    }

    #[test]
    fn what_is_json_for_a_tree_is_json_for_a_form(body in "[ \\[\\]{}:,\"\\\\au0-9.eE-]{0,20}|[ -~é]{0,40}") {
        let tree = serde_json::from_str::<Value>(&body);
        let is_broken = |faults: &Value| faults[0]["type"] == "json_invalid";
        let broken = person(&body).is_err_and(|faults| is_broken(&faults));
        match tree {
            Ok(_) => prop_assert!(!broken, "{}", body),
            // What a tree refuses and is JSON all the same: numbers beyond counting, and surrogates.
            Err(error) if body.is_empty() || ["number", "surrogate", "unexpected end of hex"].iter().any(|why| error.to_string().contains(why)) => {}
            Err(_) => prop_assert!(broken, "{}", body),
        }
    }

    #[test]
    fn no_query_is_too_broken_to_be_read(query in "[ -~]{0,60}") {
        if let Err(faults) = search(&query) {
            prop_assert!(!faults.as_array().unwrap().is_empty());
        }
    }
}

#[test]
fn a_form_that_forbids_nothing_says_so() {
    const { assert!(!Person::FORBIDS_EXTRA && Search::FORBIDS_EXTRA) }
}
