use async_trait::async_trait;
use roster_domain::entities::Change;
use roster_domain::ports::{PendingRemoval, ProfileImages, RemoveImageError, SetImageError, Unavailable};
use roster_domain::values::{ImageRef, OwnImage, ProfileImage, StoreName, Timestamp, UserId};
use rusqlite::Connection;

use crate::SqliteStore;
use crate::accounts::live_user;
use crate::fault::WriteError;
use crate::rows::{self, all, execute, saturate};

pub(crate) const DUE: &str = "SELECT owner, store, key, due_at FROM image_removals
     WHERE store = ?1 AND due_at <= ?2 AND (due_at, key) > (?3, ?4) ORDER BY due_at, key LIMIT ?5";

/// From one store to the next, without a look at the removals of each.
pub(crate) const STORES: &str = "WITH RECURSIVE stores (name) AS (
         SELECT min(store) FROM image_removals
         UNION ALL
         SELECT (SELECT min(store) FROM image_removals WHERE store > name) FROM stores WHERE name IS NOT NULL
     )
     SELECT name FROM stores WHERE name IS NOT NULL";

#[async_trait]
impl ProfileImages for SqliteStore {
    async fn set(&self, user: UserId, image: &OwnImage, change: &Change) -> Result<(), SetImageError> {
        let (image, change) = (image.clone(), change.clone());
        self.write("set_image", move |connection| replace(connection, user, &image, &change)).await
    }

    async fn remove(&self, user: UserId, change: &Change) -> Result<(), RemoveImageError> {
        let change = change.clone();
        self.write("remove_image", move |connection| take(connection, user, &change)).await
    }

    async fn reserve(
        &self,
        owner: UserId,
        image: &ImageRef,
        due: Timestamp,
        change: &Change,
    ) -> Result<(), Unavailable> {
        let (image, request) = (image.clone(), change.request.id);
        self.write("removal_reserve", move |connection| {
            // One that is being removed stays so: its image may be gone already.
            execute(
                connection,
                "INSERT INTO image_removals (store, key, owner, due_at, removing, request)
                     VALUES (?1, ?2, ?3, ?4, 0, ?5)
                     ON CONFLICT DO UPDATE SET owner = ?3, due_at = ?4, request = ?5 WHERE removing = 0",
                (
                    image.store.as_str(),
                    image.key.as_str(),
                    owner.as_bytes(),
                    due.as_millis(),
                    request.as_bytes(),
                ),
            )?;
            Ok(())
        })
        .await
    }

    async fn due(
        &self,
        store: &StoreName,
        now: Timestamp,
        after: Option<PendingRemoval>,
        limit: usize,
    ) -> Result<Vec<PendingRemoval>, Unavailable> {
        let store = store.clone();
        self.write("removals_due", move |connection| {
            Ok(begin_due(connection, &store, now, after.as_ref(), limit)?)
        })
        .await
    }

    async fn stores(&self) -> Result<Vec<StoreName>, Unavailable> {
        self.page("removal_stores", |connection| {
            all(connection, STORES, [], |row| Ok(StoreName::new(row.get_ref(0)?.as_str()?)))
        })
        .await
    }

    async fn done(&self, removal: &PendingRemoval) -> Result<(), Unavailable> {
        let image = removal.image.clone();
        self.write("removal_done", move |connection| {
            execute(
                connection,
                "DELETE FROM image_removals WHERE store = ?1 AND key = ?2",
                (image.store.as_str(), image.key.as_str()),
            )?;
            Ok(())
        })
        .await
    }
}

fn replace(
    connection: &Connection,
    id: UserId,
    OwnImage { image, checksum }: &OwnImage,
    change: &Change,
) -> Result<(), WriteError<SetImageError>> {
    let Some(user) = live_user(connection, id)? else {
        return Err(WriteError::Refused(SetImageError::NotFound));
    };
    let (length, sha256) = rows::checksum_columns(checksum.as_ref());
    if !claim(connection, id, image)? {
        return Err(WriteError::Refused(SetImageError::ReservationLost));
    }
    if let Some(ProfileImage::Stored(before)) = user.profile_image {
        leave(connection, id, &before.image, change)?;
    }
    execute(
        connection,
        "UPDATE users SET image_store = ?2, image_key = ?3, image_original = NULL, image_length = ?4,
             image_sha256 = ?5
         WHERE id = ?1",
        (id.as_bytes(), image.store.as_str(), image.key.as_str(), length, sha256),
    )?;
    Ok(())
}

fn take(connection: &Connection, id: UserId, change: &Change) -> Result<(), WriteError<RemoveImageError>> {
    let Some(user) = live_user(connection, id)? else {
        return Err(WriteError::Refused(RemoveImageError::NotFound));
    };
    match user.profile_image {
        None => return Err(WriteError::Refused(RemoveImageError::NoImage)),
        Some(ProfileImage::Stored(before)) => {
            leave(connection, id, &before.image, change)?;
        }
        Some(ProfileImage::Original(_)) => {}
    }
    execute(
        connection,
        "UPDATE users SET image_store = NULL, image_key = NULL, image_original = NULL, image_length = NULL,
             image_sha256 = NULL
         WHERE id = ?1",
        [id.as_bytes()],
    )?;
    Ok(())
}

/// Takes its owner's reservation; false where it is gone, or its image is being removed.
pub(crate) fn claim(connection: &Connection, owner: UserId, image: &ImageRef) -> rusqlite::Result<bool> {
    let claimed = execute(
        connection,
        "DELETE FROM image_removals WHERE store = ?1 AND key = ?2 AND owner = ?3 AND removing = 0",
        (image.store.as_str(), image.key.as_str(), owner.as_bytes()),
    )?;
    Ok(claimed > 0)
}

/// Leaves an image that is no user's any more to be removed at once.
pub(crate) fn leave(
    connection: &Connection,
    owner: UserId,
    image: &ImageRef,
    change: &Change,
) -> rusqlite::Result<()> {
    execute(
        connection,
        "INSERT OR REPLACE INTO image_removals (store, key, owner, due_at, removing, request)
         VALUES (?1, ?2, ?3, ?4, 1, ?5)",
        (
            image.store.as_str(),
            image.key.as_str(),
            owner.as_bytes(),
            change.at.as_millis(),
            change.request.id.as_bytes(),
        ),
    )?;
    Ok(())
}

/// Ordered as the index is, by what does not change once a removal was returned: a place in that order lasts, also when its
/// removal is done.
fn begin_due(
    connection: &Connection,
    store: &StoreName,
    now: Timestamp,
    after: Option<&PendingRemoval>,
    limit: usize,
) -> rusqlite::Result<Vec<PendingRemoval>> {
    let (due_at, key) =
        after.map_or((i64::MIN, ""), |after| (after.due.as_millis(), after.image.key.as_str()));
    let limit = saturate(limit);
    let due = all(connection, DUE, (store.as_str(), now.as_millis(), due_at, key, limit), |row| {
        Ok(PendingRemoval {
            owner: rows::user_id(row, 0)?,
            image: rows::image(row, 1)?,
            due: rows::timestamp(row, 3)?,
        })
    })?;
    for removal in &due {
        execute(
            connection,
            "UPDATE image_removals SET removing = 1 WHERE store = ?1 AND key = ?2 AND removing = 0",
            (removal.image.store.as_str(), removal.image.key.as_str()),
        )?;
    }
    Ok(due)
}
