use async_trait::async_trait;
use roster_domain::entities::{Change, MAX_SESSIONS};
use roster_domain::ports::{
    Credentials, FailedLogIn, OpenSession, Rehash, SessionState, Sessions, Unavailable,
};
use roster_domain::values::{ClientAddress, Email, SessionId, Timestamp, TokenFingerprint, UserId};
use rusqlite::Connection;

use crate::rows::{self, execute, exists, first, saturate};
use crate::{SqliteStore, hash_cost};

pub(crate) const CREDENTIALS: &str = "SELECT id, password_hash, epoch, failures, stranger_failed_at, clients
     FROM live_users LEFT JOIN log_ins ON user_id = id WHERE email_key = ?1";

pub(crate) const SESSION: &str = "SELECT epoch,
         (SELECT refresh_token FROM sessions WHERE user_id = live_users.id AND sessions.id = ?2)
     FROM live_users WHERE id = ?1";

#[async_trait]
impl Sessions for SqliteStore {
    async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, Unavailable> {
        self.look_up("credentials", |connection| {
            first(connection, CREDENTIALS, [email.key()], |row| {
                Ok(Credentials {
                    user_id: rows::user_id(row, 0)?,
                    password_hash: rows::password_hash(row, 1)?,
                    epoch: rows::epoch(row, 2)?,
                    log_ins: rows::log_ins(row, 3)?,
                })
            })
        })
    }

    async fn open(&self, open: &OpenSession, change: &Change) -> Result<bool, Unavailable> {
        let (open, change) = (open.clone(), change.clone());
        self.write("open_session", move |connection| Ok(start(connection, &open, &change)?)).await
    }

    async fn log_in_failed(&self, failed: &FailedLogIn, change: &Change) -> Result<(), Unavailable> {
        let (failed, at) = (*failed, change.at);
        self.write("log_in_failed", move |connection| Ok(count_failed(connection, failed, at)?)).await
    }

    async fn dearest_hash(&self, cost: u32) -> Result<u32, Unavailable> {
        self.write("dearest_hash", move |connection| Ok(hash_cost::remember(connection, cost)?)).await
    }

    async fn state(
        &self,
        user: UserId,
        session: Option<SessionId>,
    ) -> Result<Option<SessionState>, Unavailable> {
        let session = session.as_ref().map(SessionId::as_bytes);
        self.look_up("session", |connection| {
            first(connection, SESSION, (user.as_bytes(), session), |row| {
                Ok(SessionState {
                    epoch: rows::epoch(row, 0)?,
                    refresh_token: row.get::<_, Option<_>>(1)?.map(TokenFingerprint::from_bytes),
                })
            })
        })
    }
}

fn start(connection: &Connection, open: &OpenSession, change: &Change) -> rusqlite::Result<bool> {
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
        (user, open.session.as_bytes(), open.refresh_token.as_bytes(), change.at.as_millis()),
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

fn count_failed(connection: &Connection, failed: FailedLogIn, at: Timestamp) -> rusqlite::Result<()> {
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
