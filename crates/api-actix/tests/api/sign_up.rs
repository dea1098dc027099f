//! Signing up.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{TestApp, detail};

fn body(email: &str, username: &str) -> Value {
    json!({"email": email, "username": username, "password": "a password"})
}

fn created() -> Value {
    json!({"message": "User account created successfully."})
}

/// The names that a taken username is answered with.
#[track_caller]
fn suggestions(answer: &crate::harness::Answer) -> Vec<String> {
    let body = answer.json();
    let names = body["detail"]["suggested_usernames"].as_array().unwrap_or_else(|| panic!("{body}"));
    let names: Vec<_> = names.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    let expected = json!({"detail": {
        "message": "User already exists with this username", "suggested_usernames": names,
    }});
    assert_eq!((answer.status, &body), (409, &expected));
    let mut different = names.clone();
    different.sort_unstable();
    different.dedup();
    assert_eq!(different.len(), 5, "{names:?}");
    names
}

#[tokio::test]
async fn a_sign_up_is_confirmed_and_the_user_is_regular() {
    let app = TestApp::start().await;
    let request = body("ann@example.org", "ann");
    app.sign_up_call(&request).await.is(201, created());
    let ann = app.enter(&request).await;
    let shown = app.get(&ann.path()).by(&ann).await.has(200).json();
    let created_at = shown["created_at"].clone();
    assert_eq!(
        shown,
        json!({
            "id": ann.id, "email": "ann@example.org", "role": "regular", "username": "ann",
            "created_at": created_at, "updated_at": null, "is_deleted": false, "updated_by": null,
        })
    );
}

#[tokio::test]
async fn times_have_no_zone_and_six_digits_or_none() {
    let app = TestApp::start().await;
    for name in ["ann", "bob", "carl"] {
        let user = app.sign_up(name).await;
        let shown = app.get(&user.path()).by(&user).await.has(200).json();
        let time = shown["created_at"].as_str().unwrap().to_owned();
        let pattern = match time.split_once('.') {
            Some((_, fraction)) => {
                assert!(fraction.ends_with("000") && fraction != "000000", "{time}");
                "dddd-dd-ddTdd:dd:dd.dddddd"
            }
            None => "dddd-dd-ddTdd:dd:dd",
        };
        let shape: String = time.chars().map(|c| if c.is_ascii_digit() { 'd' } else { c }).collect();
        assert_eq!(shape, pattern, "{time}");
    }
}

#[tokio::test]
async fn a_body_that_names_role_id_or_deletion_changes_nothing() {
    let app = TestApp::start().await;
    let id = "67a9940edc65a0145ee73980";
    let mut request = body("ann@example.org", "ann");
    for (name, value) in [
        ("role", json!("admin")),
        ("is_deleted", json!(true)),
        ("_id", json!(id)),
        ("id", json!(id)),
        ("created_at", json!("2000-01-01T00:00:00")),
        ("updated_by", json!(id)),
        ("hashed_password", json!("x")),
        ("epoch", json!(9)),
    ] {
        request[name] = value;
    }
    app.sign_up_call(&request).await.has(201);
    let ann = app.enter(&request).await;
    let shown = app.get(&ann.path()).by(&ann).await.has(200).json();
    assert_ne!(ann.id, id);
    assert_eq!(
        (&shown["role"], &shown["is_deleted"], &shown["updated_by"]),
        (&json!("regular"), &json!(false), &Value::Null)
    );
    assert!(!shown["created_at"].as_str().unwrap().starts_with("2000"));
}

#[tokio::test]
async fn a_taken_email_is_told() {
    let app = TestApp::start().await;
    app.sign_up("ann").await;
    for path in ["/api/v1/auth/signup", "/api/v1/auth/admin/signup"] {
        let answer = app.post(path).json(&body("ann@example.org", "other")).await;
        answer.is(409, detail("User already exists with this email"));
    }
}

#[tokio::test]
async fn of_two_taken_names_the_email_is_told() {
    let app = TestApp::start().await;
    app.sign_up("ann").await;
    app.sign_up("bob").await;
    for (email, username) in [("ann@example.org", "ann"), ("ann@example.org", "bob")] {
        app.sign_up_call(&body(email, username)).await.is(409, detail("User already exists with this email"));
    }
}

#[tokio::test]
async fn a_taken_username_is_told_with_five_free_names_made_of_it_and_two_letters() {
    let app = TestApp::start().await;
    app.sign_up("ann").await;
    for path in ["/api/v1/auth/signup", "/api/v1/auth/admin/signup"] {
        let answer = app.post(path).json(&body("other@example.org", "ann")).await;
        for (number, name) in suggestions(&answer).into_iter().enumerate() {
            let letters = name.strip_prefix("ann").unwrap();
            assert!(letters.len() == 2 && letters.chars().all(|c| c.is_ascii_lowercase()), "{name}");
            let email = format!("{number}{}@example.org", path.len());
            app.sign_up_call(&body(&email, &name)).await.is(201, created());
        }
    }
}

