//! Tokens, through their port, and as they stand on the wire.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac::{self, HMAC_SHA256};
use roster_adapter_crypto::JwtTokens;
use roster_domain::ports::{AccessClaims, InvalidToken, Tokens, Validity};
use roster_domain::values::{AccessToken, Epoch, RefreshToken, SessionId, Timestamp, TokenId, UserId};
use rstest::rstest;
use secrecy::SecretString;
use serde_json::{Value, json};

const SECRET: &str = "testsecretkey";
const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const ID: TokenId = TokenId([0xab; 16]);
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
const CLAIMS: AccessClaims = AccessClaims {
    user_id: UserId::from_bytes([0x67; 12]),
    session: Some(SessionId::from_bytes([0x0c; 16])),
    epoch: Epoch::new(3),
};
const USER_ID: &str = "676767676767676767676767";
const SESSION_ID: &str = "0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c";

fn tokens() -> JwtTokens {
    JwtTokens::new(SecretString::from(SECRET), None)
}

/// For a minute and a half from [`NOW`] on.
fn validity() -> Validity {
    Validity::starting(NOW, Duration::from_secs(90))
}

/// A token as anybody who has the key could make it.
fn signed_with(key: &hmac::Key, header: &str, payload: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(key, signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn signed(header: &str, payload: &Value) -> String {
    signed_with(&hmac::Key::new(HMAC_SHA256, SECRET.as_bytes()), header, &payload.to_string())
}

/// Claims of an access token that lives for a second more.
fn claims() -> Value {
    json!({
        "user_id": USER_ID,
        "exp": 1_767_225_601,
        "iat": 1_767_225_600,
        "jti": "0b0c7a3e-6c1b-4b54-9d39-0f6f5a0c7f11",
        "typ": "access_token",
        "sid": SESSION_ID,
        "epoch": 3,
    })
}

fn with(claim: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[claim] = value;
    claims
}

fn without(names: &[&str]) -> Value {
    let mut claims = claims();
    for name in names {
        claims.as_object_mut().unwrap().remove(*name).unwrap();
    }
    claims
}

fn read(token: &str) -> Result<AccessClaims, InvalidToken> {
    tokens().read_access(&AccessToken::new(token.to_owned()), NOW)
}

/// Header and claims of a token.
fn parts(token: &str) -> (Value, Value) {
    let mut parts = token.split('.').map(|part| {
        let json = URL_SAFE_NO_PAD.decode(part).unwrap();
        serde_json::from_slice(&json).unwrap_or_default()
    });
    (parts.next().unwrap(), parts.next().unwrap())
}

#[rstest]
#[case::of_a_session(CLAIMS)]
#[case::of_an_earlier_system(AccessClaims { session: None, epoch: Epoch::FIRST, ..CLAIMS })]
fn tokens_are_read_back_as_they_were_issued(#[case] claims: AccessClaims) {
    let tokens = tokens();
    let access = tokens.issue_access(&claims, ID, validity());
    assert_eq!(tokens.read_access(&access, NOW), Ok(claims));
    let refresh = tokens.issue_refresh(&claims, ID, validity());
    assert_eq!(tokens.read_refresh(&refresh, NOW), Ok(claims));
}

#[test]
fn a_token_says_what_is_documented() {
    let expected = |typ, exp| {
        let jti = "abababababababababababababababab";
        json!({
            "user_id": USER_ID, "exp": exp, "iat": 1_767_225_600, "jti": jti, "typ": typ, "sid": SESSION_ID, "epoch": 3
        })
    };
    let header: Value = serde_json::from_str(HEADER).unwrap();
    let access = tokens().issue_access(&CLAIMS, ID, validity());
    assert_eq!(parts(access.expose()), (header.clone(), expected("access_token", 1_767_225_690)));
    let refresh = tokens().issue_refresh(&CLAIMS, ID, validity());
    assert_eq!(parts(refresh.expose()), (header, expected("refresh_token", 1_767_225_690)));
}

#[test]
fn a_token_lives_to_the_millisecond_before_its_end() {
    let tokens = tokens();
    let access = tokens.issue_access(&CLAIMS, ID, validity());
    let (end, millisecond) = (validity().expires, Duration::from_millis(1));
    assert!(tokens.read_access(&access, end.minus(millisecond)).is_ok());
    assert_eq!(tokens.read_access(&access, end), Err(InvalidToken));

    let refresh = tokens.issue_refresh(&CLAIMS, ID, validity());
    assert!(tokens.read_refresh(&refresh, end.minus(millisecond)).is_ok());
    assert_eq!(tokens.read_refresh(&refresh, end), Err(InvalidToken));
}

#[test]
fn neither_kind_of_token_passes_for_the_other() {
    let tokens = tokens();
    let access = tokens.issue_access(&CLAIMS, ID, validity());
    let as_refresh = RefreshToken::new(access.expose().to_owned());
    assert_eq!(tokens.read_refresh(&as_refresh, NOW), Err(InvalidToken));
    let refresh = tokens.issue_refresh(&CLAIMS, ID, validity());
    let as_access = AccessToken::new(refresh.expose().to_owned());
    assert_eq!(tokens.read_access(&as_access, NOW), Err(InvalidToken));
}

#[test]
fn a_token_that_python_jose_made_names_no_session_and_is_of_the_first_epoch() {
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoiNjdhOTk0MGVkYzY1YTAxNDVlZTczOTgwIiwiZXhwIjo\
        xNzY3MjI3NDAwLCJpYXQiOjE3NjcyMjU2MDAsImp0aSI6IjBiMGM3YTNlLTZjMWItNGI1NC05ZDM5LTBmNmY1YTBjN2YxMSIsInR5cCI6I\
        mFjY2Vzc190b2tlbiJ9.lSK7yo8liVe36sXr92kxIdoWRE6_3Y06FlyabbEmm_M";
    let user_id = "67a9940edc65a0145ee73980".parse().unwrap();
    assert_eq!(read(token), Ok(AccessClaims { user_id, session: None, epoch: Epoch::FIRST }));
}

#[test]
fn the_previous_key_is_taken_and_no_more_used() {
    let changed = JwtTokens::new(SecretString::from("new"), Some(SecretString::from(SECRET)));
    let old = tokens().issue_access(&CLAIMS, ID, validity());
    assert_eq!(changed.read_access(&old, NOW), Ok(CLAIMS));
    let new = changed.issue_access(&CLAIMS, ID, validity());
    assert_eq!(changed.read_access(&new, NOW), Ok(CLAIMS));
    assert_eq!(tokens().read_access(&new, NOW), Err(InvalidToken));
    let third = JwtTokens::new(SecretString::from("third"), None).issue_access(&CLAIMS, ID, validity());
    assert_eq!(changed.read_access(&third, NOW), Err(InvalidToken));
}

#[rstest]
#[case::plain(claims())]
#[case::ending_within_a_second(with("exp", json!(1_767_225_600.5)))]
#[case::valid_from_now_on(with("nbf", json!(1_767_225_600)))]
#[case::with_an_odd_iat_and_jti({
    let mut odd = with("iat", json!("today"));
    odd["jti"] = json!(7);
    odd
})]
#[case::without_iat_and_jti(without(&["iat", "jti"]))]
#[case::with_a_claim_of_somebody_elses(with("aud", json!(["api"])))]
fn claims_are_taken(#[case] payload: Value) {
    assert_eq!(read(&signed(HEADER, &payload)), Ok(CLAIMS));
}

