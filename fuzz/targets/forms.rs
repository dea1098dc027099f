//! Bodies and queries read into forms: as a whole tree of JSON would have it, with no secret and no unknown field told.

#![no_main]

use libfuzzer_sys::fuzz_target;
use roster_fastapi_body::{Integer, Problem, Text, form, list, optional, read_json, read_query};
use serde_json::Value;

const TEXT: Text<String> =
    Text::new(|text| if text.is_empty() { Err(Problem::too_short(1)) } else { Ok(text.to_owned()) });
const SECRET: Text<()> =
    Text::new(|text| if text == "x" { Err(Problem::rule("not that")) } else { Ok(()) }).secret();
const NUMBER: Integer<i64> = Integer::new(1, 30, Some).or(10);

form! {
    struct Form {
        text: String = TEXT,
        secret: Option<()> = optional(SECRET),
        number: i64 = NUMBER,
        items: Option<Vec<String>> = optional(list(TEXT, 3)),
    }
}

form! {
    struct Strict {
        text: Option<String> = optional(TEXT),
    }
    forbid extra;
}

fuzz_target!(|body: &[u8]| {
    let tree = serde_json::from_slice::<Value>(body).ok();
    match read_json::<Form>(body, true) {
        Ok(form) => {
            assert!((1..=30).contains(&form.number));
            // A tree refuses depth, numbers and surrogates that a form skips.
            if let Some(tree) = tree {
                assert_eq!(tree["text"], form.text);
                assert_eq!(tree["secret"].is_string(), form.secret.is_some());
                assert_eq!(
                    tree["items"].as_array().map_or(0, Vec::len),
                    form.items.unwrap_or_default().len()
                );
            }
        }
        Err(faults) => {
            let told = serde_json::to_value(&faults).expect("faults are JSON");
            assert!(told.to_string().len() < 80 * 1024);
            for fault in told.as_array().expect("a list") {
                check(&fault["input"]);
            }
        }
    }
    let _ = read_json::<Strict>(body, true);
    if let Ok(query) = str::from_utf8(body) {
        let _ = read_query::<Form>(query);
        let _ = read_query::<Strict>(query);
    }
});

/// Objects hold fields of the form alone, and no secret.
fn check(input: &Value) {
    match input {
        Value::Object(object) => {
            for (name, value) in object {
                match name.as_str() {
                    "secret" => assert_eq!(value, "**********"),
                    "text" | "number" | "items" => check(value),
                    _ => panic!("{name} is told"),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(check),
        _ => {}
    }
}
