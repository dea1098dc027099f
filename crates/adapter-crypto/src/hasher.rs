use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use ring::rand::{SecureRandom, SystemRandom};
use roster_domain::ports::{Asker, HashError, PasswordHasher, Verdict};
use roster_domain::values::{Password, PasswordHash};
use tokio::time::Instant;

use crate::pool::{Answer, Begun, Pool, Work};
use crate::queue::{Kind, Turn};
use crate::scheme;

/// How long a password waits for a place in a full queue. Clients that ask again at once then do so once a second instead of
/// thousands of times, which would leave the hashing no processor.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a [`BcryptHasher`] works.
#[derive(Debug, Clone, Copy)]
pub struct HasherConfig {
    /// The cost of new hashes, 4 to 16; each takes twice the time of the one below.
    pub cost: u32,
    /// The dearest cost that a stored hash may have. A password that doesn't match takes the time of it, whether there is a
    /// hash or not; a dearer hash that is met counts from then on. What is cheaper than `cost` is `cost`.
    pub dearest: u32,
    /// How many passwords may wait, besides one for each thread. What finds the queue full waits a second for a place in it.
    pub queue: usize,
    /// How long one may take, waiting included.
    pub deadline: Duration,
    /// How many are hashed at once.
    pub threads: NonZero<usize>,
}

/// Why a [`BcryptHasher`] did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No such cost.
    #[error("the bcrypt cost is {0}, and must be 4 to 16")]
    Cost(u32),
    /// No thread could be had.
    #[error("cannot start a hashing thread")]
    Thread(#[source] std::io::Error),
}

/// Hashes passwords with bcrypt, on threads of its own, one for each that may be hashed at once.
///
/// Hashes are plain bcrypt, `$2b$`, for passwords of less than 72 bytes without a NUL, and passlib's `$bcrypt-sha256$v=2`
/// for all others. Those of earlier systems, `$2a$` and `$2y$`, are read as well; a plain hash is compared with the first
/// 72 bytes of a longer password, as those systems did.
pub struct BcryptHasher {
    pool: Pool<Task>,
    random: SystemRandom,
    /// Keyed by chance, so that nobody can choose two accounts that share a turn.
    accounts: RandomState,
}

impl fmt::Debug for BcryptHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BcryptHasher").finish_non_exhaustive()
    }
}

/// What threads do.
enum Task {
    Hash { password: Password, salt: [u8; 16], answer: Answer<PasswordHash> },
    Check { password: Password, hash: Option<PasswordHash>, salt: [u8; 16], answer: Answer<Verdict> },
}

impl Work for Task {
    fn is_awaited(&self) -> bool {
        match self {
            Self::Hash { answer, .. } => !answer.is_closed(),
            Self::Check { answer, .. } => !answer.is_closed(),
        }
    }

    fn refuse(self, why: HashError) {
        // Nobody takes an answer where the caller has given up meanwhile.
        match self {
            Self::Hash { answer, .. } => drop(answer.send(Err(why))),
            Self::Check { answer, .. } => drop(answer.send(Err(why))),
        }
    }
}

impl Task {
    fn carry_out(self, end: Instant, costs: &Costs) {
        match self {
            Self::Hash { password, salt, answer } => {
                let hash = scheme::hash(&password, costs.of_new, salt);
                drop(answer.send(hash.map_err(|error| HashError::Failed(Box::new(error)))));
            }
            Self::Check { password, hash, salt, answer } => {
                drop(answer.send(Ok(check(&password, hash.as_ref(), salt, end, costs))));
            }
        }
    }
}

/// Checks a password, and makes the hash of today where it is another and there is time.
fn check(
    password: &Password,
    hash: Option<&PasswordHash>,
    salt: [u8; 16],
    end: Instant,
    costs: &Costs,
) -> Verdict {
    let began = Instant::now();
    if let Some(cost) = hash.and_then(scheme::cost_of) {
        costs.dearest.fetch_max(cost, Ordering::Relaxed);
    }
    match scheme::verify(password, hash, costs.of_new, costs.dearest.load(Ordering::Relaxed)) {
        scheme::Verdict::Mismatch => Verdict::Mismatch,
        scheme::Verdict::Match => Verdict::Match,
        scheme::Verdict::MatchOutdated { times } => {
            // Here and now, not in the queue again. Where that may take too long, the next log-in will do.
            let in_time = Instant::now() + began.elapsed() * times * 2 < end;
            if in_time { renewed(password, costs.of_new, salt) } else { Verdict::Match }
        }
    }
}

#[derive(Debug)]
struct Costs {
    of_new: u32,
    /// The dearest that a stored hash may have: whatever doesn't match takes its time.
    dearest: AtomicU32,
}

#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes")]
struct NoRandomBytes;

impl BcryptHasher {
    /// Starts the threads. They end when the hasher is dropped.
    pub fn start(config: HasherConfig) -> Result<Self, StartError> {
        let HasherConfig { cost, dearest, queue, deadline, threads } = config;
        if !scheme::COSTS.contains(&cost) {
            return Err(StartError::Cost(cost));
        }
        let dearest = dearest.max(cost).min(*scheme::COSTS.end());
        let costs = Arc::new(Costs { of_new: cost, dearest: AtomicU32::new(dearest) });
        let worker = move |Begun { work, end }: Begun<Task>| work.carry_out(end, &costs);
        let pool = Pool::start(threads, queue, PATIENCE, deadline, worker).map_err(StartError::Thread)?;
        Ok(Self { pool, random: SystemRandom::new(), accounts: RandomState::new() })
    }

    fn turn(&self, kind: Kind, asker: &Asker) -> Turn {
        Turn { kind, client: asker.client, account: self.accounts.hash_one(&asker.account) }
    }

    fn salt(&self) -> Result<[u8; 16], HashError> {
        let mut salt = [0; 16];
        self.random.fill(&mut salt).map_err(|_| HashError::Failed(Box::new(NoRandomBytes)))?;
        Ok(salt)
    }
}

/// That the password matches, and its hash as we make it today.
fn renewed(password: &Password, cost: u32, salt: [u8; 16]) -> Verdict {
    match scheme::hash(password, cost, salt) {
        Ok(hash) => Verdict::MatchOutdated(hash),
        Err(error) => {
            tracing::error!(event = "password not hashed anew", %error);
            Verdict::Match
        }
    }
}

#[async_trait]
impl PasswordHasher for BcryptHasher {
    async fn hash(&self, password: Password, asker: Asker) -> Result<PasswordHash, HashError> {
        let salt = self.salt()?;
        let turn = self.turn(Kind::SignUp, &asker);
        let work = |answer| Task::Hash { password, salt, answer };
        self.pool.run(turn, Box::new(move || asker.still_wanted.holds()), work).await
    }

    async fn verify(
        &self,
        password: Password,
        hash: Option<PasswordHash>,
        asker: Asker,
    ) -> Result<Verdict, HashError> {
        let salt = self.salt()?;
        let turn = self.turn(Kind::LogIn, &asker);
        let work = |answer| Task::Check { password, hash, salt, answer };
        self.pool.run(turn, Box::new(move || asker.still_wanted.holds()), work).await
    }
}
