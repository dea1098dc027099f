use std::sync::Arc;

use tracing::field::display;

use super::Roster;
use crate::Error;
use crate::entities::Request;
use crate::limits::is_stranger;
use crate::ports::{
    AccessClaims, Asker, Credentials, FailedLogIn, HashError, OpenSession, Rehash, StillWanted, Verdict,
};
use crate::values::{AccessToken, ClientAddress, Email, Password, PasswordHash, RefreshToken};

/// What a log-in gives.
#[derive(Debug, Clone)]
pub struct TokenPair {
    /// For the next half hour: [`ACCESS_TOKEN_LIFETIME`](super::ACCESS_TOKEN_LIFETIME).
    pub access: AccessToken,
    /// For new access tokens, as long as the session lasts: [`SESSION_LIFETIME`](super::SESSION_LIFETIME) at most.
    pub refresh: RefreshToken,
}

/// Somebody who knew a live user's email and password, and has no session yet.
#[derive(Debug)]
pub struct Known {
    email: Email,
    credentials: Credentials,
    rehash: Option<Rehash>,
}

/// What came of checking a password.
#[derive(Debug)]
pub enum Checked {
    /// It was right.
    Right(Known),
    /// There is no such live user, or it was wrong. To be answered as [`Error::BadCredentials`], before
    /// [`note_failed_log_in`](Roster::note_failed_log_in).
    Wrong(FailedCheck),
}

/// A log-in that failed. It doesn't tell whether there is such a user.
#[derive(Debug)]
pub struct FailedCheck(Option<FailedLogIn>);

impl Roster {
    /// Starts a session for whoever knows a live user's email and password: [`check_password`](Self::check_password),
    /// [`start_session`](Self::start_session) and [`note_failed_log_in`](Self::note_failed_log_in).
    pub async fn log_in(
        &self,
        email: Email,
        password: Password,
        request: Request,
    ) -> Result<TokenPair, Error> {
        match self.check_password(email, password, request).await? {
            Checked::Right(known) => self.start_session(known, request).await,
            Checked::Wrong(failed) => {
                self.note_failed_log_in(failed, request).await?;
                Err(Error::BadCredentials)
            }
        }
    }

    /// Checks a password, and where it was sent in other bytes than those that are hashed today, these too: an older hash may be
    /// of them, and is outdated then. Whether there is a user makes no difference to how often is hashed.
    async fn verify(
        &self,
        password: Password,
        hash: Option<PasswordHash>,
        asker: Asker,
    ) -> Result<Verdict, HashError> {
        let hasher = &self.ports.hasher;
        let Some(as_sent) = password.as_sent() else { return hasher.verify(password, hash, asker).await };
        let verdict = hasher.verify(password.clone(), hash.clone(), asker.clone()).await?;
        if verdict != Verdict::Mismatch
            || hasher.verify(as_sent, hash, asker.clone()).await? == Verdict::Mismatch
        {
            return Ok(verdict);
        }
        match hasher.hash(password, asker).await {
            Ok(renewed) => Ok(Verdict::MatchOutdated(renewed)),
            // Where there is no time for another hash, the next log-in will do.
            Err(HashError::Overloaded | HashError::NotWanted) => Ok(Verdict::Match),
            Err(error) => Err(error),
        }
    }

    /// The first half of a log-in. It writes nothing: dropped, it waits no longer for its turn to hash.
    ///
    /// An unknown email, a wrong password and a trashed user cost the same time and give the same answer. Failures count, for
    /// the client and for the account, whether there is such an account or not.
    ///
    /// # Errors
    /// [`Error::RateLimited`] where too many have failed.
    pub async fn check_password(
        &self,
        email: Email,
        password: Password,
        request: Request,
    ) -> Result<Checked, Error> {
        let (limiter, clock) = (&self.limiter, &self.ports.clock);
        let client = request.client.map(ClientAddress::client);
        let refusal = |too_many| Self::limited(too_many, request);
        limiter.may_log_in(client, clock.now()).map_err(refusal)?;
        let credentials = self.ports.sessions.credentials(&email).await?;
        let log_ins = credentials.as_ref().map(|credentials| &credentials.log_ins);
        limiter.may_try(&email, client, log_ins, clock.now()).map_err(refusal)?;

        let hash = credentials.as_ref().map(|credentials| credentials.password_hash.clone());
        let still_wanted = {
            let (limiter, clock) = (Arc::clone(limiter), Arc::clone(clock));
            // Others of this client may have failed while this one waited.
            StillWanted::as_long_as(move || limiter.may_still_log_in(client, clock.now()))
        };
        let asker = Asker { still_wanted, ..request.asker(email.clone()) };
        let verdict = match self.verify(password, hash, asker).await {
            Err(HashError::NotWanted) => {
                limiter.may_log_in(client, clock.now()).map_err(refusal)?;
                // Let in again in this very moment, it has lost its turn all the same.
                return Err(Error::Overloaded);
            }
            verdict => verdict?,
        };
        match (credentials, verdict) {
            (Some(credentials), Verdict::Match) => {
                Ok(Checked::Right(Known { email, credentials, rehash: None }))
            }
            (Some(credentials), Verdict::MatchOutdated(new)) => {
                let rehash = Some(Rehash { old: credentials.password_hash.clone(), new });
                Ok(Checked::Right(Known { email, credentials, rehash }))
            }
            (credentials, _) => {
                let log_ins = credentials.as_ref().map(|credentials| &credentials.log_ins);
                limiter.log_in_failed(&email, client, log_ins, clock.now());
                let by_stranger = is_stranger(client, log_ins);
                let user_id = credentials.map(|credentials| credentials.user_id);
                let (user, address) = (user_id.map(display), request.client.map(display));
                tracing::info!(event = "log-in failed", user, client = address, %request, "a log-in failed");
                Ok(Checked::Wrong(FailedCheck(user_id.map(|user_id| FailedLogIn { user_id, by_stranger }))))
            }
        }
    }