#[rstest]
#[case::without_end(without(&["exp"]))]
#[case::ended(with("exp", json!(1_767_225_600)))]
#[case::ended_long_ago(with("exp", json!(-1)))]
#[case::ending_at_a_text(with("exp", json!("1767225601")))]
#[case::ending_at_null(with("exp", Value::Null))]
#[case::ending_beyond_time(with("exp", json!(1e300)))]
#[case::not_yet_valid(with("nbf", json!(1_767_225_601)))]
#[case::not_valid_for_a_moment(with("nbf", json!(1_767_225_600.5)))]
#[case::valid_from_a_text_on(with("nbf", json!("1767225600")))]
#[case::valid_from_null_on(with("nbf", Value::Null))]
#[case::of_no_kind(without(&["typ"]))]
#[case::of_another_kind(with("typ", json!("refresh_token")))]
#[case::of_an_unknown_kind(with("typ", json!("id_token")))]
#[case::of_null_kind(with("typ", Value::Null))]
#[case::without_user(without(&["user_id"]))]
#[case::of_a_user_with_a_short_id(with("user_id", json!("6767")))]
#[case::of_a_user_with_a_capital_id(with("user_id", json!("67676767676767676767676A")))]
#[case::of_a_user_with_a_number(with("user_id", json!(67)))]
#[case::of_a_malformed_session(with("sid", json!("0c")))]
#[case::of_a_session_with_a_number(with("sid", json!(12)))]
#[case::of_null_session(with("sid", Value::Null))]
#[case::of_a_session_but_no_epoch(without(&["epoch"]))]
#[case::of_an_epoch_but_no_session(without(&["sid"]))]
#[case::of_an_epoch_before_the_first(with("epoch", json!(-1)))]
#[case::of_an_epoch_beyond_all(with("epoch", json!(4_294_967_296_u64)))]
#[case::of_a_text_for_an_epoch(with("epoch", json!("3")))]
#[case::of_null_epoch(with("epoch", Value::Null))]
#[case::no_object(json!("claims"))]
fn claims_are_refused(#[case] payload: Value) {
    assert_eq!(read(&signed(HEADER, &payload)), Err(InvalidToken));
}

