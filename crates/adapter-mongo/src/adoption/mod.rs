//! Adoption: makes the subdocument `roster` for users that the FastAPI service or an operator wrote, and upgrades the one
//! that an older Roster wrote.
//!
//! The FastAPI service's own fields stay as they are. Each user is adopted by one write, so an interrupted adoption resumes
//! where it stopped, and several instances at once come to the same result.

mod conflicts;
mod legacy_trash;

use std::collections::HashMap;

use futures_util::TryStreamExt;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, RawDocument, RawDocumentBuf, doc};
use roster_domain::entities::TrashEntry;
use roster_domain::values::{Email, Reason, TrashEntryId, UserId, Username};

pub use self::conflicts::Conflicts;

use crate::document::{self, literal, object_id};
use crate::server::{Find, JOB_DEADLINE, ServerFailure};
use crate::{MongoStore, archive, indexes, names, statements};

/// How many users are adopted in one command.
const BATCH: i64 = 1_000;

/// How many users are compared at a time.
const COMPARED: u64 = 20_000;

/// What an adoption looks at.
fn fields() -> Document {
    doc! {
        "email": 1, "username": 1, "is_deleted": 1, "roster.v": 1, "roster.trash": 1, "roster.past_entry": 1,
        "roster.email_key": 1, "roster.username_key": 1,
    }
}

/// A user that was not adopted, because another has its email or username.
pub(crate) type Refused = ObjectId;

impl MongoStore {
    /// Whether any user is not adopted yet.
    pub(crate) async fn has_unadopted(&self) -> Result<bool, ServerFailure> {
        Ok(!self.unadopted(None, 1).await?.is_empty())
    }

    /// The next users that are not adopted yet, in id order.
    async fn unadopted(
        &self,
        after: Option<ObjectId>,
        limit: i64,
    ) -> Result<Vec<RawDocumentBuf>, ServerFailure> {
        // The comparison leaves out ids that are no `ObjectId`s.
        let after = after.unwrap_or_else(|| ObjectId::from_bytes([0; 12]));
        let filter = doc! {
            "roster.v": document::unadopted_version(),
            "_id": { "$gt": after },
            // Nothing of a tombstone's is ever brought forward.
            "roster.tombstone": { "$ne": true },
        };
        let find =
            Find { filter, projection: fields(), sort: doc! { "_id": 1 }, skip: 0, limit, index: None };
        self.server.find(find, JOB_DEADLINE).await
    }

    /// Adopts all users that are not adopted yet, and returns those that could not be.
    pub(crate) async fn adopt_all(&self) -> Result<Vec<Refused>, ServerFailure> {
        let (mut refused, mut looked_at) = (Vec::new(), 0);
        let adopted = self.adopt_each(&mut refused, &mut looked_at).await;
        if looked_at > 0 {
            // Those before a failure, too.
            tracing::info!(
                event = "users adopted",
                users = looked_at - refused.len(),
                refused = refused.len(),
                all = adopted.is_ok(),
                "users of the FastAPI service were taken over"
            );
        }
        adopted.map(|()| refused)
    }

    async fn adopt_each(
        &self,
        refused: &mut Vec<Refused>,
        looked_at: &mut usize,
    ) -> Result<(), ServerFailure> {
        let mut after = None;
        loop {
            let batch = self.unadopted(after, BATCH).await?;
            let Some(last) = last_id(&batch) else { return Ok(()) };
            refused.extend(self.adopt(&batch).await?);
            *looked_at += batch.len();
            after = Some(last);
        }
    }

    /// Adopts one user where it is not yet; `false` where there is none, or none that can be adopted.
    pub(crate) async fn adopt_if_needed(&self, user: UserId) -> Result<bool, ServerFailure> {
        let filter = doc! { "_id": object_id(user), "is_deleted": false };
        let Some(found) = self.server.find_one(filter, fields()).await? else { return Ok(false) };
        Ok(!document::is_unadopted(&found) || self.adopt(&[found]).await?.is_empty())
    }

