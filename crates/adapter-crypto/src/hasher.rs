use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ring::rand::{SecureRandom, SystemRandom};
use roster_domain::ports::{Asker, HashError, PasswordHasher, Verdict};
use roster_domain::values::{Password, PasswordHash};

use crate::pool::Pool;
use crate::queue::{Kind, Turn};
use crate::scheme::{self, Check, Costs, Hash};

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
    /// How many passwords may wait, besides those that are hashed. What finds the queue full waits a second for a place in it.
    pub queue: usize,
    /// How long one may take, waiting included.
    pub deadline: Duration,
    /// How many threads hash, each of which takes up to three passwords at once.
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

/// Hashes passwords with bcrypt, on threads of its own. A thread hashes up to three at once, which together take little
/// longer than one; a password that is alone is hashed as fast as it can be.
///
/// Hashes are plain bcrypt, `$2b$`, for passwords of less than 72 bytes without a NUL, and passlib's `$bcrypt-sha256$v=2`
/// for all others. Those of earlier systems, `$2a$` and `$2y$`, are read as well; a plain hash is compared with the first
/// 72 bytes of a longer password, as those systems did.
pub struct BcryptHasher {
    pool: Pool,
    costs: Arc<Costs>,
    random: SystemRandom,
    /// Keyed by chance, so that nobody can choose two accounts that share a turn.
    accounts: RandomState,
}

impl fmt::Debug for BcryptHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BcryptHasher").field("costs", &self.costs).finish_non_exhaustive()
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes")]
struct NoRandomBytes;

impl BcryptHasher {
    /// Starts the threads. They end when the hasher is dropped.
    pub fn start(config: HasherConfig) -> Result<Self, StartError> {
        let HasherConfig { cost, dearest, queue, deadline, threads } = config;
        let cost = scheme::cost(cost).ok_or(StartError::Cost(cost))?;
        let pool = Pool::start(threads, queue, PATIENCE, deadline).map_err(StartError::Thread)?;
        let costs = Arc::new(Costs::new(cost, dearest));
        Ok(Self { pool, costs, random: SystemRandom::new(), accounts: RandomState::new() })
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

#[async_trait]
impl PasswordHasher for BcryptHasher {
    async fn hash(&self, password: Password, asker: Asker) -> Result<PasswordHash, HashError> {
        let turn = self.turn(Kind::SignUp, &asker);
        let work = Hash::new(password, self.costs.of_new, self.salt()?);
        self.pool.run(turn, asker.still_wanted, work).await
    }

    async fn verify(
        &self,
        password: Password,
        hash: Option<PasswordHash>,
        asker: Asker,
    ) -> Result<Verdict, HashError> {
        let turn = self.turn(Kind::LogIn, &asker);
        let work = Check::new(password, hash.as_ref(), self.salt()?, Arc::clone(&self.costs));
        self.pool.run(turn, asker.still_wanted, work).await
    }
}
