//! Tokens: no text is a token that we have not signed, and what we have signed says what it says or is refused.
//!
//! An input with a line break is a header and claims, which are signed here, so that what stands behind the signature is
//! reached too.

#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use ring::hmac;
use roster_adapter_crypto::JwtTokens;
use roster_domain::ports::Tokens;
use roster_domain::values::{AccessToken, RefreshToken, Timestamp};

const KEY: &str = "the key of this target, which is long enough";

static TOKENS: LazyLock<JwtTokens> = LazyLock::new(|| JwtTokens::new(KEY.to_owned().into(), None));

fuzz_target!(|text: &str| {
    let now = Timestamp::from_millis(1_739_186_539_096);
    let Some((header, claims)) = text.split_once('\n') else {
        let (access, refresh) = (AccessToken::new(text.to_owned()), RefreshToken::new(text.to_owned()));
        assert!(TOKENS.read_access(&access, now).is_err(), "signed by nobody");
        assert!(TOKENS.read_refresh(&refresh, now).is_err(), "signed by nobody");
        return;
    };
    let signed = sign(header, claims);
    let access = TOKENS.read_access(&AccessToken::new(signed.clone()), now);
    let refresh = TOKENS.read_refresh(&RefreshToken::new(signed.clone()), now);
    assert!(access.is_err() || refresh.is_err(), "a token is of one kind");
    if access.is_ok() || refresh.is_ok() {
        let header: serde_json::Value = serde_json::from_str(header).expect("a header is JSON");
        assert_eq!(header["alg"], "HS256");
        for name in ["jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "crit"] {
            assert!(
                header.get(name).is_none_or(serde_json::Value::is_null),
                "it says where its key is: {name}"
            );
        }
        let other = JwtTokens::new(KEY.to_uppercase().into(), None);
        assert!(other.read_access(&AccessToken::new(signed.clone()), now).is_err());
        assert!(other.read_refresh(&RefreshToken::new(signed), now).is_err());
    }
});

fn sign(header: &str, claims: &str) -> String {
    static SIGNING: LazyLock<hmac::Key> = LazyLock::new(|| hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes()));

    let unsigned = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let tag = hmac::sign(&SIGNING, unsigned.as_bytes());
    format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(tag))
}
