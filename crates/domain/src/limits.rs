//! Who may ask how often. What is counted for clients and for accounts stands here, in memory; what a user's store keeps of
//! failed log-ins is in [`LogIns`](crate::entities::LogIns).
//!
//! The tables are bounded: whoever could be forgotten with the least harm is forgotten first. They know accounts by a keyed
//! fingerprint of the email alone, whether there is such a user or not, so that neither an answer nor a look at memory tells
//! who has an account.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::entities::LogIns;
use crate::values::{Client, Email, Timestamp};

/// How many clients and how many accounts are remembered: some 6 MB in all. A client is forgotten once it may do again all
/// that it may do at once.
const CLIENTS: usize = 32_768;
const ACCOUNTS: usize = 32_768;

/// How often somebody that hasn't logged in to an account before may try once it has failed too often.
const STRANGERS_EVERY: Duration = Duration::from_mins(1);

/// How long a failed log-in may take to be in the store. Until then it counts from memory.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// So many at once, and then one each time that so much time has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many at once.
    pub at_once: u32,
    /// How long until one more.
    pub every: Duration,
}

/// What an operator allows. `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateLimits {
    /// Failed log-ins of one client.
    pub log_in_failures_per_client: Option<Rate>,
    /// Failed log-ins to one account in a row; then one a minute for all clients that haven't logged in to it.
    pub log_in_failures_per_account: Option<u32>,
    /// Sign-ups of one client.
    pub sign_ups_per_client: Option<Rate>,
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    LogInFailuresPerClient,
    LogInFailuresPerAccount,
    SignUpsPerClient,
}

impl Limit {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::LogInFailuresPerClient => "LOGIN_FAILURES_PER_CLIENT",
            Self::LogInFailuresPerAccount => "LOGIN_FAILURES_PER_ACCOUNT",
            Self::SignUpsPerClient => "SIGNUPS_PER_CLIENT",
        }
    }
}

/// Too many: of what, how long to wait, and whether the one before was still let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany {
    pub(crate) limit: Limit,
    pub(crate) retry_after: Duration,
    pub(crate) is_first: bool,
}

/// Whether that client isn't one of those that logged in last.
pub(crate) fn is_stranger(client: Option<Client>, known: Option<&LogIns>) -> bool {
    !client.zip(known).is_some_and(|(client, known)| known.clients.contains(&client))
}

