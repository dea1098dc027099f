//! Which tokens are taken, and which never.

use serde_json::json;

use crate::harness::{Forge, Setup, TestApp, User, claims_of, detail, not_authenticated, now};

/// Must be refused as an access token.
async fn is_refused(app: &TestApp, user: &User, token: &str) {
    app.get(&user.path()).bearer(token).await.is(401, not_authenticated());
}

/// A Roster, somebody, and the claims of her access token to start from.
async fn ann() -> (TestApp, User, Forge) {
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let forge = Forge::copy(&ann.access);
    // What the forge makes is good, so that each test below fails for its own reason alone.
    assert!(app.takes(&forge.sign(), &ann.id).await);
    (app, ann, forge)
}

#[tokio::test]
async fn a_token_holds_the_documented_claims_and_lifetimes() {
    let (app, ann, _) = ann().await;
    for (token, typ, lifetime) in
        [(&ann.access, "access_token", 1800), (&ann.refresh, "refresh_token", 7 * 86_400)]
    {
        let claims = claims_of(token);
        assert_eq!((&claims["user_id"], &claims["typ"]), (&json!(ann.id), &json!(typ)));
        let [issued, expires] = ["iat", "exp"].map(|name| claims[name].as_u64().unwrap());
        assert_eq!(expires - issued, lifetime, "{typ}");
        assert!(issued.abs_diff(now()) < 300, "{typ} was issued at {issued}");
        assert!(claims["jti"].as_str().is_some_and(|id| !id.is_empty()), "{claims}");
        let text = claims.to_string();
        assert!(!text.contains(&ann.email) && !text.contains("regular"), "{text}");
    }
    let again = app.log_in(&ann.email, &ann.password).await;
    assert_ne!(claims_of(&again.access)["jti"], claims_of(&ann.access)["jti"]);
}

#[tokio::test]
async fn a_token_without_a_signature_is_refused_however_its_none_is_spelt() {
    let (app, ann, forge) = ann().await;
    for spelling in ["none", "None", "NONE", "nOnE", ""] {
        is_refused(&app, &ann, &forge.clone().sign_with_none(spelling)).await;
    }
}

#[tokio::test]
async fn a_token_of_another_algorithm_is_refused() {
    let (app, ann, forge) = ann().await;
    is_refused(&app, &ann, &forge.clone().sign_with_hs512()).await;
    for algorithm in ["HS384", "RS256", "ES256", "EdDSA", "hs256"] {
        is_refused(&app, &ann, &forge.clone().header("alg", algorithm).sign()).await;
    }
}

#[tokio::test]
async fn a_token_of_another_key_is_refused() {
    let (app, ann, forge) = ann().await;
    for key in ["", "testsecretkey", "the key of these tests, which is long enougH"] {
        is_refused(&app, &ann, &forge.clone().key(key).sign()).await;
    }
}

#[tokio::test]
async fn a_token_that_was_changed_after_it_was_signed_is_refused() {
    let (app, ann, forge) = ann().await;
    let bob = app.sign_up("bob").await;
    let signed = forge.sign();
    let other = forge.clone().claim("user_id", bob.id.as_str()).sign();
    let [mine, his] = [&signed, &other].map(|token| token.split('.').collect::<Vec<_>>());
    let swapped = [mine[0], his[1], mine[2]].join(".");
    app.get(&bob.path()).bearer(&swapped).await.is(401, not_authenticated());
    let cut = &signed[..signed.len() - 1];
    for token in
        [cut, &format!("{signed}A"), &format!("{signed}."), &format!(".{signed}"), &format!("{signed}=")]
    {
        is_refused(&app, &ann, token).await;
    }
}

#[tokio::test]
async fn a_token_without_an_end_is_refused() {
    let (app, ann, forge) = ann().await;
    is_refused(&app, &ann, &forge.without("exp").sign()).await;
}

#[tokio::test]
async fn a_token_whose_end_is_no_number_is_refused() {
    let (app, ann, forge) = ann().await;
    for end in [json!("9999999999"), json!(null), json!([9_999_999_999_u64]), json!(-1)] {
        is_refused(&app, &ann, &forge.clone().claim("exp", end).sign()).await;
    }
}

