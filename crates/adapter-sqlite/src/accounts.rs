use async_trait::async_trait;
use roster_domain::entities::{Change, Edit, NewUser, User};
use roster_domain::ports::{Accounts, Caller, CallerAnswer, CreateError, EditError, NameClash, Unavailable};
use roster_domain::values::{Email, Epoch, SessionId, UserId, Username};
use rusqlite::Connection;

use crate::fault::WriteError;
use crate::rows::{self, USER_COLUMNS, execute, exists, first, user, user_columns};
use crate::{SqliteStore, rank};

pub(crate) const LIVE_USER: &str = concat!("SELECT ", user_columns!(), " FROM live_users WHERE id = ?1");

/// The hot path: one statement for a caller who names nobody else.
pub(crate) const CALLER: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", epoch,
         ?2 IS NULL OR EXISTS (SELECT 1 FROM sessions WHERE user_id = ?1 AND sessions.id = ?2)
     FROM live_users WHERE id = ?1",
);

pub(crate) const USERNAME_TAKEN: &str = "SELECT 1 FROM users WHERE username_key = ?1";

const HAS_HAD_ADMIN: &str = "SELECT had_admin FROM summary";

#[async_trait]
impl Accounts for SqliteStore {
    async fn create(&self, user: &NewUser, change: &Change) -> Result<(), CreateError> {
        let (user, change) = (user.clone(), change.clone());
        self.write("create", move |connection| insert(connection, &user, &change)).await
    }

    async fn create_first_admin(&self, user: &NewUser, change: &Change) -> Result<(), CreateError> {
        let (user, change) = (user.clone(), change.clone());
        self.write("create_first_admin", move |connection| {
            if had_admin(connection)? {
                return Err(WriteError::Refused(CreateError::AdminExists));
            }
            insert(connection, &user, &change)
        })
        .await
    }

    async fn has_had_admin(&self) -> Result<bool, Unavailable> {
        self.look_up("has_had_admin", had_admin)
    }

    async fn free_usernames(&self, candidates: &[Username]) -> Result<Vec<Username>, Unavailable> {
        self.look_up("free_usernames", |connection| {
            let mut free = Vec::with_capacity(candidates.len());
            for candidate in candidates {
                if !exists(connection, USERNAME_TAKEN, [candidate.key()])? {
                    free.push(candidate.clone());
                }
            }
            Ok(free)
        })
    }

    async fn caller(&self, caller: Caller, named: Option<UserId>) -> Result<CallerAnswer, Unavailable> {
        let named = named.filter(|id| *id != caller.user_id);
        self.look_up("caller", |connection| match named {
            None => read_caller(connection, caller),
            Some(named) => {
                let snapshot = connection.unchecked_transaction()?;
                let answer = read_caller(&snapshot, caller)?;
                let named = live_user(&snapshot, named)?;
                Ok(CallerAnswer { named, ..answer })
            }
        })
    }

    async fn edit(&self, user: UserId, edit: &Edit, change: &Change) -> Result<User, EditError> {
        let (edit, change) = (edit.clone(), change.clone());
        self.write("edit", move |connection| update(connection, user, &edit, &change)).await
    }
}

pub(crate) fn live_user(connection: &Connection, id: UserId) -> rusqlite::Result<Option<User>> {
    first(connection, LIVE_USER, [id.as_bytes()], user)
}

pub(crate) fn had_admin(connection: &Connection) -> rusqlite::Result<bool> {
    first(connection, HAS_HAD_ADMIN, [], |row| row.get(0)).map(Option::unwrap_or_default)
}

fn read_caller(connection: &Connection, caller: Caller) -> rusqlite::Result<CallerAnswer> {
    let session = caller.session.as_ref().map(SessionId::as_bytes);
    let found = first(connection, CALLER, (caller.user_id.as_bytes(), session), |row| {
        Ok(CallerAnswer {
            caller: Some(user(row)?),
            epoch: rows::epoch(row, USER_COLUMNS)?,
            session_lives: row.get(USER_COLUMNS + 1)?,
            named: None,
        })
    })?;
    let nobody = CallerAnswer {
        caller: None,
        epoch: Epoch::FIRST,
        session_lives: caller.session.is_none(),
        named: None,
    };
    Ok(found.unwrap_or(nobody))
}

fn insert(connection: &Connection, user: &NewUser, change: &Change) -> Result<(), WriteError<CreateError>> {
    let folded = user.username.folded();
    let inserted = execute(
        connection,
        "INSERT INTO users (rank, id, email, email_key, username, username_key, username_folded, search_text,
                            role, password_hash, created_at, epoch)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        (
            rank::for_new(connection, user.id)?,
            user.id.as_bytes(),
            user.email.as_str(),
            user.email.key(),
            user.username.as_str(),
            user.username.key(),
            &folded,
            rows::search_text(&folded),
            user.role.as_str(),
            user.password_hash.expose(),
            change.at.as_millis(),
            Epoch::FIRST.get(),
        ),
    );
    match inserted {
        Ok(_) => Ok(()),
        Err(error) => {
            let clash = name_clash(connection, user.id, Some(&user.email), Some(&user.username), error)?;
            Err(WriteError::Refused(clash.into()))
        }
    }
}

fn update(
    connection: &Connection,
    id: UserId,
    edit: &Edit,
    change: &Change,
) -> Result<User, WriteError<EditError>> {
    let folded = edit.username.as_ref().map(Username::folded);
    let updated = execute(
        connection,
        "UPDATE users SET
             email = coalesce(?2, email), email_key = coalesce(?3, email_key),
             username = coalesce(?4, username), username_key = coalesce(?5, username_key),
             username_folded = coalesce(?6, username_folded),
             search_text = CASE WHEN ?6 IS NULL THEN search_text ELSE ?7 END,
             updated_at = ?8, updated_by = ?9
         WHERE rank = (SELECT rank FROM live_users WHERE id = ?1)",
        (
            id.as_bytes(),
            edit.email.as_ref().map(Email::as_str),
            edit.email.as_ref().map(Email::key),
            edit.username.as_ref().map(Username::as_str),
            edit.username.as_ref().map(Username::key),
            &folded,
            folded.as_deref().and_then(rows::search_text),
            change.at.as_millis(),
            change.actor.as_ref().map(UserId::as_bytes),
        ),
    );
    if let Err(error) = updated {
        let clash = name_clash(connection, id, edit.email.as_ref(), edit.username.as_ref(), error)?;
        return Err(WriteError::Refused(clash.into()));
    }
    live_user(connection, id)?.ok_or(WriteError::Refused(EditError::NotFound))
}

/// Which of the names that a write was refused for another user has; the error itself where it was not for a name. An
/// index names itself alone, and both may be taken.
pub(crate) fn name_clash(
    connection: &Connection,
    id: UserId,
    email: Option<&Email>,
    username: Option<&Username>,
    error: rusqlite::Error,
) -> rusqlite::Result<NameClash> {
    if error.sqlite_error_code() != Some(rusqlite::ErrorCode::ConstraintViolation) {
        return Err(error);
    }
    let others = |sql, key| exists(connection, sql, (key, id.as_bytes()));
    if let Some(email) = email
        && others("SELECT 1 FROM users WHERE email_key = ?1 AND id <> ?2", email.key())?
    {
        return Ok(NameClash::Email);
    }
    if let Some(username) = username
        && others("SELECT 1 FROM users WHERE username_key = ?1 AND id <> ?2", username.key())?
    {
        return Ok(NameClash::Username);
    }
    Err(error)
}