/// What is counted.
pub(crate) struct Limiter {
    limits: RateLimits,
    log_ins: Mutex<Buckets>,
    sign_ups: Mutex<Buckets>,
    accounts: Mutex<Accounts>,
    fingerprints: RandomState,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Limiter {
    pub(crate) fn new(limits: RateLimits) -> Self {
        Self {
            limits,
            log_ins: Mutex::default(),
            sign_ups: Mutex::default(),
            accounts: Mutex::default(),
            fingerprints: RandomState::new(),
        }
    }

    /// Whether the client may try to log in, as far as its failures go.
    pub(crate) fn may_log_in(&self, client: Option<Client>, now: Timestamp) -> Result<(), TooMany> {
        let (Some(client), Some(rate)) = (client, self.limits.log_in_failures_per_client) else {
            return Ok(());
        };
        lock(&self.log_ins).check(client, rate, now).map_err(|(retry_after, is_first)| TooMany {
            limit: Limit::LogInFailuresPerClient,
            retry_after,
            is_first,
        })
    }

    /// The same, asked by the way: it is no refusal.
    pub(crate) fn may_still_log_in(&self, client: Option<Client>, now: Timestamp) -> bool {
        let (Some(client), Some(rate)) = (client, self.limits.log_in_failures_per_client) else {
            return true;
        };
        lock(&self.log_ins).wait(client, rate, now).is_none()
    }

    /// Whether this account may be tried by that client. `known` is what the store has of it, where there is such a user.
    ///
    /// What is let in once a minute is taken by this.
    pub(crate) fn may_try(
        &self,
        email: &Email,
        client: Option<Client>,
        known: Option<&LogIns>,
        now: Timestamp,
    ) -> Result<(), TooMany> {
        let Some(limit) = self.limits.log_in_failures_per_account else { return Ok(()) };
        if client.is_none() || !is_stranger(client, known) {
            return Ok(());
        }
        let account = self.fingerprint(email);
        lock(&self.accounts).try_one(account, limit, known, now).map_err(|(retry_after, is_first)| TooMany {
            limit: Limit::LogInFailuresPerAccount,
            retry_after,
            is_first,
        })
    }

    /// Counts a failed log-in.
    pub(crate) fn log_in_failed(
        &self,
        email: &Email,
        client: Option<Client>,
        known: Option<&LogIns>,
        now: Timestamp,
    ) {
        let by_stranger = is_stranger(client, known);
        if let (Some(client), Some(rate)) = (client, self.limits.log_in_failures_per_client) {
            lock(&self.log_ins).take(client, rate, now);
        }
        if self.limits.log_in_failures_per_account.is_some() {
            lock(&self.accounts).failed(self.fingerprint(email), known, by_stranger, now);
        }
    }

    /// Ends the row of failed log-ins.
    pub(crate) fn logged_in(&self, email: &Email) {
        if self.limits.log_in_failures_per_account.is_some() {
            lock(&self.accounts).forget(self.fingerprint(email));
        }
    }

    /// Counts a sign-up, where it is let in.
    pub(crate) fn sign_up(&self, client: Option<Client>, now: Timestamp) -> Result<(), TooMany> {
        let (Some(client), Some(rate)) = (client, self.limits.sign_ups_per_client) else { return Ok(()) };
        let mut sign_ups = lock(&self.sign_ups);
        sign_ups.check(client, rate, now).map_err(|(retry_after, is_first)| TooMany {
            limit: Limit::SignUpsPerClient,
            retry_after,
            is_first,
        })?;
        sign_ups.take(client, rate, now);
        Ok(())
    }

    fn fingerprint(&self, email: &Email) -> u64 {
        self.fingerprints.hash_one(email.key())
    }
}

/// What clients have used, each as the time at which all of it is theirs again (the generic cell rate algorithm).
#[derive(Default)]
struct Buckets {
    clients: HashMap<Client, Bucket>,
    /// Whoever has used the least is forgotten first: to make one be forgotten that has used much, others have to use as much.
    by_time: BTreeSet<(Timestamp, Client)>,
}

#[derive(Clone, Copy)]
struct Bucket {
    full_at: Timestamp,
    was_refused: bool,
}

impl Buckets {
    /// How long to wait, and whether this is the first refusal, where the client has used all.
    fn check(&mut self, client: Client, rate: Rate, now: Timestamp) -> Result<(), (Duration, bool)> {
        let wait = self.wait(client, rate, now);
        let Some(bucket) = self.clients.get_mut(&client) else { return Ok(()) };
        let was_refused = std::mem::replace(&mut bucket.was_refused, wait.is_some());
        wait.map_or(Ok(()), |wait| Err((wait, !was_refused)))
    }

    /// How long to wait, where the client has used all.
    fn wait(&self, client: Client, rate: Rate, now: Timestamp) -> Option<Duration> {
        let used = self.clients.get(&client)?.full_at.since(now);
        let allowed = rate.every.saturating_mul(rate.at_once.saturating_sub(1));
        used.checked_sub(allowed).filter(|wait| !wait.is_zero())
    }

    fn take(&mut self, client: Client, rate: Rate, now: Timestamp) {
        let before = self.clients.get(&client).copied();
        if let Some(before) = before {
            self.by_time.remove(&(before.full_at, client));
        }
        let from = before.map_or(now, |before| before.full_at.max(now));
        let full_at = from.plus(rate.every);
        let was_refused = before.is_some_and(|before| before.was_refused);
        self.clients.insert(client, Bucket { full_at, was_refused });
        self.by_time.insert((full_at, client));
        if self.clients.len() > CLIENTS
            && let Some((_, forgotten)) = self.by_time.pop_first()
        {
            self.clients.remove(&forgotten);
        }
    }
}

/// Failed log-ins in a row, of accounts that exist and of others.
#[derive(Default)]
struct Accounts {
    rows: HashMap<u64, Row>,
    /// Whoever failed the least, and longest ago, is forgotten first.
    by_failures: BTreeSet<(u32, Timestamp, u64)>,
}

#[derive(Clone, Copy)]
struct Row {
    failures: u32,
    last: Timestamp,
    /// When a stranger was last let in.
    stranger_at: Option<Timestamp>,
    was_refused: bool,
}

impl Accounts {
    fn put(&mut self, account: u64, row: Row) {
        self.forget(account);
        self.rows.insert(account, row);
        self.by_failures.insert((row.failures, row.last, account));
        if self.rows.len() > ACCOUNTS
            && let Some((_, _, forgotten)) = self.by_failures.pop_first()
        {
            self.rows.remove(&forgotten);
        }
    }

    fn forget(&mut self, account: u64) {
        if let Some(row) = self.rows.remove(&account) {
            self.by_failures.remove(&(row.failures, row.last, account));
        }
    }

