use async_trait::async_trait;
use futures_util::TryStreamExt;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{RawDocument, RawDocumentBuf, doc};
use mongodb::options::Hint;
use roster_domain::entities::Change;
use roster_domain::ports::{PendingRemoval, ProfileImages, RemoveImageError, SetImageError, Unavailable};
use roster_domain::values::{ImageRef, OwnImage, StoreName, Timestamp, UserId};

use crate::document::{self, image_before, literal, object_id};
use crate::server::{DEADLINE, Find, JOB_DEADLINE};
use crate::totals::ids;
use crate::trash::tombstone_fields;
use crate::{MongoStore, indexes};

#[async_trait]
impl ProfileImages for MongoStore {
    async fn set(&self, user: UserId, own: &OwnImage, change: &Change) -> Result<(), SetImageError> {
        let image = &own.image;
        let mut filter = document::live(user);
        let mut reservation = document::stored_image(image);
        reservation.insert("removing", false);
        filter.insert("roster.removals", doc! { "$elemMatch": reservation });
        let others = doc! { "$filter": { "input": "$roster.removals", "as": "removal", "cond": { "$or": [
            { "$ne": ["$$removal.store", literal(image.store.as_str())] },
            { "$ne": ["$$removal.key", literal(image.key.as_str())] },
        ] } } };
        let set = doc! {
            "roster.image": literal(document::stored_own_image(own)),
            "roster.removals": { "$concatArrays": [others, image_before(change)] },
        };
        if self.server.change(filter, vec![doc! { "$set": set }], doc! { "_id": 1 }).await?.is_some() {
            return Ok(());
        }
        let is_live = self.server.exists(document::live(user)).await?;
        Err(if is_live { SetImageError::ReservationLost } else { SetImageError::NotFound })
    }

    async fn remove(&self, user: UserId, change: &Change) -> Result<(), RemoveImageError> {
        let mut filter = document::live(user);
        let has_image =
            [doc! { "roster.image": { "$type": "object" } }, doc! { "profile_image": { "$type": "string" } }];
        filter.insert("$or", has_image.to_vec());
        let removals = doc! { "$ifNull": ["$roster.removals", []] };
        let update = vec![
            doc! { "$set": { "roster.removals": { "$concatArrays": [removals, image_before(change)] } } },
            doc! { "$unset": ["roster.image", "profile_image"] },
        ];
        if self.server.change(filter, update, doc! { "_id": 1 }).await?.is_some() {
            return Ok(());
        }
        let is_live = self.server.exists(document::live(user)).await?;
        Err(if is_live { RemoveImageError::NoImage } else { RemoveImageError::NotFound })
    }

    async fn reserve(
        &self,
        owner: UserId,
        image: &ImageRef,
        due: Timestamp,
        change: &Change,
    ) -> Result<(), Unavailable> {
        let mut removal = document::stored_image(image);
        removal.extend(doc! {
            "due": document::date(due),
            "removing": false,
            "request": document::request(change),
        });
        let update = doc! {
            "$push": { "roster.removals": removal },
            // An owner who is gone leaves a tombstone, so that the image goes as any other.
            "$setOnInsert": { "is_deleted": true, "roster.v": document::VERSION, "roster.tombstone": true },
        };
        let reserve = || {
            let (users, update) = (self.server.writes.users.clone(), update.clone());
            async move { users.update_one(doc! { "_id": object_id(owner) }, update).upsert(true).await }
        };
        match self.server.writes.run("update", reserve()).await {
            // Another has left the tombstone at the same time.
            Err(failure) if failure.is_duplicate_key() => self.server.writes.run("update", reserve()).await?,
            reserved => reserved?,
        };
        Ok(())
    }

