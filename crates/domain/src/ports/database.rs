use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{
    AccountArchive, AccountSource, Accounts, Directory, Expired, ProfileImages, Sessions, StoreObserver,
    Trash, Unavailable,
};
use crate::values::Timestamp;

/// A database as its URL names it: it may be away, empty, or not there yet.
///
/// No method but [`open`](Self::open) may change anything, or make a database that is not there.
#[async_trait]
pub trait Database: Send + Sync {
    /// Opens it, and makes it where there is none. One of an older version is brought forward; users of the FastAPI service are taken
    /// over. The observer is told of its calls, if there is one.
    ///
    /// - MUST look for a newer version and for users whose names clash before it changes anything, and leave all data as it was where
    ///   it finds either. A lease may stay, and lapses.
    /// - After any other error, another opening MUST go on from there.
    async fn open(&self, observer: Option<Arc<dyn StoreObserver>>) -> Result<Arc<dyn Store>, OpenError>;

    /// Looks who is in it. Fails where [`open`](Self::open) would refuse what is there; whether a database that is not there could
    /// be made is not tried.
    async fn examine(&self) -> Result<Occupancy, OpenError>;

    /// Opens it to be read alone; `None` where nobody is in it, or it is not there.
    async fn source(&self) -> Result<Option<Arc<dyn AccountSource>>, OpenError>;

    /// As [`Trash::expired`](super::Trash::expired), also where an older version has written it; none where it is not there.
    async fn expired(&self, cutoff: Timestamp, now: Timestamp) -> Result<Expired, OpenError>;

    /// What tells it from others; `None` where it is not there.
    async fn identity(&self) -> Result<Option<Identity>, OpenError>;

    /// Those of its files that others than their owner may read or change; none where it is not there, or on a server.
    fn exposed_files(&self) -> Result<Vec<PathBuf>, OpenError>;
}

/// A database that is open: each port that it is behind, and what is asked of it as a whole.
#[async_trait]
pub trait Store: Accounts + Directory + Sessions + ProfileImages + Trash + AccountArchive {
    /// Tries whether it answers and takes writes, and whether this program may write there: none may that is older than it.
    ///
    /// - MUST write nothing.
    async fn probe(&self) -> Result<(), Unavailable>;

    /// How often [`upkeep`](Self::upkeep) is to run, from the start on; `None` where it need not.
    fn upkeep_every(&self) -> Option<Duration> {
        None
    }

    /// Does once what it needs done beside the requests. Any number of processes may do it at once.
    async fn upkeep(&self) -> Result<(), Unavailable> {
        Ok(())
    }
}

/// Who is in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occupancy {
    /// Nobody; perhaps it is not even there.
    Nobody,
    /// Users, all of whom are ready.
    Users,
    /// Users, some of whom the FastAPI service, somebody with a shell, or an older Roster wrote: an opening brings them forward.
    Unadopted,
}

/// What tells one database from another, without a mark left in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// What it has of its own. A copy may have the same.
    pub id: String,
    /// What has it: of one database the same answers, or at least one of them, each time.
    pub keepers: BTreeSet<String>,
}

impl Identity {
    /// Whether both are of one database. A copy is another one.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.id == other.id && !self.keepers.is_disjoint(&other.keepers)
    }
}

/// Why a database was not opened or looked at, on one line for an operator. No secret of the URL is part of it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL can't be right, whatever the machine does.
    #[error(transparent)]
    Url(Box<dyn std::error::Error + Send + Sync>),
    /// It may go away by itself: a server that starts, or an election.
    #[error(transparent)]
    NotReady(Box<dyn std::error::Error + Send + Sync>),
    /// Somebody has to do something.
    #[error(transparent)]
    Refused(Box<dyn std::error::Error + Send + Sync>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_another_database_and_one_that_another_server_answers_for_is_the_same() {
        let identity = |id: &str, keepers: &[&str]| Identity {
            id: id.to_owned(),
            keepers: keepers.iter().copied().map(str::to_owned).collect(),
        };
        let one = identity("users", &["a", "b"]);
        assert!(one.is(&identity("users", &["b", "c"])));
        assert!(!one.is(&identity("users", &["c"])));
        assert!(!one.is(&identity("others", &["a", "b"])));
    }
}