    /// Adopts users as they were read, or makes their subdocument fit again, and returns those that could not be.
    pub(crate) async fn adopt(&self, found: &[RawDocumentBuf]) -> Result<Vec<Refused>, ServerFailure> {
        let found: Vec<(ObjectId, &RawDocument)> = with_ids(found).collect();
        let lacking: Vec<_> = found.iter().filter(|(_, found)| lacks_entry(found)).copied().collect();
        let entries = self.entries_for(&lacking, |_| self.ids.trash_entry_id()).await?;
        let now = self.clock.now();
        let updates = found.iter().map(|(id, found)| {
            let entry = entries.get(id).map(|entry| document::arrived_trash_entry(entry, now));
            adoption(*id, found, entry)
        });
        let outcome = self.server.update_all(updates, JOB_DEADLINE).await?;
        self.totals.forget();
        let mut refused = Vec::new();
        for failed in outcome.failed {
            let Some((id, _)) = found.get(failed.place) else { continue };
            if !failed.is_duplicate_key {
                return Err(ServerFailure::Unfit(format!("user {id} can't be adopted: {}", failed.message)));
            }
            refused.push(*id);
        }
        Ok(refused)
    }

    /// Entries for those of these users, marked deleted, who have none of ours or an older one: what the FastAPI service kept in
    /// its `trash`. Where neither of us kept any, one of now with such an id.
    async fn entries_for(
        &self,
        users: &[(ObjectId, &RawDocument)],
        new_id: impl Fn(ObjectId) -> TrashEntryId,
    ) -> Result<HashMap<ObjectId, TrashEntry>, ServerFailure> {
        let mut entries = self.legacy_entries(users).await?;
        for (id, _) in users.iter().filter(|(_, found)| lacks_entry(found)) {
            let user_id = UserId::from_bytes(id.bytes());
            entries.entry(*id).or_insert_with(|| TrashEntry {
                id: new_id(*id),
                user_id,
                deleted_by: user_id,
                deleted_at: self.clock.now(),
                reason: Reason::from_store("Deleted before; no trash entry was kept.".to_owned()),
            });
        }
        Ok(entries)
    }

    /// Accounts as an adoption would make them, which nothing is written of. What an entry lacks is made of the clock and of the
    /// user's own id.
    pub(crate) async fn as_adopted(
        &self,
        found: &[RawDocumentBuf],
    ) -> Result<Vec<RawDocumentBuf>, ServerFailure> {
        let deleted: Vec<_> =
            with_ids(found).filter(|(_, found)| document::is_true(found, "is_deleted")).collect();
        let entries = self.entries_for(&deleted, own_id).await?;
        // As `take_up_newer_entries` takes the one of ours away.
        let older: Vec<Bson> = entries.keys().map(|id| Bson::from(*id)).collect();
        let forgotten = doc! { "$cond": [{ "$in": ["$_id", older] }, remove(), "$roster.trash"] };
        let of_user = |(id, entry): (&ObjectId, &TrashEntry)| {
            let stored = document::arrived_trash_entry(entry, self.clock.now());
            doc! { "case": { "$eq": ["$_id", *id] }, "then": literal(stored) }
        };
        let entry = match entries.iter().map(of_user).collect::<Vec<_>>() {
            entries if entries.is_empty() => remove(),
            entries => doc! { "$switch": { "branches": entries, "default": remove() } }.into(),
        };
        let ids: Vec<ObjectId> = with_ids(found).map(|(id, _)| id).collect();
        let adopted = [
            doc! { "$match": { "_id": { "$in": ids } } },
            doc! { "$sort": { "_id": 1 } },
            doc! { "$set": { "roster.trash": forgotten } },
            doc! { "$set": state(&entry) },
            doc! { "$project": archive::not_kept() },
        ];
        let users = self.server.users.clone();
        self.server
            .run_within(JOB_DEADLINE, "aggregate", async move {
                let adopted = users.aggregate(adopted).max_time(JOB_DEADLINE).with_type::<RawDocumentBuf>();
                adopted.await?.try_collect().await
            })
            .await
    }