    /// How it stands with the account: what the store has counts, and what may not be there yet.
    fn row(&self, account: u64, known: Option<&LogIns>, now: Timestamp) -> Option<Row> {
        let own = self.rows.get(&account).copied();
        let Some(known) = known else { return own };
        let recent = own.filter(|own| now.since(own.last) < WRITTEN_WITHIN).map_or(0, |own| own.failures);
        let failures = known.failures.max(recent);
        let stranger_at = own.and_then(|own| own.stranger_at).max(known.stranger_failed_at);
        let (last, was_refused) = own.map_or((now, false), |own| (own.last, own.was_refused));
        (failures > 0).then_some(Row { failures, last, stranger_at, was_refused })
    }

    fn try_one(
        &mut self,
        account: u64,
        limit: u32,
        known: Option<&LogIns>,
        now: Timestamp,
    ) -> Result<(), (Duration, bool)> {
        let Some(mut row) = self.row(account, known, now).filter(|row| row.failures >= limit) else {
            return Ok(());
        };
        let waited = row.stranger_at.map_or(STRANGERS_EVERY, |at| now.since(at));
        if waited >= STRANGERS_EVERY {
            row.stranger_at = Some(now);
            row.was_refused = false;
            self.put(account, row);
            return Ok(());
        }
        let is_first = !std::mem::replace(&mut row.was_refused, true);
        self.put(account, row);
        Err((STRANGERS_EVERY.saturating_sub(waited), is_first))
    }

    fn failed(&mut self, account: u64, known: Option<&LogIns>, by_stranger: bool, now: Timestamp) {
        let row = self.row(account, known, now);
        let before = row.unwrap_or(Row { failures: 0, last: now, stranger_at: None, was_refused: false });
        let stranger_at = before.stranger_at.max(by_stranger.then_some(now));
        let failures = before.failures.saturating_add(1);
        self.put(account, Row { failures, last: now, stranger_at, ..before });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::ClientAddress;

    const START: Timestamp = Timestamp::from_millis(1_739_182_939_096);

    fn at(seconds: u64) -> Timestamp {
        START.plus(Duration::from_secs(seconds))
    }

    fn client(number: u32) -> Client {
        ClientAddress::new(std::net::IpAddr::V4(number.into())).client()
    }

    fn email(text: &str) -> Email {
        Email::from_store(text.to_owned())
    }

    fn limiter() -> Limiter {
        Limiter::new(RateLimits {
            log_in_failures_per_client: Some(Rate { at_once: 3, every: Duration::from_secs(6) }),
            log_in_failures_per_account: Some(5),
            sign_ups_per_client: Some(Rate { at_once: 2, every: Duration::from_mins(1) }),
        })
    }

    fn known(failures: u32, clients: &[u32]) -> LogIns {
        LogIns {
            failures,
            stranger_failed_at: None,
            clients: clients.iter().map(|number| client(*number)).collect(),
        }
    }

    #[test]
    fn a_client_fails_so_often_at_once_and_then_so_often_a_minute() {
        let limiter = limiter();
        let fail = |now| limiter.log_in_failed(&email("a@b.de"), Some(client(1)), None, now);
        for _ in 0..3 {
            limiter.may_log_in(Some(client(1)), START).unwrap();
            fail(START);
        }
        let refused = limiter.may_log_in(Some(client(1)), START).unwrap_err();
        assert_eq!((refused.retry_after, refused.is_first), (Duration::from_secs(6), true));
        assert!(!limiter.may_log_in(Some(client(1)), at(1)).unwrap_err().is_first);
        limiter.may_log_in(Some(client(2)), START).unwrap();
        limiter.may_log_in(Some(client(1)), at(6)).unwrap();
        fail(at(6));
        assert!(limiter.may_log_in(Some(client(1)), at(11)).is_err());
        // Once it has been quiet, all is as at the beginning, and no more than that.
        for _ in 0..3 {
            limiter.may_log_in(Some(client(1)), at(600)).unwrap();
            fail(at(600));
        }
        assert!(limiter.may_log_in(Some(client(1)), at(600)).is_err());
    }

    #[test]
    fn failures_that_were_under_way_together_are_all_counted() {
        let limiter = limiter();
        for _ in 0..6 {
            limiter.log_in_failed(&email("a@b.de"), Some(client(1)), None, START);
        }
        let refused = limiter.may_log_in(Some(client(1)), START).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(4 * 6));
    }

