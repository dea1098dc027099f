use std::num::NonZero;
use std::time::Duration;

use async_trait::async_trait;
use ring::rand::{SecureRandom, SystemRandom};
use roster_domain::ports::{Asker, HashError, PasswordHasher, Verdict};
use roster_domain::values::{Password, PasswordHash};
use tokio::time::Instant;

use crate::pool::Pool;
use crate::scheme;

/// How long a password waits for a place in a full queue. Clients that ask again at once then do so once a second instead of
/// thousands of times, which would leave the hashing no processor.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a [`BcryptHasher`] works.
#[derive(Debug, Clone, Copy)]
pub struct HasherConfig {
    /// The cost of new hashes, 4 to 16; each takes twice the time of the one below.
    pub cost: u32,
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
#[derive(Debug)]
pub struct BcryptHasher {
    pool: Pool,
    cost: u32,
    random: SystemRandom,
}

#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes")]
struct NoRandomBytes;

impl BcryptHasher {
    /// Starts the threads. They end when the hasher is dropped.
    pub fn start(config: HasherConfig) -> Result<Self, StartError> {
        let HasherConfig { cost, queue, deadline, threads } = config;
        if !scheme::COSTS.contains(&cost) {
            return Err(StartError::Cost(cost));
        }
        let pool = Pool::start(threads, queue, PATIENCE, deadline).map_err(StartError::Thread)?;
        Ok(Self { pool, cost, random: SystemRandom::new() })
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
    async fn hash(&self, password: Password, _: Asker) -> Result<PasswordHash, HashError> {
        let salt = self.salt()?;
        let cost = self.cost;
        let hash = self.pool.run(move |_| scheme::hash(&password, cost, salt)).await?;
        hash.map_err(|error| HashError::Failed(Box::new(error)))
    }

    async fn verify(
        &self,
        password: Password,
        hash: Option<PasswordHash>,
        _: Asker,
    ) -> Result<Verdict, HashError> {
        let salt = self.salt()?;
        let cost = self.cost;
        let check = move |end| {
            let began = Instant::now();
            match scheme::verify(&password, hash.as_ref(), cost) {
                scheme::Verdict::Mismatch => Verdict::Mismatch,
                scheme::Verdict::Match => Verdict::Match,
                scheme::Verdict::MatchOutdated { times } => {
                    // Here and now, not in the queue again. Where that may take too long, the next log-in will do.
                    let in_time = Instant::now() + began.elapsed() * times * 2 < end;
                    if in_time { renewed(&password, cost, salt) } else { Verdict::Match }
                }
            }
        };
        self.pool.run(check).await
    }
}
