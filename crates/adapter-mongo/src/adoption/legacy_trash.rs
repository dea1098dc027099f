//! The collection `trash` of the FastAPI service: an entry for each deletion, which names its user by the id's text.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, RawDocument, RawDocumentBuf, doc};
use roster_domain::entities::TrashEntry;
use roster_domain::values::{Reason, TrashEntryId, UserId};

use crate::MongoStore;
use crate::document;
use crate::server::{JOB_DEADLINE, ServerFailure};

impl MongoStore {
    /// The newest entry of each of these users that has one. An entry that was taken up before is none, also where it was left
    /// behind because its user was restored.
    pub(super) async fn legacy_entries(
        &self,
        users: &[(ObjectId, &RawDocument)],
    ) -> Result<HashMap<ObjectId, TrashEntry>, ServerFailure> {
        if users.is_empty() {
            return Ok(HashMap::new());
        }
        let names: Vec<Bson> =
            users.iter().flat_map(|(id, _)| [Bson::from(id.to_hex()), Bson::from(*id)]).collect();
        let trash = self.server.database.collection::<RawDocumentBuf>("trash");
        let found: Vec<RawDocumentBuf> = self
            .server
            .run_within(JOB_DEADLINE, "find", async move {
                let entries = trash.find(doc! { "user_id": { "$in": names } }).sort(doc! { "_id": 1 });
                entries.max_time(JOB_DEADLINE).await?.try_collect().await
            })
            .await?;
        let past_of = |found: &RawDocument| {
            let roster = document::roster(found)?;
            let kept =
                document::subdocument(roster, "trash").and_then(|entry| entry.get_object_id("id").ok());
            roster.get_object_id("past_entry").ok().max(kept)
        };
        let past: HashMap<ObjectId, Option<ObjectId>> =
            users.iter().map(|(id, found)| (*id, past_of(found))).collect();
        let mut entries = HashMap::new();
        for found in &found {
            let Some(user) = document::id_bytes(found, "user_id") else { continue };
            let Ok(id) = found.get_object_id("_id") else { continue };
            let user = ObjectId::from_bytes(user);
            let is_past = past.get(&user).copied().flatten().is_some_and(|past| id <= past);
            if !is_past {
                // They come in the order of their ids, so the newest is the last.
                entries.insert(user, self.legacy_entry(user, id, found));
            }
        }
        Ok(entries)
    }

    /// Takes up entries that are newer than those that we keep: of users who went back to the FastAPI service and were
    /// deleted there anew. The old entry's date must not decide when they go for good.
    pub(crate) async fn take_up_newer_entries(&self) -> Result<(), ServerFailure> {
        let newer = [
            doc! { "$set": { "user": {
                "$convert": { "input": "$user_id", "to": "objectId", "onError": Bson::Null, "onNull": Bson::Null },
            } } },
            doc! { "$lookup": { "from": "users", "localField": "user", "foreignField": "_id", "as": "kept" } },
            doc! { "$set": { "kept": { "$first": "$kept.roster.trash.id" } } },
            doc! { "$match": { "kept": { "$type": "objectId" }, "$expr": { "$gt": ["$_id", "$kept"] } } },
            // The newest comes last, and its update finds the one before it.
            doc! { "$sort": { "_id": 1 } },
        ];
        let trash = self.server.database.collection::<RawDocumentBuf>("trash");
        let found: Vec<RawDocumentBuf> = self
            .server
            .run_within(JOB_DEADLINE, "aggregate", async move {
                let entries = trash.aggregate(newer).with_type::<RawDocumentBuf>();
                entries.max_time(JOB_DEADLINE).await?.try_collect().await
            })
            .await?;
        for found in &found {
            let (Some(user), Ok(id)) = (document::id_bytes(found, "user"), found.get_object_id("_id")) else {
                continue;
            };
            let user = ObjectId::from_bytes(user);
            let entry = document::arrived_trash_entry(&self.legacy_entry(user, id, found), self.clock.now());
            let filter = doc! { "_id": user, "is_deleted": true, "roster.trash.id": { "$lt": id } };
            let set = doc! {
                "roster.trash": document::literal(entry),
                "roster.epoch": { "$add": ["$roster.epoch", 1_i64] },
            };
            self.server.change(filter, vec![doc! { "$set": set }], doc! { "_id": 1 }).await?;
        }
        Ok(())
    }

    fn legacy_entry(&self, user: ObjectId, id: ObjectId, found: &RawDocument) -> TrashEntry {
        let user_id = UserId::from_bytes(user.bytes());
        TrashEntry {
            id: TrashEntryId::from_bytes(id.bytes()),
            user_id,
            deleted_by: document::id_bytes(found, "deleted_by").map_or(user_id, UserId::from_bytes),
            deleted_at: document::timestamp(found, "deleted_at").unwrap_or_else(|| self.clock.now()),
            reason: Reason::from_store(document::text(found, "reason").unwrap_or_default().to_owned()),
        }
    }
}