#[test]
fn a_claim_that_stands_twice_is_refused() {
    let payload = claims().to_string().replacen('{', r#"{"typ":"access_token","#, 1);
    let key = hmac::Key::new(HMAC_SHA256, SECRET.as_bytes());
    assert_eq!(read(&signed_with(&key, HEADER, &payload)), Err(InvalidToken));
}

#[rstest]
#[case::of_python_jose(HEADER)]
#[case::without_type(r#"{"alg":"HS256"}"#)]
#[case::with_the_type_in_lower_case(r#"{"typ":"jwt","alg":"HS256"}"#)]
fn a_header_is_taken(#[case] header: &str) {
    assert_eq!(read(&signed(header, &claims())), Ok(CLAIMS));
}

#[rstest]
#[case::no_algorithm(r#"{"typ":"JWT"}"#)]
#[case::algorithm_none(r#"{"alg":"none","typ":"JWT"}"#)]
#[case::algorithm_none_in_capitals(r#"{"alg":"NONE","typ":"JWT"}"#)]
#[case::algorithm_hs384(r#"{"alg":"HS384","typ":"JWT"}"#)]
#[case::algorithm_hs512(r#"{"alg":"HS512","typ":"JWT"}"#)]
#[case::algorithm_rs256(r#"{"alg":"RS256","typ":"JWT"}"#)]
#[case::another_type(r#"{"alg":"HS256","typ":"JWE"}"#)]
#[case::jku(r#"{"alg":"HS256","typ":"JWT","jku":"https://example.com/keys"}"#)]
#[case::jwk(r#"{"alg":"HS256","typ":"JWT","jwk":{"kty":"oct","k":"dGVzdHNlY3JldGtleQ"}}"#)]
#[case::kid(r#"{"alg":"HS256","typ":"JWT","kid":"/dev/null"}"#)]
#[case::kid_of_a_number(r#"{"alg":"HS256","typ":"JWT","kid":1}"#)]
#[case::x5u(r#"{"alg":"HS256","typ":"JWT","x5u":"https://example.com/chain"}"#)]
#[case::x5c(r#"{"alg":"HS256","typ":"JWT","x5c":["MIIB"]}"#)]
#[case::x5t(r#"{"alg":"HS256","typ":"JWT","x5t":"dGh1bWI"}"#)]
#[case::x5t_s256(r#"{"alg":"HS256","typ":"JWT","x5t#S256":"dGh1bWI"}"#)]
#[case::crit(r#"{"alg":"HS256","typ":"JWT","crit":["exp"]}"#)]
#[case::no_object(r#""HS256""#)]
#[case::empty("")]
fn a_header_is_refused(#[case] header: &str) {
    assert_eq!(read(&signed(header, &claims())), Err(InvalidToken));
}

#[test]
fn another_algorithm_is_refused_though_its_signature_is_right() {
    let key = hmac::Key::new(hmac::HMAC_SHA512, SECRET.as_bytes());
    let token = signed_with(&key, r#"{"alg":"HS512","typ":"JWT"}"#, &claims().to_string());
    assert_eq!(read(&token), Err(InvalidToken));
}

#[test]
fn an_unsigned_token_is_refused() {
    for header in [HEADER, r#"{"alg":"none"}"#] {
        let token = signed(header, &claims());
        let (unsigned, _) = token.rsplit_once('.').unwrap();
        assert_eq!(read(unsigned), Err(InvalidToken));
        assert_eq!(read(&format!("{unsigned}.")), Err(InvalidToken));
    }
}

#[test]
fn a_token_is_refused_once_any_letter_of_it_is_another() {
    let token = signed(HEADER, &claims());
    assert!(read(&token).is_ok());
    for (at, letter) in token.char_indices() {
        let other = if letter == 'A' { "B" } else { "A" };
        let mut forged = token.clone();
        forged.replace_range(at..=at, other);
        assert_eq!(read(&forged), Err(InvalidToken), "{at}");
    }
}

#[rstest]
#[case::empty("")]
#[case::dots("..")]
#[case::no_dots("token")]
#[case::not_base64("é.é.é")]
#[case::four_parts(&format!("{}.AAAA", signed(HEADER, &claims())))]
#[case::with_padding(&format!("{}=", signed(HEADER, &claims())))]
#[case::with_a_space(&format!(" {}", signed(HEADER, &claims())))]
fn what_is_no_token_is_refused(#[case] token: &str) {
    assert_eq!(read(token), Err(InvalidToken));
}

#[test]
fn a_fingerprint_is_the_sha_256_of_the_token() {
    let fingerprint = tokens().fingerprint(&RefreshToken::new("abc".to_owned()));
    // FIPS 180-2, appendix B.1.
    let expected = 0xba78_16bf_8f01_cfea_4141_40de_5dae_2223_u128.to_be_bytes();
    assert_eq!(fingerprint.as_bytes()[..16], expected);
    let expected = 0xb003_61a3_9617_7a9c_b410_ff61_f200_15ad_u128.to_be_bytes();
    assert_eq!(fingerprint.as_bytes()[16..], expected);
}

#[test]
fn a_key_is_not_shown() {
    let tokens =
        JwtTokens::new(SecretString::from("unspeakable"), Some(SecretString::from("unspeakable too")));
    let shown = format!("{tokens:?}");
    let as_bytes = format!("{:?}", "unspeakable".as_bytes());
    assert!(!shown.contains("unspeakable") && !shown.contains(as_bytes.trim_matches(['[', ']'])), "{shown}");
}
