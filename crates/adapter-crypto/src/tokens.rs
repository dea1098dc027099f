use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::digest::{SHA256, digest};
use ring::hmac::{self, HMAC_SHA256};
use roster_domain::ports::{AccessClaims, InvalidToken, RefreshClaims, Tokens, Validity};
use roster_domain::values::{AccessToken, RefreshToken, Timestamp, TokenFingerprint, TokenId};
use secrecy::{ExposeSecret, SecretString};

use crate::claims::{Claims, Kind, NewClaims};
use crate::provider;

/// Signs tokens as JWTs with HS256, and takes no other algorithm.
#[derive(Debug)]
pub struct JwtTokens {
    header: Header,
    /// The header as it stands in a token.
    header_text: String,
    signing: EncodingKey,
    verifying: hmac::Key,
    previous: Option<hmac::Key>,
}

impl JwtTokens {
    /// Tokens are signed with `secret`; those that were signed with `previous` are still read.
    ///
    /// # Panics
    /// Never: a token's header can be written as JSON.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "so that no copy of the keys outlives this")]
    pub fn new(secret: SecretString, previous: Option<SecretString>) -> Self {
        provider::install();
        let verifying =
            |secret: &SecretString| hmac::Key::new(HMAC_SHA256, secret.expose_secret().as_bytes());
        let header = Header::new(Algorithm::HS256);
        let header_json = serde_json::to_vec(&header).expect("a header of two names is JSON");
        Self {
            header,
            header_text: URL_SAFE_NO_PAD.encode(header_json),
            signing: EncodingKey::from_secret(secret.expose_secret().as_bytes()),
            verifying: verifying(&secret),
            previous: previous.as_ref().map(verifying),
        }
    }

    fn issue(&self, kind: Kind, claims: &AccessClaims, id: TokenId, validity: Validity) -> String {
        jsonwebtoken::encode(&self.header, &NewClaims::new(kind, claims, id, validity), &self.signing)
            .expect("an HMAC takes any key, and claims of numbers and texts are JSON")
    }

    /// Not by `jsonwebtoken::decode`, which reads header and claims twice, and a clock of its own, and makes the key anew
    /// each time.
    fn read(&self, kind: Kind, token: &str, now: Timestamp) -> Result<AccessClaims, InvalidToken> {
        let (signed, signature) = token.rsplit_once('.').ok_or(InvalidToken)?;
        let (header, payload) = signed.split_once('.').ok_or(InvalidToken)?;
        // Nearly every token has our own header. Another is read.
        if header != self.header_text {
            let header = jsonwebtoken::decode_header(token).map_err(|_| InvalidToken)?;
            if !is_plain_hs256(&header) {
                return Err(InvalidToken);
            }
        }
        let mut buffer = [0; 48];
        let length = URL_SAFE_NO_PAD.decode_slice(signature, &mut buffer).map_err(|_| InvalidToken)?;
        let is_signed_with = |key| hmac::verify(key, signed.as_bytes(), &buffer[..length]).is_ok();
        if !is_signed_with(&self.verifying) && !self.previous.as_ref().is_some_and(is_signed_with) {
            return Err(InvalidToken);
        }
        let json = URL_SAFE_NO_PAD.decode(payload).map_err(|_| InvalidToken)?;
        let claims: Claims = serde_json::from_slice(&json).map_err(|_| InvalidToken)?;
        claims.check(kind, now)
    }
}

impl Tokens for JwtTokens {
    fn issue_access(&self, claims: &AccessClaims, id: TokenId, validity: Validity) -> AccessToken {
        AccessToken::new(self.issue(Kind::Access, claims, id, validity))
    }

    fn issue_refresh(&self, claims: &RefreshClaims, id: TokenId, validity: Validity) -> RefreshToken {
        RefreshToken::new(self.issue(Kind::Refresh, claims, id, validity))
    }

    fn read_access(&self, token: &AccessToken, now: Timestamp) -> Result<AccessClaims, InvalidToken> {
        self.read(Kind::Access, token.expose(), now)
    }

    fn read_refresh(&self, token: &RefreshToken, now: Timestamp) -> Result<RefreshClaims, InvalidToken> {
        self.read(Kind::Refresh, token.expose(), now)
    }

    fn fingerprint(&self, token: &RefreshToken) -> TokenFingerprint {
        let digest = digest(&SHA256, token.expose().as_bytes());
        TokenFingerprint::from_bytes(digest.as_ref().try_into().expect("a SHA-256 is 32 bytes"))
    }
}

/// Whether the header leaves the key to us and asks for nothing that we would have to understand (RFC 8725, 3.1 and 3.10).
fn is_plain_hs256(header: &Header) -> bool {
    let Header { typ, alg, jku, jwk, kid, x5u, x5c, x5t, x5t_s256, crit, .. } = header;
    let names_a_key = jku.is_some()
        || jwk.is_some()
        || kid.is_some()
        || x5u.is_some()
        || x5c.is_some()
        || x5t.is_some()
        || x5t_s256.is_some();
    *alg == Algorithm::HS256
        && typ.as_deref().is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"))
        && !names_a_key
        && crit.is_none()
}
