use async_trait::async_trait;
use roster_domain::entities::{Account, Change, MAX_SESSIONS, Session};
use roster_domain::ports::{AccountArchive, ImportError, Unavailable};
use roster_domain::values::{ImageRef, ProfileImage, SessionId, Timestamp, TokenFingerprint, UserId};
use rusqlite::{Connection, Row, params};

use crate::accounts::name_clash;
use crate::fault::WriteError;
use crate::rows::{self, USER_COLUMNS, all, execute, first, saturate, user};
use crate::{SqliteStore, hash_cost, profile_images, rank, trash};

pub(crate) const ACCOUNTS: &str = "SELECT
         users.id, email, username, role, created_at, updated_at, updated_by, image_store, image_key,
         image_original, image_length, image_sha256, password_hash, epoch, trash.id, trash.user_id, deleted_by, deleted_at, reason
     FROM users LEFT JOIN trash ON trash.user_id = users.id
     WHERE users.id > ?1 ORDER BY users.id LIMIT ?2";

#[async_trait]
impl AccountArchive for SqliteStore {
    async fn read(&self, after: Option<UserId>, limit: usize) -> Result<Vec<Account>, Unavailable> {
        self.page("archive_read", move |connection| accounts(connection, after, limit)).await
    }

    async fn write(&self, accounts: &[Account], change: &Change) -> Result<(), ImportError> {
        let (accounts, change) = (accounts.to_vec(), change.clone());
        self.write("archive_write", move |connection| {
            for account in &accounts {
                free_names(connection, account)?;
            }
            for account in &accounts {
                write(connection, account, &change)?;
            }
            if let Some(cost) = Account::dearest_hash(&accounts) {
                hash_cost::remember(connection, cost)?;
            }
            Ok(make_live(connection, &accounts)?)
        })
        .await
    }
}

/// At most so many accounts in id order, from the one behind `after` on.
pub(crate) fn accounts(
    connection: &Connection,
    after: Option<UserId>,
    limit: usize,
) -> rusqlite::Result<Vec<Account>> {
    let after = after.as_ref().map_or(&[][..], |id| id.as_bytes());
    let mut accounts = all(connection, ACCOUNTS, (after, saturate(limit)), account)?;
    for account in &mut accounts {
        account.sessions = sessions(connection, account.user.id)?;
    }
    Ok(accounts)
}

/// Makes those live that were added and have no entry in the trash.
fn make_live(connection: &Connection, accounts: &[Account]) -> rusqlite::Result<()> {
    let ids: Vec<_> = accounts.iter().map(|account| account.user.id.to_string()).collect();
    execute(
        connection,
        "UPDATE users SET trashed = 0
         WHERE trashed = 1 AND id IN (SELECT unhex(value) FROM json_each(?1))
             AND NOT EXISTS (SELECT 1 FROM trash WHERE user_id = users.id)",
        // Hex digits need no escapes, so this is JSON.
        [format!("{ids:?}")],
    )?;
    Ok(())
}

/// All but the sessions.
fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    let in_trash: Option<[u8; 12]> = row.get(USER_COLUMNS + 2)?;
    Ok(Account {
        user: user(row)?,
        password_hash: rows::password_hash(row, USER_COLUMNS)?,
        epoch: rows::epoch(row, USER_COLUMNS + 1)?,
        sessions: Vec::new(),
        trash: in_trash.map(|_| trash::entry(row, USER_COLUMNS + 2)).transpose()?,
    })
}

fn sessions(connection: &Connection, user: UserId) -> rusqlite::Result<Vec<Session>> {
    all(
        connection,
        "SELECT id, refresh_token, started_at FROM sessions WHERE user_id = ?1 ORDER BY ordinal",
        [user.as_bytes()],
        |row| {
            Ok(Session {
                id: row.get(0).map(SessionId::from_bytes)?,
                refresh_token: row.get(1).map(TokenFingerprint::from_bytes)?,
                started_at: rows::timestamp(row, 2)?,
            })
        },
    )
}

/// Gives back the names of an account that is to be replaced under others, so that accounts of one batch may swap theirs.
fn free_names(connection: &Connection, account: &Account) -> rusqlite::Result<()> {
    execute(
        connection,
        "UPDATE users SET email_key = char(0) || hex(id), username_key = char(0) || hex(id)
         WHERE id = ?1 AND (email_key <> ?2 OR username_key <> ?3)",
        (account.user.id.as_bytes(), account.user.email.key(), account.user.username.key()),
    )?;
    Ok(())
}

