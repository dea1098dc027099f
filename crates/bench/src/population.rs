//! The users in the store. Their names are made so that the number of matches of each search is known.

use std::cell::Cell;

use roster_adapter_crypto::JwtTokens;
use roster_domain::entities::{Account, Session, TrashEntry, User};
use roster_domain::ports::{AccessClaims, AccountArchive, Tokens as _, Validity};
use roster_domain::values::{
    Email, Epoch, PasswordHash, Reason, RefreshToken, Role, SessionId, Timestamp, TokenId, TrashEntryId,
    UserId, Username,
};
use roster_domain::{ACCESS_TOKEN_LIFETIME, SESSION_LIFETIME};
use roster_domain_testkit::fixtures::change;
use secrecy::SecretString;

use crate::outcome::Outcome;

/// The password of everybody.
pub(crate) const PASSWORD: &str = "the password of everybody";

/// How many users have a session, and how many others are there to log in.
const CALLERS: u64 = 64;

/// How many accounts are written at once.
const BATCH: u64 = 1_000;

/// In the names of few: a thousand users, or one in a hundred where there are fewer than 100,000.
pub(crate) const FEW: Search = Search { text: "xyz", of_few: true };
/// The same number, but each three letters of it stand in a tenth of all names.
pub(crate) const FEW_OF_COMMON_PIECES: Search = Search { text: "larkspur", of_few: true };
/// In the names of a tenth of all users.
pub(crate) const MANY: Search = Search { text: "qvw", of_few: false };
/// In the names of a tenth of all users.
pub(crate) const MANY_LONG: Search = Search { text: "windmill", of_few: false };

/// What is searched for.
pub(crate) struct Search {
    pub(crate) text: &'static str,
    pub(crate) of_few: bool,
}

/// A user who is logged in.
pub(crate) struct Caller {
    pub(crate) id: UserId,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// Everybody in the store.
pub(crate) struct Population {
    users: u64,
    now: Timestamp,
    hash: PasswordHash,
    tokens: JwtTokens,
    pub(crate) callers: Vec<Caller>,
    turns: Cell<u64>,
}

impl Population {
    /// So many live users, and a hundredth as many in the trash.
    pub(crate) fn new(users: u64, secret_key: &str, hash: String, now: Timestamp) -> Self {
        let tokens = JwtTokens::new(SecretString::from(secret_key), None);
        let mut population = Self {
            users,
            now,
            hash: PasswordHash::new(hash),
            tokens,
            callers: Vec::new(),
            turns: Cell::new(0),
        };
        population.callers = (0..CALLERS).map(|number| population.caller(number)).collect();
        population
    }

    pub(crate) const fn users(&self) -> u64 {
        self.users
    }

    pub(crate) const fn trashed(&self) -> u64 {
        self.users / 100
    }

    /// How many users a search finds.
    pub(crate) const fn matches(&self, search: &Search) -> u64 {
        self.users.div_ceil(if search.of_few { self.few_every() } else { 10 })
    }

    /// Puts everybody into a store.
    pub(crate) async fn fill(&self, archive: &dyn AccountArchive) -> Outcome {
        let all = self.users + self.trashed();
        for first in (0..all).step_by(usize::try_from(BATCH)?) {
            let batch: Vec<_> = (first..all.min(first + BATCH)).map(|number| self.account(number)).collect();
            archive.write(&batch, &change()).await?;
        }
        Ok(())
    }

    /// A number that is given once.
    pub(crate) fn turn(&self) -> u64 {
        self.turns.replace(self.turns.get() + 1)
    }

    /// The user who may do everything.
    pub(crate) fn admin(&self) -> &Caller {
        &self.callers[0]
    }

    /// Some caller, another each time.
    pub(crate) fn any_caller(&self) -> &Caller {
        let place = usize::try_from(self.turn() % CALLERS).unwrap_or_default();
        &self.callers[place]
    }

    /// The email of some user who is there to log in, another each time.
    pub(crate) fn any_email(&self) -> String {
        self.email(self.turn() % CALLERS * self.step() + 1)
    }

    /// Some user who is neither; anywhere, and no one again before everyone else was.
    pub(crate) fn anybody(&self) -> UserId {
        // A prime larger than any number of users, so that nobody comes twice.
        const STRIDE: u64 = 2_147_483_647;
        let others = self.users - 2 * CALLERS;
        let number = self.turn() % others * STRIDE % others;
        let (block, rest) = (number / (self.step() - 2), number % (self.step() - 2));
        user_id(if block < CALLERS { block * self.step() + 2 + rest } else { number + 2 * CALLERS })
    }

    /// Callers stand so far from one another.
    const fn step(&self) -> u64 {
        self.users / CALLERS
    }

