use async_trait::async_trait;
use roster_domain::entities::{Change, Page, TrashEntry, User};
use roster_domain::ports::{
    ARRIVAL_GRACE, Expired, Interrupted, PurgeError, RestoreError, Trash, TrashError, Trashed, Unavailable,
};
use roster_domain::values::{PageRequest, Reason, Timestamp, TrashEntryId, UserId};
use rusqlite::{Connection, Row};

use crate::accounts::live_user;
use crate::fault::WriteError;
use crate::list::List;
use crate::rows::{self, all, execute, exists, first, saturate};
use crate::{SqliteStore, expired, profile_images};

/// Oldest deletion first. The order is that of an index of ids alone, so reasons are read for one page only.
pub(crate) const ENTRIES: List = List {
    length: "SELECT trashed FROM summary",
    forward: "SELECT id, user_id, deleted_by, deleted_at, reason FROM trash
         WHERE id IN (SELECT id FROM trash ORDER BY id LIMIT ?1 OFFSET ?2) ORDER BY id",
    backward: "SELECT id, user_id, deleted_by, deleted_at, reason FROM trash
         WHERE id IN (SELECT id FROM trash ORDER BY id DESC LIMIT ?1 OFFSET ?2) ORDER BY id",
};

pub(crate) const EXPIRED: &str = "SELECT user_id FROM trash
     WHERE deleted_at < ?1 AND ifnull(spared_until, ?3) <= ?3 ORDER BY deleted_at, id LIMIT ?2";

const STILL_EXPIRED: &str =
    "SELECT 1 FROM trash WHERE user_id = ?1 AND deleted_at < ?2 AND ifnull(spared_until, ?3) <= ?3";

/// A batch is one transaction: where it failed, all of it happened, or none.
fn in_doubt(users: Vec<UserId>, unavailable: Unavailable) -> Interrupted {
    Interrupted { done: Vec::new(), in_doubt: users, unavailable }
}

#[async_trait]
impl Trash for SqliteStore {
    async fn put(&self, user: UserId, entry: &Trashed, change: &Change) -> Result<(), TrashError> {
        let (entry, change) = (entry.clone(), change.clone());
        self.write("trash_put", move |connection| {
            if put_there(connection, user, entry.entry, &entry.reason, &change)? {
                Ok(())
            } else if is_known(connection, user)? {
                Err(WriteError::Refused(TrashError::AlreadyThere))
            } else {
                Err(WriteError::Refused(TrashError::NotFound))
            }
        })
        .await
    }

    async fn put_many(
        &self,
        users: &[(UserId, TrashEntryId)],
        reason: &Reason,
        change: &Change,
    ) -> Result<Vec<UserId>, Interrupted> {
        let (batch, reason, change) = (users.to_vec(), reason.clone(), change.clone());
        self.write("trash_put_many", move |connection| {
            let mut put = Vec::with_capacity(batch.len());
            for (user, entry) in batch {
                if put_there(connection, user, entry, &reason, &change)? {
                    put.push(user);
                }
            }
            Ok(put)
        })
        .await
        .map_err(|unavailable| in_doubt(users.iter().map(|(user, _)| *user).collect(), unavailable))
    }

    async fn list(&self, page: PageRequest) -> Result<Page<TrashEntry>, Unavailable> {
        self.page("trash_list", move |connection| ENTRIES.page(connection, page, None, |row| entry(row, 0)))
            .await
    }

    async fn restore(&self, user: UserId, _change: &Change) -> Result<User, RestoreError> {
        self.write("trash_restore", move |connection| {
            let taken = execute(connection, "DELETE FROM trash WHERE user_id = ?1", [user.as_bytes()])?;
            match live_user(connection, user)? {
                Some(user) if taken > 0 => Ok(user),
                Some(_) => Err(WriteError::Refused(RestoreError::NotInTrash)),
                None => Err(WriteError::Refused(RestoreError::NotFound)),
            }
        })
        .await
    }

    async fn purge(&self, user: UserId, change: &Change) -> Result<(), PurgeError> {
        let change = change.clone();
        self.write("trash_purge", move |connection| {
            if remove(connection, user, &change)? {
                Ok(())
            } else {
                Err(WriteError::Refused(PurgeError::NotInTrash))
            }
        })
        .await
    }

    async fn expired(&self, cutoff: Timestamp, now: Timestamp) -> Result<Expired, Unavailable> {
        self.page("trash_expired", move |connection| expired::count(connection, cutoff, now)).await
    }

