//! What stands in a token, in JSON.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use roster_domain::ports::{AccessClaims, InvalidToken, Validity};
use roster_domain::values::{Epoch, SessionId, Timestamp, TokenId, UserId};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    #[serde(rename = "access_token")]
    Access,
    #[serde(rename = "refresh_token")]
    Refresh,
}

/// The claims that we write.
#[derive(Serialize)]
pub(crate) struct NewClaims {
    user_id: Text<UserId>,
    exp: i64,
    iat: i64,
    jti: String,
    typ: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<Text<SessionId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<u32>,
}

impl NewClaims {
    /// `sid` and `epoch` go together. Without a session it is a token like those of an earlier system, and counts as of the
    /// first epoch.
    pub(crate) fn new(kind: Kind, claims: &AccessClaims, id: TokenId, validity: Validity) -> Self {
        Self {
            user_id: Text(claims.user_id),
            exp: validity.expires.as_seconds(),
            iat: validity.issued.as_seconds(),
            jti: format!("{:032x}", u128::from_be_bytes(id.0)),
            typ: kind,
            sid: claims.session.map(Text),
            epoch: claims.session.and(Some(claims.epoch.get())),
        }
    }
}

/// The claims that we read: ours, and those of an earlier system, which knows neither `sid` nor `epoch`. Nothing hangs on
/// `iat` and `jti`, whatever they hold.
#[derive(Deserialize)]
pub(crate) struct Claims {
    user_id: Text<UserId>,
    exp: NumericDate,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<NumericDate>,
    typ: Kind,
    #[serde(default, deserialize_with = "present")]
    sid: Option<Text<SessionId>>,
    #[serde(default, deserialize_with = "present")]
    epoch: Option<u32>,
}

impl Claims {
    /// What they say, where they say it at `now` and of this kind of token.
    pub(crate) fn check(self, kind: Kind, now: Timestamp) -> Result<AccessClaims, InvalidToken> {
        let lives = now < self.exp.0 && self.nbf.is_none_or(|nbf| nbf.0 <= now);
        let (session, epoch) = match (self.sid, self.epoch) {
            (Some(sid), Some(epoch)) => (Some(sid.0), Epoch::new(epoch)),
            (None, None) => (None, Epoch::FIRST),
            // Neither we nor an earlier system make such tokens.
            _ => return Err(InvalidToken),
        };
        if lives && self.typ == kind {
            Ok(AccessClaims { user_id: self.user_id.0, session, epoch })
        } else {
            Err(InvalidToken)
        }
    }
}

/// A claim that may be missing but, where it is there, is no `null`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Seconds since 1970, which may have a fraction (RFC 7519, 2).
struct NumericDate(Timestamp);

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        let since_1970 = Duration::try_from_secs_f64(seconds).map_err(Error::custom)?;
        Ok(Self(Timestamp::from_millis(0).plus(since_1970)))
    }
}

/// A value in a JSON string, in its text form.
struct Text<T>(T);

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Not copied, unless there are escapes in it.
        #[derive(Deserialize)]
        struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

        let text = Borrowed::deserialize(deserializer)?.0;
        text.parse().map(Self).map_err(Error::custom)
    }
}