    /// Of the next users in id order who are marked deleted and have no entry of ours, the entries that an adoption would give
    /// them, and where the next begin.
    pub(crate) async fn unadopted_entries(
        &self,
        after: Option<ObjectId>,
    ) -> Result<(Vec<TrashEntry>, Option<ObjectId>), ServerFailure> {
        let find = Find {
            filter: doc! {
                "is_deleted": true,
                "roster.trash.id": Bson::Null,
                "roster.tombstone": { "$ne": true },
                "_id": { "$gt": after.unwrap_or_else(|| ObjectId::from_bytes([0; 12])) },
            },
            projection: fields(),
            sort: doc! { "_id": 1 },
            skip: 0,
            limit: BATCH,
            index: None,
        };
        let found = self.server.find(find, JOB_DEADLINE).await?;
        let users: Vec<_> = with_ids(&found).collect();
        let entries = self.entries_for(&users, own_id).await?;
        Ok((entries.into_values().collect(), last_id(&found)))
    }

    /// Removes the refresh tokens that the FastAPI service kept in the clear. They work on: a token's signature is what
    /// counts, and no token of that service names a session.
    pub(crate) async fn remove_raw_tokens(&self) -> Result<(), ServerFailure> {
        let tokens = self.server.writes.database.collection::<Document>("refresh_tokens");
        let removed = self
            .server
            .writes
            .run_within(JOB_DEADLINE, "delete", async move { tokens.delete_many(doc! {}).await })
            .await?;
        if removed.deleted_count > 0 {
            tracing::info!(
                event = "raw refresh tokens removed",
                tokens = removed.deleted_count,
                "refresh tokens that were stored as they are were removed"
            );
        }
        Ok(())
    }

    /// Users who were deleted or restored by hand, and empty tombstones. Their indexes hold nobody else, so that this costs
    /// nothing where there are none.
    pub(crate) async fn marked_beneath(&self) -> Result<Vec<RawDocumentBuf>, ServerFailure> {
        let deleted = doc! { "is_deleted": true, "roster.trash.id": Bson::Null };
        let restored = doc! { "is_deleted": false, "roster.trash.id": { "$exists": true } };
        let mut found = self.changed_beneath(deleted, doc! {}, Some(indexes::DELETED)).await?;
        found.extend(self.changed_beneath(restored, doc! {}, Some(indexes::ENTERED)).await?);
        Ok(found)
    }

    /// Of the next users in id order, those whose names, or whose mark of deletion, were changed beneath what we keep, and
    /// where the next begin. It reads each of them.
    pub(crate) async fn compared(
        &self,
        after: Option<ObjectId>,
    ) -> Result<(Vec<RawDocumentBuf>, Option<ObjectId>), ServerFailure> {
        let after = after.unwrap_or_else(|| ObjectId::from_bytes([0; 12]));
        let last = Find {
            filter: doc! { "_id": { "$gt": after } },
            projection: doc! { "_id": 1 },
            sort: doc! { "_id": 1 },
            skip: COMPARED - 1,
            limit: 1,
            index: Some("_id_"),
        };
        let last = last_id(&self.server.find(last, JOB_DEADLINE).await?);
        let mut range = doc! { "$gt": after };
        if let Some(last) = last {
            range.insert("$lte", last);
        }
        let changed = self.changed_beneath(doc! { "_id": range }, doc! { "_id": 1 }, Some("_id_")).await?;
        Ok((changed, last))
    }

    async fn changed_beneath(
        &self,
        mut filter: Document,
        sort: Document,
        index: Option<&'static str>,
    ) -> Result<Vec<RawDocumentBuf>, ServerFailure> {
        let suffixes =
            doc! { "$cond": [{ "$isArray": "$roster.suffixes" }, { "$size": "$roster.suffixes" }, 0] };
        filter.extend(doc! { "roster.v": { "$ne": Bson::Null }, "$expr": { "$cond": [
            { "$eq": ["$roster.tombstone", true] },
            { "$and": [
                { "$eq": ["$roster.removals", []] },
                { "$ne": ["$roster.first_admin", true] },
            ] },
            { "$or": [
                { "$ne": ["$email", "$roster.of.email"] },
                { "$ne": ["$username", "$roster.of.username"] },
                { "$ne": ["$is_deleted", { "$eq": [{ "$type": "$roster.trash" }, "object"] }] },
                // An earlier Roster kept more of a long name.
                { "$gt": [suffixes, i64::try_from(Username::SEARCHED).unwrap_or(i64::MAX)] },
            ] },
        ] } });
        let mut projection = fields();
        projection.extend(crate::trash::tombstone_fields());
        let limit = i64::try_from(COMPARED).unwrap_or(i64::MAX);
        let find = Find { filter, projection, sort, skip: 0, limit, index };
        self.server.find(find, JOB_DEADLINE).await
    }
}

