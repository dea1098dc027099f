use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use futures_util::future::join_all;
use mongodb::action::{Action as _, Aggregate};
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc};
use mongodb::options::Hint;
use roster_domain::entities::{Change, Page, TrashEntry, User};
use roster_domain::ports::{
    Expired, Interrupted, PurgeError, RestoreError, Trash, TrashError, Trashed, Unavailable,
};
use roster_domain::values::{PageRequest, Reason, Timestamp, TrashEntryId, UserId};
use tokio::time::{Instant, timeout};

use crate::accounts::ATTEMPTS;
use crate::document::{self, image_before, object_id};
use crate::list::List;
use crate::server::{DEADLINE, Find, JOB_DEADLINE, ServerFailure, change};
use crate::{MongoStore, indexes};

/// How many users of a batch are put into the trash or purged at the same time.
const AT_ONCE: usize = 32;

/// When a batch begins no further write. A thousand users need a second or two, on a busy machine several.
const LAST_BEGIN: Duration = Duration::from_secs(8);

/// A user in the trash, whoever put it there.
fn in_trash(user: UserId) -> Document {
    doc! { "_id": object_id(user), "is_deleted": true, "roster.tombstone": { "$ne": true } }
}

fn expired_before(cutoff: Timestamp) -> Document {
    doc! { "roster.trash.deleted_at": { "$lt": document::date(cutoff) }, "is_deleted": true }
}

/// What [`MongoStore::bury`] looks at.
pub(crate) fn tombstone_fields() -> Document {
    doc! { "role": 1, "roster.tombstone": 1, "roster.past_entry": 1 }
}

#[async_trait]
impl Trash for MongoStore {
    async fn put(&self, user: UserId, entry: &Trashed, change: &Change) -> Result<(), TrashError> {
        for _ in 0..ATTEMPTS {
            if self.put_one(user, entry.entry, &entry.reason, change).await? {
                return Ok(());
            }
            let found = self.server.find_one(
                doc! { "_id": object_id(user) },
                doc! { "is_deleted": 1, "roster.tombstone": 1, "roster.v": 1 },
            );
            match found.await? {
                None => return Err(TrashError::NotFound),
                Some(found) if document::is_tombstone(&found) => return Err(TrashError::NotFound),
                Some(found) if document::is_true(&found, "is_deleted") => {
                    return Err(TrashError::AlreadyThere);
                }
                // Restored between the two questions.
                Some(_) => {}
            }
        }
        Err(ServerFailure::Unexpected("a user was deleted and restored in turns".to_owned()).into())
    }

    async fn put_many(
        &self,
        users: &[(UserId, TrashEntryId)],
        reason: &Reason,
        change: &Change,
    ) -> Result<Vec<UserId>, Interrupted> {
        let mut batch = Batch::begin();
        for some in users.chunks(AT_ONCE) {
            batch.may_go_on()?;
            let put = some
                .iter()
                .map(async |(user, entry)| (*user, self.put_one(*user, *entry, reason, change).await));
            batch.take(join_all(put).await)?;
        }
        Ok(batch.done)
    }

    async fn list(&self, page: PageRequest) -> Result<Page<TrashEntry>, Unavailable> {
        // Not `$exists`, for which the server reads each user to tell a field that is `null` from one that is missing.
        let any = doc! { "$gte": ObjectId::from_bytes([0; 12]) };
        let filter = doc! { "roster.trash.id": any, "is_deleted": true };
        let list =
            List { filter: filter.clone(), sort: doc! { "roster.trash.id": 1 }, index: indexes::TRASH };
        let (total, found) = tokio::try_join!(
            self.count(filter, indexes::TRASH, 0),
            self.page_of(list, page, doc! { "roster.trash": 1 }),
        )?;
        let mut items: Vec<_> = found.iter().filter_map(|found| document::trash_entry(found)).collect();
        items.sort_unstable_by_key(|entry| entry.id);
        Ok(Page { total, items })
    }

    async fn restore(&self, user: UserId, _change: &Change) -> Result<User, RestoreError> {
        let has_entry = doc! { "$eq": [{ "$type": "$roster.trash" }, "object"] };
        let epoch = doc! { "$ifNull": ["$roster.epoch", 0] };
        let update = vec![
            doc! { "$set": {
                "is_deleted": false,
                "roster.past_entry": { "$cond": [has_entry.clone(), "$roster.trash.id", "$roster.past_entry"] },
                // Who was deleted by hand a moment ago comes back with dead tokens too.
                "roster.epoch": { "$cond": [has_entry, epoch.clone(), { "$add": [epoch, 1] }] },
                "roster.sessions": [],
            } },
            doc! { "$unset": "roster.trash" },
        ];
        let mut fields = document::user_fields();
        fields.insert("roster.past_entry", 1);
        if let Some(restored) = self.change_counted(user, 1, in_trash(user), update, fields).await? {
            let past = document::roster(&restored).and_then(|roster| roster.get_object_id("past_entry").ok());
            self.remove_legacy_entry(past).await;
            return document::user(&restored).ok_or(RestoreError::NotFound);
        }
        let is_live = self.server.exists(doc! { "_id": object_id(user), "is_deleted": false }).await?;
        Err(if is_live { RestoreError::NotInTrash } else { RestoreError::NotFound })
    }