    async fn purge_expired(
        &self,
        cutoff: Timestamp,
        limit: usize,
        change: &Change,
    ) -> Result<Vec<UserId>, Interrupted> {
        let (limit, cutoff) = (saturate(limit), cutoff.as_millis());
        let now = change.at.as_millis();
        loop {
            // Before the write, which may end without an answer: then they are whom it concerns.
            let expired = self
                .page("trash_expired_next", move |connection| {
                    all(connection, EXPIRED, (cutoff, limit, now), |row| rows::user_id(row, 0))
                })
                .await
                .map_err(|unavailable| in_doubt(Vec::new(), unavailable))?;
            if expired.is_empty() {
                return Ok(expired);
            }
            let (batch, change) = (expired.clone(), change.clone());
            let purged: Vec<UserId> = self
                .write("trash_purge_expired", move |connection| {
                    let mut purged = Vec::with_capacity(batch.len());
                    for user in batch {
                        if exists(connection, STILL_EXPIRED, (user.as_bytes(), cutoff, now))? {
                            remove(connection, user, &change)?;
                            purged.push(user);
                        }
                    }
                    Ok(purged)
                })
                .await
                .map_err(|unavailable| in_doubt(expired.clone(), unavailable))?;
            // Where others purged or restored all of these meanwhile, there may be more.
            if !purged.is_empty() {
                return Ok(purged);
            }
        }
    }
}

/// The entry that `row` holds from `column` on: its id, its user's, by whom, when and why.
pub(crate) fn entry(row: &Row<'_>, column: usize) -> rusqlite::Result<TrashEntry> {
    Ok(TrashEntry {
        id: row.get(column).map(TrashEntryId::from_bytes)?,
        user_id: rows::user_id(row, column + 1)?,
        deleted_by: rows::user_id(row, column + 2)?,
        deleted_at: rows::timestamp(row, column + 3)?,
        reason: Reason::from_store(row.get(column + 4)?),
    })
}

/// Enters who came from elsewhere at `now`.
pub(crate) fn enter_arrived(
    connection: &Connection,
    entry: &TrashEntry,
    now: Timestamp,
) -> rusqlite::Result<()> {
    enter(connection, entry, None, Some(now.plus(ARRIVAL_GRACE)))
}

/// Enters a user into the trash as an entry says; the table's triggers do the rest.
fn enter(
    connection: &Connection,
    entry: &TrashEntry,
    request: Option<&[u8; 16]>,
    spared_until: Option<Timestamp>,
) -> rusqlite::Result<()> {
    execute(
        connection,
        "INSERT INTO trash (id, user_id, deleted_by, deleted_at, reason, request, spared_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        (
            entry.id.as_bytes(),
            entry.user_id.as_bytes(),
            entry.deleted_by.as_bytes(),
            entry.deleted_at.as_millis(),
            entry.reason.as_str(),
            request,
            spared_until.map(Timestamp::as_millis),
        ),
    )?;
    Ok(())
}

/// False where the user is not live.
fn put_there(
    connection: &Connection,
    user: UserId,
    id: TrashEntryId,
    reason: &Reason,
    change: &Change,
) -> rusqlite::Result<bool> {
    let live = first(connection, "SELECT epoch FROM live_users WHERE id = ?1", [user.as_bytes()], |row| {
        rows::epoch(row, 0)
    })?;
    let Some(epoch) = live else { return Ok(false) };
    execute(connection, "UPDATE users SET epoch = ?2 WHERE id = ?1", (user.as_bytes(), epoch.next().get()))?;
    execute(connection, "DELETE FROM sessions WHERE user_id = ?1", [user.as_bytes()])?;
    let entry = TrashEntry {
        id,
        user_id: user,
        // Nobody but the user is there to be named where Roster itself does it.
        deleted_by: change.actor.unwrap_or(user),
        deleted_at: change.at,
        reason: reason.clone(),
    };
    enter(connection, &entry, Some(change.request.id.as_bytes()), None)?;
    Ok(true)
}

/// Deletes a user in the trash for good; its entry and sessions go by the foreign keys. False where it is not there.
fn remove(connection: &Connection, user: UserId, change: &Change) -> rusqlite::Result<bool> {
    let image = first(
        connection,
        "SELECT image_store, image_key FROM users WHERE id = ?1 AND trashed = 1 AND image_key IS NOT NULL",
        [user.as_bytes()],
        |row| rows::image(row, 0),
    )?;
    if let Some(image) = image {
        profile_images::leave(connection, user, &image, change)?;
    }
    let removed = execute(connection, "DELETE FROM users WHERE id = ?1 AND trashed = 1", [user.as_bytes()])?;
    Ok(removed > 0)
}

fn is_known(connection: &Connection, user: UserId) -> rusqlite::Result<bool> {
    exists(connection, "SELECT 1 FROM users WHERE id = ?1", [user.as_bytes()])
}
