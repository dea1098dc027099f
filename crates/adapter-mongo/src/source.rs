//! A database that is only read, be it ours or the FastAPI service's: what accounts are moved from.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document, RawDocument, RawDocumentBuf, doc};
use roster_domain::entities::Account;
use roster_domain::ports::{ARRIVAL_GRACE, AccountSource, Clock, Expired, Ids, PendingRemoval, Unavailable};
use roster_domain::values::{Timestamp, UserId};

use crate::archive::{account, everybody, needs_adoption};
use crate::document::{self, object_id};
use crate::server::{Failure, Find, JOB_DEADLINE};
use crate::{ConnectError, Found, MongoStore};

/// A database of ours, of an older version too, or of the FastAPI service, of which nothing is changed.
pub struct MongoSource {
    /// It has methods that write, and none of them is called here.
    store: MongoStore,
    /// The clock stands: what has no date has the same one at each reading.
    clock: Arc<dyn Clock>,
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
        let (store, found) = MongoStore::examined(url, database, Arc::clone(&standing), ids).await?;
        Ok((found != Found::Nobody).then_some(Self { store, clock: standing }))
    }

    /// Whether the database of that name is this one, however the two URLs spell it. A copy is another one.
    ///
    /// # Errors
    /// The reason in one line why it can't be looked at.
    pub async fn is(&self, url: &str, database: &str) -> Result<bool, ConnectError> {
        let (clock, ids) = (Arc::clone(&self.clock), Arc::clone(&self.store.ids));
        let (other, target) = MongoStore::reach(url, database, clock, ids).await?;
        let identities = async { Ok::<_, Failure>((self.store.identity().await?, other.identity().await?)) };
        match identities.await {
            Ok((one, other)) => Ok(one.is(&other)),
            Err(failure) => Err(target.explain(&failure).await),
        }
    }
}

/// What tells one database from another, without a mark left in it.
#[derive(Debug, Clone, Default)]
struct Identity {
    /// The collection's own id. A copy of the server's files has the same.
    users: Option<Binary>,
    /// The process that answered.
    process: Option<ObjectId>,
    /// Whether it is one of several routers to one cluster.
    is_router: bool,
    /// The servers of its replica set, as that has them.
    servers: Vec<String>,
}

impl Identity {
    fn is(&self, other: &Self) -> bool {
        let is_one_server = (self.process.is_some() && self.process == other.process)
            || (self.is_router && other.is_router)
            || self.servers.iter().any(|server| other.servers.contains(server));
        self.users.is_some() && self.users == other.users && is_one_server
    }
}

impl MongoStore {
    async fn identity(&self) -> Result<Identity, Failure> {
        let database = self.server.database.clone();
        let hello = self.server.run(async move { database.run_command(doc! { "hello": 1 }).await }).await?;
        let database = self.server.database.clone();
        let listed: Vec<_> = self
            .server
            .run(async move {
                database.list_collections().filter(doc! { "name": "users" }).await?.try_collect().await
            })
            .await?;
        let users = listed.into_iter().find_map(|collection| collection.info.uuid);
        let topology = hello.get_document("topologyVersion").ok();
        let servers = hello.get_array("hosts").map(Vec::as_slice).unwrap_or_default();
        Ok(Identity {
            users: users.filter(|id| id.subtype == BinarySubtype::Uuid),
            process: topology.and_then(|topology| topology.get_object_id("processId").ok()),
            is_router: hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid"),
            servers: servers.iter().filter_map(Bson::as_str).map(str::to_owned).collect(),
        })
    }
}

#[async_trait]
impl AccountSource for MongoSource {
    async fn count(&self) -> Result<u64, Unavailable> {
        let users = self.store.server.users.clone();
        let counted = async move { users.count_documents(everybody()).max_time(JOB_DEADLINE).await };
        Ok(self.store.server.run_within(JOB_DEADLINE, counted).await?)
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

fn of_owner(owner: &RawDocument) -> Vec<PendingRemoval> {
    let (Some(id), Some(roster)) = (document::user_id(owner), document::roster(owner)) else {
        return Vec::new();
    };
    document::each(roster, "removals").filter_map(|found| document::removal(id, found)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_told_from_others_and_from_its_copies() {
        let id = |byte| Some(Binary { subtype: BinarySubtype::Uuid, bytes: vec![byte; 16] });
        let servers = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let process = Some(ObjectId::from_bytes([1; 12]));
        let one = Identity { users: id(1), process, is_router: false, servers: servers(&["a:1", "b:1"]) };
        let after_an_election = Identity { process: Some(ObjectId::from_bytes([2; 12])), ..one.clone() };
        let copy = Identity { servers: servers(&["c:1"]), ..after_an_election.clone() };
        let beside = Identity { users: id(2), ..one.clone() };
        let nothing = Identity { users: None, ..one.clone() };
        assert!(one.is(&one) && one.is(&after_an_election));
        for other in [&copy, &beside, &nothing] {
            assert!(!one.is(other) && !other.is(&one), "{other:?}");
        }
        assert!(!nothing.is(&nothing));
        let router = |process| Identity { process, is_router: true, servers: Vec::new(), users: id(1) };
        assert!(router(process).is(&router(Some(ObjectId::from_bytes([2; 12])))));
    }
}