#[tokio::test]
async fn an_expired_token_is_refused_without_leeway() {
    let (app, ann, forge) = ann().await;
    is_refused(&app, &ann, &forge.clone().claim("exp", now() - 1).sign()).await;
    is_refused(&app, &ann, &forge.clone().claim("exp", now()).sign()).await;
    is_refused(&app, &ann, &forge.claim("exp", 1).sign()).await;
}

#[tokio::test]
async fn a_token_that_is_not_valid_yet_is_refused() {
    let (app, ann, forge) = ann().await;
    is_refused(&app, &ann, &forge.clone().claim("nbf", now() + 60).sign()).await;
    assert!(app.takes(&forge.claim("nbf", now() - 1).sign(), &ann.id).await);
}

#[tokio::test]
async fn a_token_of_another_or_no_typ_is_refused() {
    let (app, ann, forge) = ann().await;
    for typ in [json!("refresh_token"), json!("id_token"), json!(""), json!(null), json!(["access_token"])] {
        is_refused(&app, &ann, &forge.clone().claim("typ", typ).sign()).await;
    }
    is_refused(&app, &ann, &forge.without("typ").sign()).await;
}

#[tokio::test]
async fn a_token_whose_header_names_a_key_is_refused() {
    let (app, ann, forge) = ann().await;
    let jwk = json!({"kty": "oct", "k": "c2VjcmV0"});
    for (name, value) in [
        ("jku", json!("https://evil.example/keys")),
        ("jwk", jwk),
        ("x5u", json!("https://evil.example/cert")),
        ("kid", json!("../../dev/null")),
    ] {
        is_refused(&app, &ann, &forge.clone().header(name, value).sign()).await;
    }
}

#[tokio::test]
async fn a_token_that_names_no_user_is_refused() {
    let (app, ann, forge) = ann().await;
    for user in [json!("x"), json!(null), json!(5), json!({"$ne": null}), json!(ann.id.to_uppercase() + " ")]
    {
        is_refused(&app, &ann, &forge.clone().claim("user_id", user).sign()).await;
    }
    is_refused(&app, &ann, &forge.without("user_id").sign()).await;
}

#[tokio::test]
async fn a_token_of_the_earlier_system_is_taken() {
    let (app, ann, _) = ann().await;
    assert!(app.takes(&Forge::access(&ann.id).sign(), &ann.id).await);
    let answer = app.refresh(&Forge::refresh(&ann.id).sign()).await.has(200);
    let access = answer.json()["access_token"].as_str().unwrap().to_owned();
    assert!(app.takes(&access, &ann.id).await);
}

#[tokio::test]
async fn a_token_of_the_earlier_system_dies_with_a_deletion_and_stays_dead_after_the_restore() {
    let (app, ann, _) = ann().await;
    let root = app.admin().await;
    let [access, refresh] = [Forge::access(&ann.id).sign(), Forge::refresh(&ann.id).sign()];
    app.trash(&root, &[&ann]).await;
    is_refused(&app, &ann, &access).await;
    app.put(&ann.restore_path()).by(&root).await.has(200);
    is_refused(&app, &ann, &access).await;
    app.refresh(&refresh).await.is(401, detail("Not a valid refresh token"));
}

#[tokio::test]
async fn a_token_signed_with_the_previous_key_is_taken_and_none_is_made_with_it() {
    let previous = "testsecretkey";
    let (app, ann, forge) = ann().await;
    let old = forge.key(previous).sign();
    is_refused(&app, &ann, &old).await;
    let app = app.restart_as(|setup| setup.set("SECRET_KEY_PREVIOUS", previous)).await;
    assert!(app.takes(&old, &ann.id).await);
    app.refresh(&Forge::refresh(&ann.id).key(previous).sign()).await.has(200);
    let new = app.log_in(&ann.email, &ann.password).await;
    let app = app.restart_as(|setup| setup.unset("SECRET_KEY_PREVIOUS")).await;
    assert!(app.takes(&new.access, &ann.id).await);
    is_refused(&app, &ann, &old).await;
}