#[tokio::test]
async fn suggestions_for_a_name_of_64_letters_are_valid_and_free_as_well() {
    let app = TestApp::start().await;
    for (number, name) in ["l".repeat(64), "ü".repeat(63)].into_iter().enumerate() {
        app.sign_up_call(&body(&format!("a{number}@example.org"), &name)).await.has(201);
        let answer = app.sign_up_call(&body("b@example.org", &name)).await;
        for (index, name) in suggestions(&answer).into_iter().enumerate() {
            assert!(name.chars().count() <= 64, "{name}");
            app.sign_up_call(&body(&format!("c{number}{index}@example.org"), &name)).await.has(201);
        }
    }
}

#[tokio::test]
async fn names_that_differ_in_case_or_composition_are_one() {
    let app = TestApp::start().await;
    app.sign_up_call(&body("first@example.org", "Amélie")).await.has(201);
    for name in ["amélie", "AMÉLIE", "  amélie ", "Ame\u{301}lie"] {
        suggestions(&app.sign_up_call(&body("second@example.org", name)).await);
    }
    app.sign_up_call(&body("second@example.org", "amelie")).await.has(201);
}

#[tokio::test]
async fn addresses_that_differ_in_case_composition_or_the_domains_form_are_one() {
    let app = TestApp::start().await;
    app.sign_up_call(&body("a@xn--bcher-kva.de", "first")).await.has(201);
    for email in ["a@bücher.de", "A@BÜCHER.DE", " a@bu\u{308}cher.de ", "a@XN--BCHER-KVA.de"] {
        app.sign_up_call(&body(email, "second")).await.is(409, detail("User already exists with this email"));
    }
    app.sign_up_call(&body("a@bucher.de", "second")).await.has(201);
}

#[tokio::test]
async fn names_and_addresses_are_compared_by_simple_case_folding() {
    let app = TestApp::start().await;
    app.sign_up_call(&body("νίκος.π@example.gr", "νίκος.π")).await.has(201);
    app.sign_up_call(&body("straße@example.de", "straße")).await.has(201);
    for (email, name) in [("ΝΊΚΟΣ.Π@example.gr", "ΝΊΚΟΣ.Π"), ("STRAẞE@example.de", "STRAẞE")]
    {
        let taken = app.sign_up_call(&body(email, "other")).await;
        taken.is(409, detail("User already exists with this email"));
        suggestions(&app.sign_up_call(&body("other@example.org", name)).await);
        let form = json!({"email": email, "password": body("", "")["password"]});
        app.post("/api/v1/auth/login").json(&form).await.has(200);
    }
    app.sign_up_call(&body("strasse@example.de", "strasse")).await.has(201);
}

#[tokio::test]
async fn a_username_holds_no_character_that_can_not_be_seen() {
    let app = TestApp::start().await;
    for name in ["gra\u{200b}ce", "a\u{202e}b", "\u{3164}", "so\u{ad}ft", "\u{2800}", "a\u{ffa0}"] {
        app.sign_up_call(&body("a@example.org", name)).await.has(422);
    }
    app.sign_up_call(&body("a@example.org", "two words")).await.has(201);
}

#[tokio::test]
async fn a_password_is_the_same_however_its_letters_are_composed() {
    let app = TestApp::start().await;
    let sign_up = json!({"email": "a@example.org", "username": "a", "password": "pa\u{308}ss"});
    app.sign_up_call(&sign_up).await.has(201);
    for password in ["päss", "pa\u{308}ss"] {
        let form = json!({"email": "a@example.org", "password": password});
        app.post("/api/v1/auth/login").json(&form).await.has(200);
    }
    let form = json!({"email": "a@example.org", "password": "pass"});
    app.post("/api/v1/auth/login").json(&form).await.has(401);
}

#[tokio::test]
async fn of_16_equal_sign_ups_at_once_one_succeeds() {
    let app = TestApp::start().await;
    let request = body("ann@example.org", "ann");
    let answers = join_all((0..16).map(|_| app.sign_up_call(&request).into_future())).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [&[201][..], &[409; 15]].concat());
    for answer in answers.iter().filter(|answer| answer.status == 409) {
        assert_eq!(answer.json(), detail("User already exists with this email"));
    }
}

#[tokio::test]
async fn of_16_sign_ups_with_one_username_at_once_one_succeeds() {
    let app = TestApp::start().await;
    let requests: Vec<_> = (0..16).map(|number| body(&format!("a{number}@example.org"), "ann")).collect();
    let answers = join_all(requests.iter().map(|request| app.sign_up_call(request).into_future())).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        suggestions(answer);
    }
}

#[tokio::test]
async fn different_sign_ups_at_once_all_succeed() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let requests: Vec<_> = (0..24).map(|n| body(&format!("a{n}@example.org"), &format!("a{n}"))).collect();
    for answer in join_all(requests.iter().map(|request| app.sign_up_call(request).into_future())).await {
        answer.is(201, created());
    }
    assert_eq!(app.get("/api/v1/auth/users").by(&root).await.has(200).json()["total"], 25);
}
