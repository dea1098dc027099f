mod write;

pub(crate) use write::taken_name;

use async_trait::async_trait;
use roster_domain::entities::{Change, Edit, NewUser, Page, User};
use roster_domain::ports::{
    Caller, CallerAnswer, CreateError, Credentials, EditError, FailedLogIn, OpenSession, RemoveImageError,
    SessionState, SetImageError, Unavailable, UserQuery, Users,
};
use roster_domain::values::{Email, Epoch, OwnImage, SessionId, TokenFingerprint, UserId, Username};
use rusqlite::Connection;

use crate::fault::Failure;
use crate::rows::{self, USER_COLUMNS, exists, first, user, user_columns};
use crate::{SqliteStore, hash_cost, list};

pub(crate) const LIVE_USER: &str = concat!("SELECT ", user_columns!(), " FROM live_users WHERE id = ?1");

/// The hot path: one statement for a caller who names nobody else.
pub(crate) const CALLER: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", epoch,
         ?2 IS NULL OR EXISTS (SELECT 1 FROM sessions WHERE user_id = ?1 AND sessions.id = ?2)
     FROM live_users WHERE id = ?1",
);

pub(crate) const CREDENTIALS: &str = "SELECT id, password_hash, epoch, failures, stranger_failed_at, clients
     FROM live_users LEFT JOIN log_ins ON user_id = id WHERE email_key = ?1";

pub(crate) const SESSION: &str = "SELECT epoch,
         (SELECT refresh_token FROM sessions WHERE user_id = live_users.id AND sessions.id = ?2)
     FROM live_users WHERE id = ?1";

pub(crate) const USERNAME_TAKEN: &str = "SELECT 1 FROM users WHERE username_key = ?1";

const HAS_HAD_ADMIN: &str = "SELECT had_admin FROM summary";

#[async_trait]
impl Users for SqliteStore {
    async fn create(&self, user: &NewUser, change: &Change) -> Result<(), CreateError> {
        let (user, change) = (user.clone(), *change);
        self.write("create", move |connection| write::insert(connection, &user, &change)).await
    }

    async fn create_first_admin(&self, user: &NewUser, change: &Change) -> Result<(), CreateError> {
        let (user, change) = (user.clone(), *change);
        self.write("create_first_admin", move |connection| {
            if had_admin(connection)? {
                return Err(Failure::Refused(CreateError::AdminExists));
            }
            write::insert(connection, &user, &change)
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

    async fn open_session(&self, open: &OpenSession, change: &Change) -> Result<bool, Unavailable> {
        let (open, change) = (open.clone(), *change);
        self.write("open_session", move |connection| Ok(write::start_session(connection, &open, &change)?))
            .await
    }

    async fn dearest_hash(&self, cost: u32) -> Result<u32, Unavailable> {
        self.write("dearest_hash", move |connection| Ok(hash_cost::remember(connection, cost)?)).await
    }

    async fn log_in_failed(&self, failed: &FailedLogIn, change: &Change) -> Result<(), Unavailable> {
        let (failed, at) = (*failed, change.at);
        self.write("log_in_failed", move |connection| Ok(write::count_failed_log_in(connection, failed, at)?))
            .await
    }

    async fn session(
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

    async fn list(&self, query: &UserQuery) -> Result<Page<User>, Unavailable> {
        let query = query.clone();
        self.page("list", move |connection| list::users(connection, &query)).await
    }

    async fn edit(&self, user: UserId, edit: &Edit, change: &Change) -> Result<User, EditError> {
        let (edit, change) = (edit.clone(), *change);
        self.write("edit", move |connection| write::update(connection, user, &edit, &change)).await
    }

    async fn set_image(&self, user: UserId, image: &OwnImage, change: &Change) -> Result<(), SetImageError> {
        let (image, change) = (image.clone(), *change);
        self.write("set_image", move |connection| write::replace_image(connection, user, &image, &change))
            .await
    }

    async fn remove_image(&self, user: UserId, change: &Change) -> Result<(), RemoveImageError> {
        let change = *change;
        self.write("remove_image", move |connection| write::take_image(connection, user, &change)).await
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
