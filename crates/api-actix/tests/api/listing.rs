//! Listing and searching users.

use serde_json::{Value, json};

use crate::harness::{TestApp, User, encode};

async fn list(app: &TestApp, root: &User, query: &str) -> Value {
    app.get(&format!("/api/v1/auth/users?{query}")).by(root).await.has(200).json()
}

/// The usernames of a page.
#[track_caller]
fn names(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|user| user["username"].as_str().unwrap()).collect()
}

/// Total, `has_previous`, `has_next` of a page.
fn frame(page: &Value) -> Value {
    assert_eq!(page.as_object().unwrap().len(), 4, "{page}");
    json!([page["total"], page["has_previous"], page["has_next"]])
}

/// An admin called `root` and users called `u01` and so on.
async fn crowd(count: usize) -> (TestApp, User) {
    let app = TestApp::start().await;
    let root = app.admin().await;
    for number in 1..=count {
        app.sign_up(&format!("u{number:02}")).await;
    }
    (app, root)
}

#[tokio::test]
async fn users_are_listed_oldest_first_ten_to_a_page() {
    let (app, root) = crowd(11).await;
    let first = list(&app, &root, "").await;
    assert_eq!(names(&first), ["root", "u01", "u02", "u03", "u04", "u05", "u06", "u07", "u08", "u09"]);
    assert_eq!(frame(&first), json!([12, null, true]));
    let second = list(&app, &root, "page=2").await;
    assert_eq!(names(&second), ["u10", "u11"]);
    assert_eq!(frame(&second), json!([12, true, null]));
}

#[tokio::test]
async fn a_listed_user_is_the_user_as_it_is_read() {
    let (app, root) = crowd(1).await;
    for user in list(&app, &root, "").await["data"].as_array().unwrap() {
        let path = format!("/api/v1/auth/users/{}", user["id"].as_str().unwrap());
        app.get(&path).by(&root).await.is(200, user.clone());
    }
}

#[tokio::test]
async fn pages_cover_every_user_once_and_the_last_full_one_has_none_after_it() {
    let (app, root) = crowd(5).await;
    let mut seen = Vec::new();
    for (page, expected) in
        [(1, json!([6, null, true])), (2, json!([6, true, true])), (3, json!([6, true, null]))]
    {
        let page = list(&app, &root, &format!("per_page=2&page={page}")).await;
        assert_eq!(frame(&page), expected);
        seen.extend(names(&page).into_iter().map(str::to_owned));
    }
    assert_eq!(seen, ["root", "u01", "u02", "u03", "u04", "u05"]);
}

#[tokio::test]
async fn a_page_beyond_the_last_is_empty() {
    let (app, root) = crowd(1).await;
    let page = list(&app, &root, "page=3").await;
    assert_eq!((frame(&page), names(&page)), (json!([2, true, null]), vec![]));
}

#[tokio::test]
async fn a_search_finds_a_piece_of_a_name_in_any_case() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    for (number, name) in ["Sourabh", "xsourabhx", "soura", "Ünal", "STRAẞE"].into_iter().enumerate() {
        let body = json!({"email": format!("a{number}@example.org"), "username": name, "password": "x"});
        app.sign_up_call(&body).await.has(201);
    }
    for (q, found) in [
        ("sourabh", vec!["sourabh", "xsourabhx"]),
        ("SOURABH", vec!["sourabh", "xsourabhx"]),
        ("  sourabh  ", vec!["sourabh", "xsourabhx"]),
        ("s", vec!["sourabh", "xsourabhx", "soura", "straße"]),
        ("ÜN", vec!["ünal"]),
        ("u\u{308}n", vec!["ünal"]),
        ("straße", vec!["straße"]),
        ("STRAẞE", vec!["straße"]),
        ("strasse", vec![]),
        ("nobody", vec![]),
    ] {
        let page = list(&app, &root, &format!("q={}", encode(q))).await;
        assert_eq!(names(&page), found, "{q}");
        assert_eq!(page["total"], found.len(), "{q}");
    }
}

#[tokio::test]
async fn a_search_is_literal_whatever_stands_in_it() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let specials = [
        "%",
        "_",
        "*",
        ".",
        "(",
        ")",
        "[",
        "\\",
        "^",
        "$",
        "?",
        "+",
        "|",
        "\"",
        "'",
        "{",
        "--",
        "\u{df}\u{df}",
    ];
    for (number, special) in specials.into_iter().enumerate() {
        let body = json!({"email": format!("a{number}@example.org"), "username": format!("x{special}y"), "password": "x"});
        app.sign_up_call(&body).await.has(201);
    }
    for special in specials {
        for q in [special.to_owned(), format!("x{special}y")] {
            let page = list(&app, &root, &format!("q={}", encode(&q))).await;
            assert_eq!(names(&page), [format!("x{special}y")], "{q}");
            assert_eq!(frame(&page), json!([1, null, null]), "{q}");
        }
    }
    for q in [".*", "x%y%", "x_y%", "^x", "y$", "a OR b", "x* y*", "\u{0}"] {
        assert_eq!(list(&app, &root, &format!("q={}", encode(q))).await["total"], 0, "{q:?}");
    }
}

#[tokio::test]
async fn an_empty_search_is_none() {
    let (app, root) = crowd(2).await;
    for q in ["q=", "q=%20%20"] {
        assert_eq!(frame(&list(&app, &root, q).await), json!([3, null, null]));
    }
}

#[tokio::test]
async fn a_search_has_pages_and_a_total_of_its_own() {
    let (app, root) = crowd(5).await;
    let page = list(&app, &root, "q=u0&per_page=2&page=2").await;
    assert_eq!(names(&page), ["u03", "u04"]);
    assert_eq!(frame(&page), json!([5, true, true]));
    let last = list(&app, &root, "q=u0&per_page=2&page=3").await;
    assert_eq!((names(&last), frame(&last)), (vec!["u05"], json!([5, true, null])));
}

#[tokio::test]
async fn an_email_is_not_searched() {
    let (app, root) = crowd(1).await;
    assert_eq!(list(&app, &root, "q=example.org").await["total"], 0);
}

#[tokio::test]
async fn totals_and_searches_are_exact_after_every_change() {
    let (app, root) = crowd(3).await;
    let ann = app.sign_up("ann").await;
    let totals = async |all: u64, anns: u64, annas: u64| {
        assert_eq!(list(&app, &root, "per_page=1").await["total"], all);
        assert_eq!(list(&app, &root, "q=ann").await["total"], anns);
        assert_eq!(list(&app, &root, "q=anna").await["total"], annas);
    };
    totals(5, 1, 0).await;
    app.put(&ann.path()).by(&root).json(&json!({"username": "anna"})).await.has(200);
    totals(5, 1, 1).await;
    app.trash(&root, &[&ann]).await;
    totals(4, 0, 0).await;
    app.put(&ann.restore_path()).by(&root).await.has(200);
    totals(5, 1, 1).await;
    app.trash(&root, &[&ann]).await;
    app.delete(&ann.purge_path()).by(&root).await.has(204);
    totals(4, 0, 0).await;
    app.sign_up("ann").await;
    totals(5, 1, 0).await;
}