    #[test]
    fn sign_ups_are_counted_by_client() {
        let limiter = limiter();
        limiter.sign_up(Some(client(1)), START).unwrap();
        limiter.sign_up(Some(client(1)), START).unwrap();
        let refused = limiter.sign_up(Some(client(1)), START).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_mins(1));
        limiter.sign_up(Some(client(2)), START).unwrap();
        limiter.sign_up(None, START).unwrap();
        limiter.sign_up(Some(client(1)), at(60)).unwrap();
    }

    /// An account of which the store knows nothing, and one of which it knows all that memory does.
    #[rstest::rstest]
    #[case::an_unknown_email(false)]
    #[case::a_known_email(true)]
    fn after_so_many_failures_strangers_get_one_try_a_minute_together(#[case] exists: bool) {
        let (limiter, ann) = (limiter(), email("ann@example.com"));
        let mut stored = known(0, &[]);
        let of = |stored: &LogIns| exists.then(|| stored.clone());
        for number in 0..5 {
            limiter.may_try(&ann, Some(client(number)), of(&stored).as_ref(), START).unwrap();
            limiter.log_in_failed(&ann, Some(client(number)), of(&stored).as_ref(), START);
            stored.failures += 1;
            stored.stranger_failed_at = Some(START);
        }
        let try_at = |seconds, number, stored: &LogIns| {
            limiter.may_try(&ann, Some(client(number)), of(stored).as_ref(), at(seconds))
        };
        let refused = try_at(15, 9, &stored).unwrap_err();
        assert_eq!((refused.retry_after, refused.is_first), (Duration::from_secs(45), true));
        try_at(60, 10, &stored).unwrap();
        assert!(try_at(60, 11, &stored).is_err());
        assert!(try_at(119, 11, &stored).is_err());
        try_at(120, 11, &stored).unwrap();
        // A log-in ends the row.
        limiter.logged_in(&ann);
        try_at(121, 12, &known(0, &[])).unwrap();
    }

    #[test]
    fn who_has_logged_in_before_is_never_refused_because_of_others() {
        let (limiter, ann) = (limiter(), email("ann@example.com"));
        let stored = known(1_000, &[7]);
        limiter.may_try(&ann, Some(client(1)), Some(&stored), START).unwrap();
        assert!(limiter.may_try(&ann, Some(client(1)), Some(&stored), START).is_err());
        for _ in 0..10 {
            limiter.may_try(&ann, Some(client(7)), Some(&stored), START).unwrap();
        }
    }

    #[test]
    fn what_is_not_in_the_store_yet_counts_all_the_same() {
        let (limiter, ann, stored) = (limiter(), email("ann@example.com"), known(4, &[]));
        limiter.log_in_failed(&ann, Some(client(1)), Some(&stored), START);
        assert!(limiter.may_try(&ann, Some(client(1)), Some(&stored), START).is_err());
        // Another instance has logged in meanwhile: what memory holds is stale.
        limiter.may_try(&ann, Some(client(1)), Some(&known(0, &[])), at(30)).unwrap();
    }

    #[test]
    fn without_limits_nobody_is_refused_and_nothing_is_kept() {
        let limiter = Limiter::new(RateLimits::default());
        for _ in 0..1_000 {
            limiter.log_in_failed(&email("a@b.de"), Some(client(1)), None, START);
            limiter.may_log_in(Some(client(1)), START).unwrap();
            limiter.may_try(&email("a@b.de"), Some(client(1)), None, START).unwrap();
            limiter.sign_up(Some(client(1)), START).unwrap();
        }
        assert!(lock(&limiter.log_ins).clients.is_empty() && lock(&limiter.accounts).rows.is_empty());
    }

    #[test]
    fn tables_are_bounded_and_whoever_used_much_is_not_forgotten() {
        let limiter = limiter();
        for _ in 0..5 {
            limiter.log_in_failed(&email("much@example.com"), Some(client(0)), None, START);
        }
        for number in 1..40_000 {
            limiter.log_in_failed(
                &email(&format!("{number}@example.com")),
                Some(client(number)),
                None,
                at(1),
            );
        }
        assert!(limiter.may_log_in(Some(client(0)), at(1)).is_err());
        assert!(limiter.may_try(&email("much@example.com"), Some(client(0)), None, at(1)).is_err());
        let (clients, accounts) = (lock(&limiter.log_ins), lock(&limiter.accounts));
        assert_eq!((clients.clients.len(), clients.by_time.len()), (CLIENTS, CLIENTS));
        assert_eq!((accounts.rows.len(), accounts.by_failures.len()), (ACCOUNTS, ACCOUNTS));
    }
}