/// The largest id of documents in id order; `None` where there is none, or none that is an `ObjectId`.
fn last_id(batch: &[RawDocumentBuf]) -> Option<ObjectId> {
    batch.iter().rev().find_map(|found| found.get_object_id("_id").ok())
}

fn with_ids(found: &[RawDocumentBuf]) -> impl Iterator<Item = (ObjectId, &RawDocument)> {
    found.iter().filter_map(|found| Some((found.get_object_id("_id").ok()?, &**found)))
}

/// An entry's id that is the same whenever it is asked for.
fn own_id(user: ObjectId) -> TrashEntryId {
    TrashEntryId::from_bytes(user.bytes())
}

/// Whether a user is marked deleted, and has no entry of ours.
fn lacks_entry(found: &RawDocument) -> bool {
    document::is_true(found, "is_deleted") && document::trash_entry(found).is_none()
}

fn remove() -> Bson {
    "$$REMOVE".into()
}

/// What an adoption sets, but for the names: looked at again in the write itself, as it could have changed since it was read.
/// The entry is for who is marked deleted and has none.
fn state(entry: &Bson) -> Document {
    let is_deleted = doc! { "$eq": ["$is_deleted", true] };
    let has_entry = doc! { "$eq": [{ "$type": "$roster.trash" }, "object"] };
    let epoch = doc! { "$ifNull": ["$roster.epoch", 0_i64] };
    let newly_deleted = doc! { "$and": [is_deleted.clone(), { "$not": [has_entry.clone()] }] };
    doc! {
        "is_deleted": is_deleted.clone(),
        "roster.v": document::VERSION,
        "roster.epoch": { "$cond": [newly_deleted, { "$add": [epoch.clone(), 1_i64] }, epoch] },
        "roster.sessions": { "$cond": [is_deleted.clone(), [], { "$ifNull": ["$roster.sessions", []] }] },
        "roster.removals": { "$ifNull": ["$roster.removals", []] },
        "roster.past_entry": { "$cond": [
            { "$and": [{ "$not": [is_deleted.clone()] }, has_entry.clone()] },
            "$roster.trash.id",
            "$roster.past_entry",
        ] },
        "roster.trash": { "$cond": [is_deleted, { "$cond": [has_entry, "$roster.trash", entry] }, remove()] },
    }
}

/// What adopts one user. The names that the keys were made of are kept, and where they differ by then the sweep makes new ones.
fn adoption(id: ObjectId, found: &RawDocument, entry: Option<Document>) -> Document {
    let entry = entry.map_or_else(remove, |entry| literal(entry).into());
    let mut set = state(&entry);
    match document::text(found, "email") {
        Some(email) => {
            let email = names::email_fields(&Email::from_store(email.to_owned()));
            set.extend(email.into_iter().map(|(path, value)| (path, Bson::from(literal(value)))));
        }
        // A user without an email has no key that could be another's.
        None => set.extend(doc! { "roster.of.email": as_read(found, "email"), "roster.email_key": remove() }),
    }
    match document::text(found, "username") {
        Some(username) => {
            let username = names::username_fields(&Username::from_store(username.to_owned()));
            set.extend(username.into_iter().map(|(path, value)| (path, Bson::from(literal(value)))));
        }
        None => set.extend(doc! {
            "roster.of.username": as_read(found, "username"),
            "roster.username_key": remove(),
            "roster.suffixes": remove(),
        }),
    }
    let filter = doc! { "_id": id, "roster.tombstone": { "$ne": true } };
    statements::update(filter, vec![doc! { "$set": set }], false)
}

/// A field as it was read, whatever it is.
fn as_read(found: &RawDocument, field: &str) -> Bson {
    let value = found.get(field).ok().flatten().and_then(|value| Bson::try_from(value).ok());
    value.map_or_else(|| Bson::from("$$REMOVE"), |value| literal(value).into())
}
