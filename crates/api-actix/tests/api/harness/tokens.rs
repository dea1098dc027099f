use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};

/// The key of every Roster of these tests that is told one.
pub(crate) const SECRET_KEY: &str = "the key of these tests, which is long enough";

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "tokens made here must be of the server's own time")]
pub(crate) fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("it is after 1970").as_secs()
}

/// What a token says.
pub(crate) fn claims_of(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("a token has three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64")).expect("JSON")
}

/// Makes tokens, right ones and wrong ones, without the server's own code.
#[derive(Debug, Clone)]
pub(crate) struct Forge {
    header: Value,
    claims: Value,
    key: Vec<u8>,
}

impl Forge {
    /// An access token as the earlier system made them, good for half an hour.
    pub(crate) fn access(user_id: &str) -> Self {
        let now = now();
        Self {
            header: json!({"alg": "HS256", "typ": "JWT"}),
            claims: json!({
                "user_id": user_id, "exp": now + 1800, "iat": now, "jti": "5f3c2a9e", "typ": "access_token"
            }),
            key: SECRET_KEY.as_bytes().to_vec(),
        }
    }

    /// A refresh token as the earlier system made them, good for a week.
    pub(crate) fn refresh(user_id: &str) -> Self {
        Self::access(user_id).claim("typ", "refresh_token").claim("exp", now() + 7 * 86_400)
    }

    /// What the server's own token says, to be signed by us.
    pub(crate) fn copy(token: &str) -> Self {
        Self { claims: claims_of(token), ..Self::access("") }
    }

    pub(crate) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.claims.as_object_mut().expect("claims are an object").remove(name);
        self
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header[name] = value.into();
        self
    }

    pub(crate) fn key(mut self, key: &str) -> Self {
        self.key = key.as_bytes().to_vec();
        self
    }

    fn unsigned(&self) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}", part(&self.header), part(&self.claims))
    }

    fn signed_by(&self, algorithm: hmac::Algorithm) -> String {
        let unsigned = self.unsigned();
        let tag = hmac::sign(&hmac::Key::new(algorithm, &self.key), unsigned.as_bytes());
        format!("{unsigned}.{}", URL_SAFE_NO_PAD.encode(tag))
    }

    /// Signs it with HS256.
    pub(crate) fn sign(&self) -> String {
        self.signed_by(hmac::HMAC_SHA256)
    }

    /// Signs it with HS512, and says so.
    pub(crate) fn sign_with_hs512(self) -> String {
        self.header("alg", "HS512").signed_by(hmac::HMAC_SHA512)
    }

    /// Signs it with nothing at all, and says so.
    pub(crate) fn sign_with_none(self, spelling: &str) -> String {
        format!("{}.", self.header("alg", spelling).unsigned())
    }
}