    /// Has the store count a failed log-in. It comes after the answer, so that its time tells nothing; a crash may lose it.
    pub async fn note_failed_log_in(&self, failed: FailedCheck, request: Request) -> Result<(), Error> {
        if let Some(failed) = failed.0 {
            self.ports.sessions.log_in_failed(&failed, &self.change(None, request)).await?;
        }
        Ok(())
    }

    /// The second half of a log-in.
    pub async fn start_session(&self, known: Known, request: Request) -> Result<TokenPair, Error> {
        let Known { email, credentials, rehash } = known;
        let change = self.change(Some(credentials.user_id), request);
        let session = self.ports.ids.session_id();
        let claims =
            AccessClaims { user_id: credentials.user_id, session: Some(session), epoch: credentials.epoch };
        let pair = TokenPair {
            access: self.access_token(&claims, change.at),
            refresh: self.refresh_token(&claims, change.at),
        };
        let open = OpenSession {
            user_id: claims.user_id,
            epoch: claims.epoch,
            session,
            refresh_token: self.ports.tokens.fingerprint(&pair.refresh),
            rehash,
        };
        let client = request.client.map(display);
        if self.ports.sessions.open(&open, &change).await? {
            self.limiter.logged_in(&email);
            tracing::info!(event = "logged in", user = %claims.user_id, client, %request, "a user logged in");
            Ok(pair)
        } else {
            // Deleted since the password was checked.
            tracing::info!(
                event = "log-in failed",
                user = %claims.user_id,
                client,
                %request,
                "a log-in failed"
            );
            Err(Error::BadCredentials)
        }
    }
}

#[cfg(test)]
mod tests {
    use mockall::predicate::eq;

    use super::super::testing::{ANN, EPOCH, NOW, REQUEST, SESSION, World};
    use super::*;
    use crate::entities::LogIns;
    use crate::limits::{Rate, RateLimits};
    use crate::values::TokenFingerprint;

    fn hash(text: &str) -> PasswordHash {
        PasswordHash::new(text.to_owned())
    }

    fn world(known: bool, verdict: Verdict) -> World {
        let mut world = World::new();
        let credentials = Credentials {
            user_id: ANN,
            password_hash: hash("old"),
            epoch: EPOCH,
            log_ins: LogIns::default(),
        };
        world.sessions.expect_credentials().returning(move |_| Ok(known.then(|| credentials.clone())));
        world
            .hasher
            .expect_verify()
            .withf(move |_, stored, _| *stored == known.then(|| hash("old")))
            .times(1)
            .returning(move |_, _, _| Ok(verdict.clone()));
        world.tokens.expect_issue_access().returning(|_, _, _| AccessToken::new("access".to_owned()));
        world.tokens.expect_issue_refresh().returning(|_, _, _| RefreshToken::new("refresh".to_owned()));
        world.tokens.expect_fingerprint().returning(|_| TokenFingerprint::from_bytes([1; 32]));
        world
    }

    fn opened(rehash: Option<Rehash>) -> OpenSession {
        let refresh_token = TokenFingerprint::from_bytes([1; 32]);
        OpenSession { user_id: ANN, epoch: EPOCH, session: SESSION, refresh_token, rehash }
    }

    async fn log_in(world: World) -> Result<TokenPair, Error> {
        let email = Email::parse("ann@example.com").unwrap();
        world.roster().log_in(email, Password::parse("secret".to_owned()).unwrap(), REQUEST).await
    }

    #[tokio::test]
    async fn the_right_password_starts_a_session() {
        let mut world = world(true, Verdict::Match);
        world
            .sessions
            .expect_open()
            .withf(|open, change| *open == opened(None) && change.at == NOW)
            .returning(|_, _| Ok(true));
        let pair = log_in(world).await.unwrap();
        assert_eq!((pair.access.expose(), pair.refresh.expose()), ("access", "refresh"));
    }

    #[tokio::test]
    async fn a_wrong_password_and_an_unknown_email_are_one_refusal_at_the_cost_of_one_hash() {
        let mut known = world(true, Verdict::Mismatch);
        known
            .sessions
            .expect_log_in_failed()
            .withf(|failed, _| *failed == FailedLogIn { user_id: ANN, by_stranger: true })
            .times(1)
            .returning(|_, _| Ok(()));
        assert!(matches!(log_in(known).await, Err(Error::BadCredentials)));
        assert!(matches!(log_in(world(false, Verdict::Mismatch)).await, Err(Error::BadCredentials)));
    }