    async fn purge(&self, user: UserId, change: &Change) -> Result<(), PurgeError> {
        if self.purge_one(user, in_trash(user), change).await? { Ok(()) } else { Err(PurgeError::NotInTrash) }
    }

    async fn expired(&self, cutoff: Timestamp, now: Timestamp) -> Result<Expired, Unavailable> {
        Ok(self.count_expired(cutoff, now, Some(indexes::TRASH_AGE)).await?)
    }

    async fn purge_expired(
        &self,
        cutoff: Timestamp,
        limit: usize,
        change: &Change,
    ) -> Result<Vec<UserId>, Interrupted> {
        let mut expired = expired_before(cutoff);
        let still_spared = doc! { "$gt": document::date(change.at) };
        expired.insert("roster.trash.spared_until", doc! { "$not": still_spared });
        let mut batch = Batch::begin();
        loop {
            let oldest = Find {
                filter: expired.clone(),
                projection: doc! { "_id": 1 },
                sort: doc! { "roster.trash.deleted_at": 1 },
                skip: 0,
                limit: i64::try_from(limit).unwrap_or(i64::MAX),
                index: Some(indexes::TRASH_AGE),
            };
            let found = match self.server.find(oldest, DEADLINE).await {
                Ok(found) => found,
                Err(failure) => return Err(batch.interrupted(Vec::new(), failure)),
            };
            let found: Vec<UserId> = found.iter().filter_map(|found| document::user_id(found)).collect();
            for some in found.chunks(AT_ONCE) {
                batch.may_go_on()?;
                let purged = some.iter().map(async |user| {
                    let mut filter = in_trash(*user);
                    filter.extend(expired.clone());
                    (*user, self.purge_one(*user, filter, change).await)
                });
                batch.take(join_all(purged).await)?;
            }
            // Where others purged all of these meanwhile, there may be more.
            if found.is_empty() || !batch.done.is_empty() {
                return Ok(batch.done);
            }
        }
    }
}

/// A batch under way. No write of it is left behind: each is waited for until its own deadline, and none begins once the
/// batch has taken [`LAST_BEGIN`].
struct Batch {
    since: Instant,
    done: Vec<UserId>,
}

impl Batch {
    fn begin() -> Self {
        Self { since: Instant::now(), done: Vec::new() }
    }

    fn may_go_on(&mut self) -> Result<(), Interrupted> {
        if self.since.elapsed() < LAST_BEGIN {
            return Ok(());
        }
        Err(self.interrupted(Vec::new(), ServerFailure::TimedOut(LAST_BEGIN)))
    }

    /// Takes what became of some: those that were changed are done.
    fn take(&mut self, outcomes: Vec<(UserId, Result<bool, ServerFailure>)>) -> Result<(), Interrupted> {
        let (mut in_doubt, mut failed) = (Vec::new(), None);
        for (user, outcome) in outcomes {
            match outcome {
                Ok(true) => self.done.push(user),
                Ok(false) => {}
                Err(failure) => {
                    in_doubt.push(user);
                    failed = Some(failure);
                }
            }
        }
        failed.map_or(Ok(()), |failure| Err(self.interrupted(in_doubt, failure)))
    }

    fn interrupted(&mut self, in_doubt: Vec<UserId>, failure: ServerFailure) -> Interrupted {
        Interrupted { done: std::mem::take(&mut self.done), in_doubt, unavailable: failure.into() }
    }
}

impl MongoStore {
    /// Counts those whose entry is from before `cutoff`, through that index where it is there.
    pub(crate) async fn count_expired(
        &self,
        cutoff: Timestamp,
        now: Timestamp,
        index: Option<&'static str>,
    ) -> Result<Expired, ServerFailure> {
        let until = "$roster.trash.spared_until";
        let is_spared = doc! { "$gt": [until, document::date(now)] };
        let counted = [
            doc! { "$match": expired_before(cutoff) },
            doc! { "$group": {
                "_id": Bson::Null,
                "due": { "$sum": { "$cond": [is_spared.clone(), 0_i64, 1_i64] } },
                "spared": { "$sum": { "$cond": [is_spared.clone(), 1_i64, 0_i64] } },
                // It leaves out what is null.
                "spared_until": { "$min": { "$cond": [is_spared, until, Bson::Null] } },
            } },
        ];
        let (users, hint) = (self.server.users.clone(), index.map(|name| Hint::Name(name.to_owned())));
        let found: Option<RawDocumentBuf> = self
            .server
            .run_within(JOB_DEADLINE, "aggregate", async move {
                let counted = users.aggregate(counted).optional(hint, Aggregate::hint);
                let counted = counted.max_time(JOB_DEADLINE).with_type::<RawDocumentBuf>();
                counted.await?.try_next().await
            })
            .await?;
        let Some(found) = found else { return Ok(Expired::default()) };
        let count = |field| document::number(&found, field).and_then(|count| u64::try_from(count).ok());
        Ok(Expired {
            due: count("due").unwrap_or(0),
            spared: count("spared").unwrap_or(0),
            spared_until: document::timestamp(&found, "spared_until"),
        })
    }

