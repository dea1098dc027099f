use std::time::Duration;

use super::Roster;
use crate::ports::{AccessClaims, RefreshClaims, Validity};
use crate::values::{AccessToken, RefreshToken, Timestamp};

/// How long an access token is valid.
pub const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_mins(30);

/// How long a session lasts, unless it is ended: its refresh token is valid for as long.
pub const SESSION_LIFETIME: Duration = Duration::from_hours(7 * 24);

impl Roster {
    /// An access token that is issued at `now`.
    pub(super) fn access_token(&self, claims: &AccessClaims, now: Timestamp) -> AccessToken {
        let validity = Validity::starting(now, ACCESS_TOKEN_LIFETIME);
        self.ports.tokens.issue_access(claims, self.ports.ids.token_id(), validity)
    }

    /// The refresh token of a session that starts at `now`.
    pub(super) fn refresh_token(&self, claims: &RefreshClaims, now: Timestamp) -> RefreshToken {
        let validity = Validity::starting(now, SESSION_LIFETIME);
        self.ports.tokens.issue_refresh(claims, self.ports.ids.token_id(), validity)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{CLAIMS, NOW, World};
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_access_token_is_valid_for_half_an_hour_and_a_session_lasts_for_a_week() {
        let mut world = World::new();
        world
            .tokens
            .expect_issue_access()
            .withf(|_, _, validity| *validity == Validity { issued: NOW, expires: NOW.plus(SECOND * 1_800) })
            .times(1)
            .returning(|_, _, _| AccessToken::new("access".to_owned()));
        world
            .tokens
            .expect_issue_refresh()
            .withf(|_, _, validity| {
                *validity == Validity { issued: NOW, expires: NOW.plus(SECOND * 604_800) }
            })
            .times(1)
            .returning(|_, _, _| RefreshToken::new("refresh".to_owned()));
        let roster = world.roster();
        assert_eq!(roster.access_token(&CLAIMS, NOW).expose(), "access");
        assert_eq!(roster.refresh_token(&CLAIMS, NOW).expose(), "refresh");
    }
}