fn write(connection: &Connection, account: &Account, change: &Change) -> Result<(), WriteError<ImportError>> {
    let id = account.user.id;
    let replaced =
        first(connection, "SELECT rank FROM users WHERE id = ?1", [id.as_bytes()], |row| row.get(0))?;
    let rank: i64 = match replaced {
        Some(rank) => {
            forget_ties(connection, account, change)?;
            rank
        }
        None => rank::for_new(connection, id)?,
    };
    if let Err(error) = write_user(connection, rank, account) {
        let (email, username) = (&account.user.email, &account.user.username);
        name_clash(connection, id, Some(email), Some(username), error)?;
        return Err(WriteError::Refused(ImportError::NameTaken { user: id }));
    }
    for (ordinal, session) in (1_u32..).zip(newest(&account.sessions)) {
        execute(
            connection,
            "INSERT INTO sessions (user_id, ordinal, id, refresh_token, started_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            (
                id.as_bytes(),
                ordinal,
                session.id.as_bytes(),
                session.refresh_token.as_bytes(),
                session.started_at.as_millis(),
            ),
        )?;
    }
    if let Some(entry) = &account.trash {
        trash::enter_arrived(connection, entry, change.at)?;
    }
    Ok(())
}

/// Takes sessions, trash entry and image from an account that is replaced.
fn forget_ties(connection: &Connection, account: &Account, change: &Change) -> rusqlite::Result<()> {
    let id = account.user.id;
    execute(connection, "DELETE FROM sessions WHERE user_id = ?1", [id.as_bytes()])?;
    execute(connection, "DELETE FROM trash WHERE user_id = ?1", [id.as_bytes()])?;
    let before: Option<ImageRef> = first(
        connection,
        "SELECT image_store, image_key FROM users WHERE id = ?1 AND image_key IS NOT NULL",
        [id.as_bytes()],
        |row| rows::image(row, 0),
    )?;
    match before {
        Some(before)
            if account.user.profile_image.as_ref().and_then(ProfileImage::stored) != Some(&before) =>
        {
            profile_images::leave(connection, id, &before, change)
        }
        _ => Ok(()),
    }
}

fn newest(sessions: &[Session]) -> &[Session] {
    &sessions[sessions.len().saturating_sub(MAX_SESSIONS)..]
}

fn write_user(connection: &Connection, rank: i64, account: &Account) -> rusqlite::Result<()> {
    let user = &account.user;
    let folded = user.username.folded();
    let [image_store, image_key, image_original] = rows::image_columns(user.profile_image.as_ref());
    let checksum = match &user.profile_image {
        Some(ProfileImage::Stored(own)) => own.checksum.as_ref(),
        _ => None,
    };
    let (image_length, image_sha256) = rows::checksum_columns(checksum);
    execute(
        connection,
        "INSERT INTO users (rank, id, email, email_key, username, username_key, username_folded, search_text, role,
                            password_hash, created_at, updated_at, updated_by, image_store, image_key, image_original, epoch,
                            trashed, image_length, image_sha256)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, 1, ?18, ?19)
         ON CONFLICT (rank) DO UPDATE SET
             email = ?3, email_key = ?4, username = ?5, username_key = ?6, username_folded = ?7, search_text = ?8,
             role = ?9, password_hash = ?10, created_at = ?11, updated_at = ?12, updated_by = ?13,
             image_store = ?14, image_key = ?15, image_original = ?16, epoch = ?17, image_length = ?18,
             image_sha256 = ?19",
        params![
            rank,
            user.id.as_bytes(),
            user.email.as_str(),
            user.email.key(),
            user.username.as_str(),
            user.username.key(),
            &folded,
            rows::search_text(&folded),
            user.role.as_str(),
            account.password_hash.expose(),
            user.created_at.map(Timestamp::as_millis),
            user.updated_at.map(Timestamp::as_millis),
            user.updated_by.as_ref().map(UserId::as_bytes),
            image_store,
            image_key,
            image_original,
            account.epoch.get(),
            image_length,
            image_sha256,
        ],
    )?;
    Ok(())
}