    /// Changes a document as [`Server::change`](crate::server::Server::change) does; where there was one to change, the
    /// number of live users changes by `by`.
    pub(crate) async fn change_counted(
        &self,
        user: UserId,
        by: i64,
        filter: Document,
        update: impl Into<mongodb::options::UpdateModifications>,
        projection: Document,
    ) -> Result<Option<RawDocumentBuf>, ServerFailure> {
        let (users, update) = (self.server.writes.users.clone(), update.into());
        let write = async move { change(&users, filter, update, projection).await };
        self.server.writes.run("update", self.totals.counting(user, by, write, Option::is_some)).await
    }

    /// Puts a user into the trash; `false` where it is not live.
    async fn put_one(
        &self,
        user: UserId,
        entry: TrashEntryId,
        reason: &Reason,
        change: &Change,
    ) -> Result<bool, ServerFailure> {
        let entry = TrashEntry {
            id: entry,
            user_id: user,
            deleted_by: change.actor.unwrap_or(user),
            deleted_at: change.at,
            reason: reason.clone(),
        };
        let mut stored = document::stored_trash_entry(&entry);
        stored.insert("request", document::request(change));
        let update = doc! {
            "$set": {
                "is_deleted": true,
                "roster.trash": stored,
                "roster.sessions": [],
            },
            "$inc": { "roster.epoch": 1_i64 },
        };
        Ok(self.change_counted(user, -1, document::live(user), update, doc! { "_id": 1 }).await?.is_some())
    }

    /// Purges a user that the filter finds: one write leaves a nameless tombstone with the images that are to be removed, and
    /// with nothing to remove the tombstone goes too.
    async fn purge_one(
        &self,
        user: UserId,
        filter: Document,
        change: &Change,
    ) -> Result<bool, ServerFailure> {
        let removals = doc! { "$ifNull": ["$roster.removals", []] };
        let tombstone = doc! {
            "_id": "$_id",
            "is_deleted": true,
            "role": "$role",
            "roster": {
                "v": document::VERSION,
                "tombstone": true,
                "first_admin": "$roster.first_admin",
                "past_entry": "$roster.trash.id",
                "removals": { "$concatArrays": [removals, image_before(change)] },
            },
        };
        let update = vec![doc! { "$replaceWith": tombstone }];
        let Some(tombstone) = self.server.change(filter, update, tombstone_fields()).await? else {
            return Ok(false);
        };
        let buried = timeout(DEADLINE, self.bury(&tombstone)).await;
        if let Err(failure) = buried.unwrap_or(Err(ServerFailure::TimedOut(DEADLINE))) {
            tracing::warn!(
                event = "tombstone left to the sweep",
                %user,
                error = %failure,
                "a purged user's tombstone could not be removed; upkeep does it"
            );
        }
        Ok(true)
    }

    /// Removes what else tells of a purged user, and last the tombstone itself, unless images are to be removed yet. The
    /// first admin's stays for good: it says that there has been one.
    pub(crate) async fn bury(&self, tombstone: &mongodb::bson::RawDocument) -> Result<(), ServerFailure> {
        let Some(user) = document::user_id(tombstone) else { return Ok(()) };
        if document::text(tombstone, "role") == Some("admin") {
            self.mark_admin().await?;
        }
        let past = document::roster(tombstone).and_then(|roster| roster.get_object_id("past_entry").ok());
        if let Some(entry) = past {
            self.delete_legacy_entry(entry).await?;
        }
        self.delete_empty_tombstone(user).await
    }

    async fn delete_empty_tombstone(&self, user: UserId) -> Result<(), ServerFailure> {
        let users = self.server.writes.users.clone();
        let empty = doc! {
            "_id": object_id(user),
            "roster.tombstone": true,
            "roster.first_admin": { "$exists": false },
            "roster.removals": [],
        };
        self.server.writes.run("delete", async move { users.delete_one(empty).await }).await?;
        Ok(())
    }

    /// Removes a restored user's entry from the `trash` of the FastAPI service, where it has one there. What is left behind
    /// is never taken up again.
    async fn remove_legacy_entry(&self, entry: Option<ObjectId>) {
        if let Some(entry) = entry
            && let Err(failure) = self.delete_legacy_entry(entry).await
        {
            tracing::warn!(
                event = "old trash entry left behind",
                %entry,
                error = %failure,
                "an old trash entry could not be removed"
            );
        }
    }

    async fn delete_legacy_entry(&self, entry: ObjectId) -> Result<(), ServerFailure> {
        let trash = self.server.writes.database.collection::<Document>("trash");
        self.server
            .writes
            .run("delete", async move { trash.delete_one(doc! { "_id": entry }).await })
            .await?;
        Ok(())
    }
}