    #[tokio::test]
    async fn a_user_deleted_while_the_password_was_checked_does_not_log_in() {
        let mut world = world(true, Verdict::Match);
        world.sessions.expect_open().returning(|_, _| Ok(false));
        assert!(matches!(log_in(world).await, Err(Error::BadCredentials)));
    }

    #[tokio::test]
    async fn an_outdated_hash_is_replaced() {
        let mut world = world(true, Verdict::MatchOutdated(hash("new")));
        let rehash = Rehash { old: hash("old"), new: hash("new") };
        let expected = opened(Some(rehash));
        world.sessions.expect_open().withf(move |open, _| *open == expected).returning(|_, _| Ok(true));
        log_in(world).await.unwrap();
    }

    /// A world in which a password that is not composed is checked against a hash of these bytes.
    fn world_with_hash_of(text: Option<&'static str>) -> World {
        let mut world = World::new();
        let credentials = Credentials {
            user_id: ANN,
            password_hash: hash("old"),
            epoch: EPOCH,
            log_ins: LogIns::default(),
        };
        world.sessions.expect_log_in_failed().returning(|_, _| Ok(()));
        world.sessions.expect_credentials().returning(move |_| Ok(text.map(|_| credentials.clone())));
        world.hasher.expect_verify().returning(move |password, _, _| {
            let matches = text == Some(password.expose());
            Ok(if matches { Verdict::Match } else { Verdict::Mismatch })
        });
        world
            .hasher
            .expect_hash()
            .returning(|password, _| Ok(hash(&format!("new of {}", password.expose()))));
        world.tokens.expect_issue_access().returning(|_, _, _| AccessToken::new("access".to_owned()));
        world.tokens.expect_issue_refresh().returning(|_, _, _| RefreshToken::new("refresh".to_owned()));
        world.tokens.expect_fingerprint().returning(|_| TokenFingerprint::from_bytes([1; 32]));
        world
    }

    async fn log_in_decomposed(world: World) -> Result<TokenPair, Error> {
        let email = Email::parse("ann@example.com").unwrap();
        world.roster().log_in(email, Password::parse("pa\u{308}ss".to_owned()).unwrap(), REQUEST).await
    }

    #[tokio::test]
    async fn a_hash_of_a_password_that_was_not_composed_still_verifies_and_is_renewed() {
        let mut world = world_with_hash_of(Some("pa\u{308}ss"));
        let expected = opened(Some(Rehash { old: hash("old"), new: hash("new of päss") }));
        world.sessions.expect_open().withf(move |open, _| *open == expected).returning(|_, _| Ok(true));
        log_in_decomposed(world).await.unwrap();
    }

    #[tokio::test]
    async fn a_password_that_was_not_composed_matches_the_hash_of_the_composed_one() {
        let mut world = world_with_hash_of(Some("päss"));
        world.sessions.expect_open().withf(|open, _| *open == opened(None)).returning(|_, _| Ok(true));
        log_in_decomposed(world).await.unwrap();
    }

    #[tokio::test]
    async fn a_password_that_was_not_composed_costs_as_much_for_nobody_as_for_somebody() {
        for hash_of in [None, Some("another")] {
            let mut world = world_with_hash_of(hash_of);
            world.hasher.checkpoint();
            world.hasher.expect_verify().times(2).returning(|_, _, _| Ok(Verdict::Mismatch));
            assert!(matches!(log_in_decomposed(world).await, Err(Error::BadCredentials)));
        }
    }

    #[tokio::test]
    async fn a_full_hash_queue_is_told_and_no_session_starts() {
        let mut world = World::new();
        world
            .sessions
            .expect_credentials()
            .with(eq(Email::parse("ann@example.com").unwrap()))
            .returning(|_| Ok(None));
        world.hasher.expect_verify().returning(|_, _, _| Err(HashError::Overloaded));
        assert!(matches!(log_in(world).await, Err(Error::Overloaded)));
    }

    #[tokio::test]
    async fn who_failed_too_often_is_refused_before_anything_is_looked_up_or_hashed() {
        let mut world = World::new();
        let once = Rate { at_once: 1, every: std::time::Duration::from_secs(6) };
        world.limits = RateLimits { log_in_failures_per_client: Some(once), ..RateLimits::default() };
        world.sessions.expect_credentials().times(1).returning(|_| Ok(None));
        world.hasher.expect_verify().times(1).returning(|_, _, _| Ok(Verdict::Mismatch));
        let roster = world.roster();
        let log_in = || {
            let email = Email::parse("ann@example.com").unwrap();
            roster.log_in(email, Password::parse("secret".to_owned()).unwrap(), REQUEST)
        };
        assert!(matches!(log_in().await, Err(Error::BadCredentials)));
        let Err(Error::RateLimited { limit, retry_after }) = log_in().await else { panic!("it failed once") };
        assert_eq!((limit, retry_after.as_secs()), ("LOGIN_FAILURES_PER_CLIENT", 6));
    }
}
