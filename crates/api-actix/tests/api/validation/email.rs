//! Email addresses.

use rstest::rstest;
use serde_json::json;

use super::{SIGN_UP, bad_email, sign_up, sign_up_with};
use crate::harness::TestApp;

#[tokio::test]
async fn an_email_without_an_at_sign_is_told_so() {
    let faults = [bad_email("ann", "An email address must have an @-sign.")];
    sign_up(sign_up_with("email", json!("ann"))).await.has_faults(&faults);
}

#[rstest]
#[case("")]
#[case("   ")]
#[case("@")]
#[case("@example.org")]
#[case("ann@")]
#[case("ann@@example.org")]
#[case("ann@bob@example.org")]
#[case(".ann@example.org")]
#[case("ann.@example.org")]
#[case("a..n@example.org")]
#[case("a n@example.org")]
#[case("\"ann\"@example.org")]
#[case("ann(comment)@example.org")]
#[case("ann@example")]
#[case("ann@.example.org")]
#[case("ann@example..org")]
#[case("ann@-example.org")]
#[case("ann@example-.org")]
#[case("ann@exa mple.org")]
#[case("ann@exa_mple.org")]
#[case("ann@[127.0.0.1]")]
#[case("ann\u{0}@example.org")]
#[case("ann\n@example.org")]
#[case("Ann <ann@example.org>")]
#[case("ann@host.test")]
#[case("ann@host.invalid")]
#[case("ann@host.local")]
#[case("ann@host.localhost")]
#[case("ann@host.onion")]
#[case("ann@host.arpa")]
#[case("ann@HOST.TEST")]
#[tokio::test]
async fn what_is_no_email_address_is_a_value_error_with_its_reason(#[case] email: &str) {
    let answer = sign_up(sign_up_with("email", json!(email))).await.has(422);
    let fault = answer.json()["detail"][0].clone();
    let reason = fault["ctx"]["reason"].as_str().unwrap().to_owned();
    assert!(!reason.is_empty());
    answer.has_faults(&[bad_email(email, &reason)]);
}

#[tokio::test]
async fn an_email_has_64_bytes_before_the_at_sign_and_254_in_all() {
    let app = TestApp::start().await;
    let label = "d".repeat(63);
    // 64 + 1 + 63 + 1 + 63 + 1 + 57 + 4 = 254
    let domain = |last: usize| format!("{label}.{label}.{}.org", "e".repeat(last));
    let local = |length: usize| "l".repeat(length);
    let longest = format!("{}@{}", local(64), domain(57));
    assert_eq!(longest.len(), 254);
    let sign_up = |email: String, name: &str| {
        app.post(SIGN_UP).json(&json!({"email": email, "username": name, "password": "x"}))
    };
    sign_up(longest, "longest").await.has(201);
    sign_up(format!("{}@{}", local(64), domain(58)), "too-long").await.has(422);
    sign_up(format!("{}@example.org", local(65)), "too-long").await.has(422);
    // 33 letters of two bytes each.
    sign_up(format!("{}@example.org", "é".repeat(33)), "too-long").await.has(422);
    sign_up(format!("{}@example.org", "é".repeat(32)), "long").await.has(201);
    sign_up(format!("ann@{}.org", "d".repeat(64)), "too-long").await.has(422);
}

#[rstest]
#[case("a.b+c@example.org", "a.b+c@example.org")]
#[case("  Ann@Example.ORG  ", "ann@example.org")]
#[case("!#$%&'*+-/=?^_`{|}~@example.org", "!#$%&'*+-/=?^_`{|}~@example.org")]
#[case("用户@例子.广告", "用户@例子.广告")]
#[case("E\u{301}lan@example.org", "\u{e9}lan@example.org")]
#[case("a@xn--bcher-kva.de", "a@bücher.de")]
#[case("a@BÜCHER.de", "a@bücher.de")]
#[case("test@1.dom", "test@1.dom")]
#[tokio::test]
async fn an_email_is_kept_trimmed_composed_in_lower_case_and_its_domain_in_unicode(
    #[case] sent: &str,
    #[case] kept: &str,
) {
    let app = TestApp::start().await;
    let body = sign_up_with("email", json!(sent));
    app.post(SIGN_UP).json(&body).await.has(201);
    let ann = app.enter(&body).await;
    assert_eq!(app.get(&ann.path()).by(&ann).await.has(200).json()["email"], kept);
}
