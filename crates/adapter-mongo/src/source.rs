//! A database that is only read, be it ours or the FastAPI service's: what accounts are moved from.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::{Document, RawDocument, RawDocumentBuf, doc};
use roster_domain::entities::Account;
use roster_domain::ports::{
    ARRIVAL_GRACE, AccountSource, Clock, Expired, Ids, Occupancy, PendingRemoval, Unavailable,
};
use roster_domain::values::{Timestamp, UserId};

use crate::archive::{account, everybody, needs_adoption};
use crate::connect::Target;
use crate::document::{self, object_id};
use crate::server::{Find, JOB_DEADLINE, ServerFailure};
use crate::{ConnectError, MongoStore};

/// A database of ours, of an older version too, or of the FastAPI service, of which nothing is changed.
pub struct MongoSource {
    /// It has methods that write, and none of them is called here.
    ///
    /// Its clock stands: what has no date has the same one at each reading.
    store: MongoStore,
    /// For telling why a look at it failed.
    target: Target,
}

/// A clock that stands, but for who sleeps by it.
struct Standing {
    at: Timestamp,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl Clock for Standing {
    fn now(&self) -> Timestamp {
        self.at
    }

    async fn sleep(&self, time: Duration) {
        self.clock.sleep(time).await;
    }
}

impl MongoSource {
    /// Opens the database of that name to read it, and makes neither it nor anything in it; `None` where nobody is in it.
    ///
    /// # Errors
    /// The reason in one line, as [`MongoStore::examine`] has it.
    pub async fn open(
        url: &str,
        database: &str,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Result<Option<Self>, ConnectError> {
        let standing: Arc<dyn Clock> = Arc::new(Standing { at: clock.now(), clock });
        let (store, target, found) = MongoStore::examined(url, database, standing, ids).await?;
        Ok((found != Occupancy::Nobody).then_some(Self { store, target }))
    }

    /// As [`AccountSource::expired`].
    ///
    /// # Errors
    /// The reason in one line.
    pub(crate) async fn count_expired(
        &self,
        cutoff: Timestamp,
        now: Timestamp,
    ) -> Result<Expired, ConnectError> {
        match self.past_retention(cutoff, now).await {
            Ok(expired) => Ok(expired),
            Err(failure) => Err(self.target.explain(&failure).await),
        }
    }

    async fn past_retention(&self, cutoff: Timestamp, now: Timestamp) -> Result<Expired, ServerFailure> {
        let mut expired = self.store.count_expired(cutoff, now, None).await?;
        let (mut after, mut to_come) = (None, 0);
        loop {
            let (entries, last) = self.store.unadopted_entries(after).await?;
            to_come += entries.iter().filter(|entry| entry.deleted_at < cutoff).count();
            if last.is_none() {
                break;
            }
            after = last;
        }
        if to_come > 0 {
            expired.spared += to_come as u64;
            expired.spared_until = expired.spared_until.or(Some(now.plus(ARRIVAL_GRACE)));
        }
        Ok(expired)
    }
}

#[async_trait]
impl AccountSource for MongoSource {
    async fn count(&self) -> Result<u64, Unavailable> {
        let users = self.store.server.users.clone();
        let counted = async move { users.count_documents(everybody()).max_time(JOB_DEADLINE).await };
        Ok(self.store.server.run_within(JOB_DEADLINE, "count", counted).await?)
    }

    async fn read(&self, after: Option<UserId>, limit: usize) -> Result<Vec<Account>, Unavailable> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut found = self.store.accounts(after, limit).await?;
        // Who is in the trash may have a newer entry of the FastAPI service's.
        if found.iter().any(|found| needs_adoption(found) || document::trash_entry(found).is_some()) {
            found = self.store.as_adopted(&found).await?;
        }
        Ok(found.iter().map(|found| account(found)).collect::<Result<_, _>>()?)
    }

    async fn removals(
        &self,
        after: Option<PendingRemoval>,
        limit: usize,
    ) -> Result<Vec<PendingRemoval>, Unavailable> {
        let mut filter: Document = doc! { "roster.removals.store": { "$exists": true } };
        if let Some(after) = &after {
            filter.insert("_id", doc! { "$gte": object_id(after.owner) });
        }
        let owners = Find {
            filter,
            projection: doc! { "roster.removals": 1 },
            sort: doc! { "_id": 1 },
            skip: 0,
            // The first may have none but those before `after`.
            limit: i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX),
            index: None,
        };
        let owners: Vec<RawDocumentBuf> = self.store.server.find(owners, JOB_DEADLINE).await?;
        let mut removals: Vec<PendingRemoval> = owners.iter().flat_map(|owner| of_owner(owner)).collect();
        removals.retain(|removal| {
            let is_behind =
                |after: &PendingRemoval| (after.owner, &after.image) < (removal.owner, &removal.image);
            after.as_ref().is_none_or(is_behind)
        });
        removals.sort_unstable_by(|a, b| (a.owner, &a.image).cmp(&(b.owner, &b.image)));
        removals.truncate(limit);
        Ok(removals)
    }

    async fn has_had_admin(&self) -> Result<bool, Unavailable> {
        Ok(self.store.finds_admin().await?.had)
    }

    async fn expired(&self, cutoff: Timestamp, now: Timestamp) -> Result<Expired, Unavailable> {
        Ok(self.past_retention(cutoff, now).await?)
    }
}

fn of_owner(owner: &RawDocument) -> Vec<PendingRemoval> {
    let (Some(id), Some(roster)) = (document::user_id(owner), document::roster(owner)) else {
        return Vec::new();
    };
    document::each(roster, "removals").filter_map(|found| document::removal(id, found)).collect()
}