    async fn due(
        &self,
        store: &StoreName,
        now: Timestamp,
        after: Option<PendingRemoval>,
        limit: usize,
    ) -> Result<Vec<PendingRemoval>, Unavailable> {
        let now = document::date(now);
        let from =
            after.as_ref().map_or_else(|| ObjectId::from_bytes([0; 12]), |after| object_id(after.owner));
        let of_store = doc! { "store": store.as_str(), "due": { "$lte": now } };
        let owners = Find {
            filter: doc! {
                // For the planner, which does not see that the next line implies it.
                "roster.removals.store": store.as_str(),
                "roster.removals": { "$elemMatch": of_store.clone() },
                "_id": { "$gte": from },
            },
            projection: doc! { "_id": 1 },
            sort: doc! { "_id": 1 },
            skip: 0,
            // The first may have none but those before `after`.
            limit: i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX),
            index: Some(indexes::REMOVALS),
        };
        let owners = self.server.find(owners, DEADLINE).await?;
        if owners.is_empty() {
            return Ok(Vec::new());
        }
        let mut unmarked = of_store;
        unmarked.insert("removing", false);
        let to_mark = doc! { "_id": { "$in": ids(&owners) }, "roster.removals": { "$elemMatch": unmarked } };
        let mark = doc! { "$set": { "roster.removals.$[due].removing": true } };
        let marked = doc! { "due.store": store.as_str(), "due.due": { "$lte": now } };
        let users = self.server.writes.users.clone();
        self.server
            .writes
            .run("update", async move { users.update_many(to_mark, mark).array_filters([marked]).await })
            .await?;

        let marked = Find {
            filter: doc! { "_id": { "$in": ids(&owners) } },
            projection: doc! { "roster.removals": 1 },
            sort: doc! {},
            skip: 0,
            limit: 0,
            index: None,
        };
        let marked = self.server.find(marked, DEADLINE).await?;
        let mut removals: Vec<PendingRemoval> = marked
            .iter()
            .flat_map(|owner| being_removed(owner))
            .filter(|removal| {
                let is_behind =
                    |after: &PendingRemoval| (after.owner, &after.image) < (removal.owner, &removal.image);
                removal.image.store == *store && after.as_ref().is_none_or(is_behind)
            })
            .collect();
        removals.sort_unstable_by(|a, b| (a.owner, &a.image).cmp(&(b.owner, &b.image)));
        removals.truncate(limit);
        Ok(removals)
    }

    async fn stores(&self) -> Result<Vec<StoreName>, Unavailable> {
        let stores = [
            doc! { "$match": { "roster.removals.store": { "$exists": true } } },
            doc! { "$unwind": "$roster.removals" },
            doc! { "$group": { "_id": "$roster.removals.store" } },
        ];
        let users = self.server.users.clone();
        let found: Vec<RawDocumentBuf> = self
            .server
            .run_within(JOB_DEADLINE, "aggregate", async move {
                let stores = users.aggregate(stores).hint(Hint::Name(indexes::REMOVALS.to_owned()));
                stores.max_time(JOB_DEADLINE).with_type::<RawDocumentBuf>().await?.try_collect().await
            })
            .await?;
        Ok(found.iter().filter_map(|found| document::text(found, "_id")).map(StoreName::new).collect())
    }

    async fn done(&self, removal: &PendingRemoval) -> Result<(), Unavailable> {
        let filter = doc! { "_id": object_id(removal.owner) };
        let update = doc! { "$pull": { "roster.removals": document::stored_image(&removal.image) } };
        let left = self.server.change(filter, update, tombstone_fields()).await?;
        if let Some(left) = left.filter(|left| document::is_tombstone(left)) {
            self.bury(&left).await?;
        }
        Ok(())
    }
}

/// The removals of a user that must not be taken back any more.
fn being_removed(owner: &RawDocument) -> Vec<PendingRemoval> {
    let (Some(id), Some(roster)) = (document::user_id(owner), document::roster(owner)) else {
        return Vec::new();
    };
    document::each(roster, "removals")
        .filter(|removal| document::is_true(removal, "removing"))
        .filter_map(|removal| document::removal(id, removal))
        .collect()
}
