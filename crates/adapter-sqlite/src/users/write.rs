//! Writes to a user, each within a transaction of the writer.

use roster_domain::entities::{Change, Edit, MAX_SESSIONS, NewUser, User};
use roster_domain::ports::{
    CreateError, EditError, FailedLogIn, OpenSession, Rehash, RemoveImageError, SetImageError,
};
use roster_domain::values::{
    ClientAddress, Email, Epoch, OwnImage, ProfileImage, Timestamp, UserId, Username,
};
use rusqlite::Connection;

use super::live_user;
use crate::fault::Failure;
use crate::rows::{self, execute, exists, first, saturate};
use crate::{rank, removals};

pub(super) fn insert(
    connection: &Connection,
    user: &NewUser,
    change: &Change,
) -> Result<(), Failure<CreateError>> {
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
            Err(match taken_name(connection, user.id, Some(&user.email), Some(&user.username), error)? {
                Taken::Email => Failure::Refused(CreateError::EmailTaken),
                Taken::Username => Failure::Refused(CreateError::UsernameTaken),
            })
        }
    }
}

pub(super) fn update(
    connection: &Connection,
    id: UserId,
    edit: &Edit,
    change: &Change,
) -> Result<User, Failure<EditError>> {
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
        return Err(match taken_name(connection, id, edit.email.as_ref(), edit.username.as_ref(), error)? {
            Taken::Email => Failure::Refused(EditError::EmailTaken),
            Taken::Username => Failure::Refused(EditError::UsernameTaken),
        });
    }
    live_user(connection, id)?.ok_or(Failure::Refused(EditError::NotFound))
}

pub(crate) enum Taken {
    Email,
    Username,
}

/// Which of the names that a write was refused for another user has; the error itself where it was not for a name. An
/// index names itself alone, and both may be taken.
pub(crate) fn taken_name(
    connection: &Connection,
    id: UserId,
    email: Option<&Email>,
    username: Option<&Username>,
    error: rusqlite::Error,
) -> rusqlite::Result<Taken> {
    if error.sqlite_error_code() != Some(rusqlite::ErrorCode::ConstraintViolation) {
        return Err(error);
    }
    let others = |sql, key| exists(connection, sql, (key, id.as_bytes()));
    if let Some(email) = email
        && others("SELECT 1 FROM users WHERE email_key = ?1 AND id <> ?2", email.key())?
    {
        return Ok(Taken::Email);
    }
    if let Some(username) = username
        && others("SELECT 1 FROM users WHERE username_key = ?1 AND id <> ?2", username.key())?
    {
        return Ok(Taken::Username);
    }
    Err(error)
}

pub(super) fn start_session(
    connection: &Connection,
    open: &OpenSession,
    change: &Change,
) -> rusqlite::Result<bool> {
    let user = open.user_id.as_bytes();
    let is_current = exists(
        connection,
        "SELECT 1 FROM live_users WHERE id = ?1 AND epoch = ?2",
        (user, open.epoch.get()),
    )?;
    if !is_current {
        return Ok(false);
    }
    if let Some(Rehash { old, new }) = &open.rehash {
        execute(
            connection,
            "UPDATE users SET password_hash = ?3 WHERE id = ?1 AND password_hash = ?2",
            (user, old.expose(), new.expose()),
        )?;
    }
    execute(
        connection,
        "INSERT INTO sessions (user_id, ordinal, id, refresh_token, started_at)
         VALUES (?1, 1 + (SELECT coalesce(max(ordinal), 0) FROM sessions WHERE user_id = ?1), ?2, ?3, ?4)",
        (
            user,
            open.session.id.as_bytes(),
            open.session.refresh_token.as_bytes(),
            open.session.started_at.as_millis(),
        ),
    )?;
    execute(
        connection,
        "DELETE FROM sessions WHERE user_id = ?1 AND ordinal <= (
             SELECT ordinal FROM sessions WHERE user_id = ?1 ORDER BY ordinal DESC LIMIT 1 OFFSET ?2
         )",
        (user, saturate(MAX_SESSIONS)),
    )?;
    let mut log_ins = first(
        connection,
        "SELECT failures, stranger_failed_at, clients FROM log_ins WHERE user_id = ?1",
        [user],
        |row| rows::log_ins(row, 0),
    )?
    .unwrap_or_default();
    log_ins.succeeded(change.request.client.map(ClientAddress::client));
    execute(
        connection,
        "INSERT INTO log_ins (user_id, failures, stranger_failed_at, clients) VALUES (?1, 0, NULL, ?2)
         ON CONFLICT DO UPDATE SET failures = 0, stranger_failed_at = NULL, clients = excluded.clients",
        (user, rows::clients(&log_ins)),
    )?;
    Ok(true)
}

pub(super) fn count_failed_log_in(
    connection: &Connection,
    failed: FailedLogIn,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let stranger_at = failed.by_stranger.then(|| at.as_millis());
    execute(
        connection,
        "INSERT INTO log_ins (user_id, failures, stranger_failed_at) SELECT id, 1, ?2 FROM live_users WHERE id = ?1
         ON CONFLICT DO UPDATE SET failures = failures + 1, stranger_failed_at = CASE
             WHEN excluded.stranger_failed_at > coalesce(stranger_failed_at, excluded.stranger_failed_at - 1)
             THEN excluded.stranger_failed_at ELSE stranger_failed_at END",
        (failed.user_id.as_bytes(), stranger_at),
    )?;
    Ok(())
}

pub(super) fn replace_image(
    connection: &Connection,
    id: UserId,
    OwnImage { image, checksum }: &OwnImage,
    change: &Change,
) -> Result<(), Failure<SetImageError>> {
    let Some(user) = live_user(connection, id)? else {
        return Err(Failure::Refused(SetImageError::NotFound));
    };
    let (length, sha256) = rows::checksum_columns(checksum.as_ref());
    if !removals::claim(connection, id, image)? {
        return Err(Failure::Refused(SetImageError::ReservationLost));
    }
    if let Some(ProfileImage::Stored(before)) = user.profile_image {
        removals::leave(connection, id, &before.image, change.at, Some(change.request.id))?;
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

pub(super) fn take_image(
    connection: &Connection,
    id: UserId,
    change: &Change,
) -> Result<(), Failure<RemoveImageError>> {
    let Some(user) = live_user(connection, id)? else {
        return Err(Failure::Refused(RemoveImageError::NotFound));
    };
    match user.profile_image {
        None => return Err(Failure::Refused(RemoveImageError::NoImage)),
        Some(ProfileImage::Stored(before)) => {
            removals::leave(connection, id, &before.image, change.at, Some(change.request.id))?;
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
