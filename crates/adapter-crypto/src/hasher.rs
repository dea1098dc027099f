use std::num::NonZero;
use std::time::Duration;

use async_trait::async_trait;
use ring::rand::{SecureRandom, SystemRandom};
use roster_bcrypt_lanes::Cost;
use roster_domain::ports::{Asker, HashError, PasswordHasher, Verdict};
use roster_domain::values::{Password, PasswordHash};

use crate::pool::Pool;
use crate::scheme::{self, Check, Hash};

/// How long a password waits for a place in a full queue. Clients that ask again at once then do so once a second instead of
/// thousands of times, which would leave the hashing no processor.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a [`BcryptHasher`] works.
#[derive(Debug, Clone, Copy)]
pub struct HasherConfig {
    /// The cost of new hashes, 4 to 16; each takes twice the time of the one below.
    pub cost: u32,
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
#[derive(Debug)]
pub struct BcryptHasher {
    pool: Pool,
    cost: Cost,
    random: SystemRandom,
}

#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes")]
struct NoRandomBytes;

impl BcryptHasher {
    /// Starts the threads. They end when the hasher is dropped.
    pub fn start(config: HasherConfig) -> Result<Self, StartError> {
        let HasherConfig { cost, queue, deadline, threads } = config;
        let cost = scheme::cost(cost).ok_or(StartError::Cost(cost))?;
        let pool = Pool::start(threads, queue, PATIENCE, deadline).map_err(StartError::Thread)?;
        Ok(Self { pool, cost, random: SystemRandom::new() })
    }

    fn salt(&self) -> Result<[u8; 16], HashError> {
        let mut salt = [0; 16];
        self.random.fill(&mut salt).map_err(|_| HashError::Failed(Box::new(NoRandomBytes)))?;
        Ok(salt)
    }
}

#[async_trait]
impl PasswordHasher for BcryptHasher {
    async fn hash(&self, password: Password, _: Asker) -> Result<PasswordHash, HashError> {
        self.pool.run(Hash::new(password, self.cost, self.salt()?)).await
    }

    async fn verify(
        &self,
        password: Password,
        hash: Option<PasswordHash>,
        _: Asker,
    ) -> Result<Verdict, HashError> {
        self.pool.run(Check::new(password, hash.as_ref(), self.cost, self.salt()?)).await
    }
}