    /// One in so many users is one of few: a multiple of ten.
    const fn few_every(&self) -> u64 {
        let every = self.users / 1_000;
        if every < 100 { 100 } else { every.next_multiple_of(10) }
    }

    fn name(&self, number: u64) -> String {
        let marker = match (number % self.few_every(), number % 10) {
            (2, _) => FEW.text,
            (3, _) => FEW_OF_COMMON_PIECES.text,
            (_, 4) => "larks",
            (_, 5) => "kspur",
            (_, 6) => MANY.text,
            (_, 7) => MANY_LONG.text,
            _ => "",
        };
        // Hex digits, in no order, of which no marker can be made.
        format!("user{marker}{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn email(&self, number: u64) -> String {
        format!("{}@example.com", self.name(number))
    }

    fn account(&self, number: u64) -> Account {
        let id = user_id(number);
        let user = User {
            id,
            email: Email::from_store(self.email(number)),
            username: Username::from_store(self.name(number)),
            role: if id == self.admin().id { Role::Admin } else { Role::Regular },
            created_at: Some(self.now),
            updated_at: None,
            updated_by: None,
            profile_image: None,
        };
        let entry = TrashEntry {
            id: TrashEntryId::from_bytes(*id.as_bytes()),
            user_id: id,
            deleted_by: self.admin().id,
            deleted_at: self.now,
            reason: Reason::from_store("spam".to_owned()),
        };
        let session = self.callers.iter().find(|caller| caller.id == id).map(|caller| Session {
            id: session_id(id),
            refresh_token: self.tokens.fingerprint(&RefreshToken::new(caller.refresh.clone())),
            started_at: self.now,
        });
        Account {
            user,
            password_hash: self.hash.clone(),
            epoch: Epoch::FIRST,
            sessions: session.into_iter().collect(),
            trash: (number >= self.users).then_some(entry),
        }
    }

    fn caller(&self, number: u64) -> Caller {
        let id = user_id(number * self.step());
        let claims = AccessClaims { user_id: id, session: Some(session_id(id)), epoch: Epoch::FIRST };
        let token = TokenId(*session_id(id).as_bytes());
        Caller {
            id,
            access: self
                .tokens
                .issue_access(&claims, token, Validity::starting(self.now, ACCESS_TOKEN_LIFETIME))
                .expose()
                .to_owned(),
            refresh: self
                .tokens
                .issue_refresh(&claims, token, Validity::starting(self.now, SESSION_LIFETIME))
                .expose()
                .to_owned(),
        }
    }

    /// Renews the callers' access tokens.
    pub(crate) fn renew(&mut self, now: Timestamp) {
        let token = |id| {
            let claims = AccessClaims { user_id: id, session: Some(session_id(id)), epoch: Epoch::FIRST };
            self.tokens
                .issue_access(&claims, TokenId([0; 16]), Validity::starting(now, ACCESS_TOKEN_LIFETIME))
                .expose()
                .to_owned()
        };
        let access: Vec<_> = self.callers.iter().map(|caller| token(caller.id)).collect();
        for (caller, access) in self.callers.iter_mut().zip(access) {
            caller.access = access;
        }
    }
}

/// Larger for larger numbers, and smaller than the ids that are made today.
fn user_id(number: u64) -> UserId {
    let mut bytes = [0x60; 12];
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    UserId::from_bytes(bytes)
}

fn session_id(user: UserId) -> SessionId {
    let mut bytes = [0; 16];
    bytes[4..].copy_from_slice(user.as_bytes());
    SessionId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn of(users: u64) -> Population {
        Population::new(users, "a key", "a hash".to_owned(), Timestamp::from_millis(0))
    }

    #[test]
    fn everybody_but_callers_and_those_who_log_in_comes_once_and_then_again() {
        for users in [200, 1_000, 12_300] {
            let all = of(users);
            let special: BTreeSet<_> = (0..CALLERS)
                .flat_map(|number| [user_id(number * all.step()), user_id(number * all.step() + 1)])
                .collect();
            let others: BTreeSet<_> = (0..users).map(user_id).filter(|id| !special.contains(id)).collect();
            assert_eq!((0..others.len()).map(|_| all.anybody()).collect::<BTreeSet<_>>(), others, "{users}");
        }
    }

    #[test]
    fn a_search_finds_as_many_as_are_told() {
        for users in [200, 1_000, 12_300, 112_300] {
            let all = of(users);
            let names: Vec<_> = (0..users).map(|number| all.name(number)).collect();
            for search in [FEW, FEW_OF_COMMON_PIECES, MANY, MANY_LONG] {
                let found = names.iter().filter(|name| name.contains(search.text)).count();
                assert_eq!(u64::try_from(found), Ok(all.matches(&search)), "{} of {users}", search.text);
            }
        }
        assert_eq!((of(1_000_000).matches(&FEW), of(1_000_000).matches(&MANY)), (1_000, 100_000));
    }
}