#[tokio::test]
async fn a_short_previous_key_is_warned_of_in_the_log_but_not_shown() {
    let app = Setup::new().set("SECRET_KEY_PREVIOUS", "sh0rt-0ne").start().await;
    let warned =
        app.logged(|log| log.lines.iter().any(|line| line.contains("SECRET_KEY_PREVIOUS")).then_some(()));
    assert!(warned.await.is_some(), "{:#?}", app.log().lines);
    assert!(!app.log().lines.iter().any(|line| line.contains("sh0rt-0ne")));
}

#[tokio::test]
async fn a_new_key_ends_all_tokens_of_the_old_one() {
    let (app, ann, _) = ann().await;
    let app =
        app.restart_as(|setup| setup.set("SECRET_KEY", "quite another key, and as long as needed")).await;
    is_refused(&app, &ann, &ann.access).await;
    app.refresh(&ann.refresh).await.is(401, detail("Not a valid refresh token"));
    app.log_in(&ann.email, &ann.password).await;
}

// Refresh tokens.

#[tokio::test]
async fn a_refresh_gives_an_access_token_and_nothing_else() {
    let (app, ann, _) = ann().await;
    let body = app.refresh(&ann.refresh).await.has(200).json();
    let names: Vec<_> = body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["access_token"]);
    assert!(app.takes(body["access_token"].as_str().unwrap(), &ann.id).await);
}

#[tokio::test]
async fn a_refresh_token_may_be_used_again_and_again() {
    let (app, ann, _) = ann().await;
    for _ in 0..3 {
        app.refresh(&ann.refresh).await.has(200);
    }
    assert!(app.takes(&ann.access, &ann.id).await);
}

#[tokio::test]
async fn an_access_token_is_no_refresh_token_and_the_other_way_round() {
    let (app, ann, _) = ann().await;
    app.refresh(&ann.access).await.is(401, detail("Not a valid refresh token"));
    is_refused(&app, &ann, &ann.refresh).await;
}

#[tokio::test]
async fn what_is_no_refresh_token_is_refused_with_the_documented_words() {
    let (app, ann, _) = ann().await;
    // One of the earlier system's, which no session is kept of: each below is refused for its own reason alone.
    let forge = Forge::refresh(&ann.id);
    app.refresh(&forge.sign()).await.has(200);
    let bad = [
        String::new(),
        "garbage".to_owned(),
        "a.b.c".to_owned(),
        "\u{0}".to_owned(),
        "x".repeat(60_000),
        forge.clone().claim("exp", now() - 1).sign(),
        forge.clone().without("exp").sign(),
        forge.clone().claim("nbf", now() + 60).sign(),
        forge.clone().claim("user_id", "00000000000000000000abcd").sign(),
        forge.clone().key("testsecretkey").sign(),
        forge.clone().header("kid", "1").sign(),
        forge.clone().sign_with_hs512(),
        forge.sign_with_none("none"),
    ];
    for token in bad {
        app.refresh(&token).await.is(401, detail("Not a valid refresh token"));
    }
}

#[tokio::test]
async fn a_refresh_token_that_the_service_did_not_make_itself_names_no_session_of_it() {
    let (app, ann, _) = ann().await;
    let copied = Forge::copy(&ann.refresh).claim("jti", "another").sign();
    app.refresh(&copied).await.is(401, detail("Not a valid refresh token"));
    app.refresh(&ann.refresh).await.has(200);
}

#[tokio::test]
async fn a_token_with_the_session_of_somebody_else_is_refused() {
    let (app, ann, _) = ann().await;
    let bob = app.sign_up("bob").await;
    let mixed = Forge::copy(&ann.access).claim("user_id", bob.id.as_str()).sign();
    app.get(&bob.path()).bearer(&mixed).await.is(401, not_authenticated());
    let mixed = Forge::copy(&ann.refresh).claim("user_id", bob.id.as_str()).sign();
    app.refresh(&mixed).await.is(401, detail("Not a valid refresh token"));
}
