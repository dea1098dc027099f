//! What Roster keeps: users, trash entries, sessions.

use std::fmt;

use crate::ports::{Asker, StillWanted};
use crate::values::{
    Client, ClientAddress, Email, Epoch, PasswordHash, ProfileImage, Reason, RequestId, RequestName, Role,
    SessionId, Timestamp, TokenFingerprint, TrashEntryId, UserId, Username,
};

/// A live user, as it is shown. Hash, sessions and epoch are not part of it: who needs them asks for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id, for good.
    pub id: UserId,
    /// Unique among live and trashed users.
    pub email: Email,
    /// Unique among live and trashed users.
    pub username: Username,
    /// What it may do.
    pub role: Role,
    /// When it signed up. An earlier system may not have kept it.
    pub created_at: Option<Timestamp>,
    /// When it was last edited.
    pub updated_at: Option<Timestamp>,
    /// By whom it was last edited.
    pub updated_by: Option<UserId>,
    /// Its profile image.
    pub profile_image: Option<ProfileImage>,
}

/// A user that is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// Its id, for good.
    pub id: UserId,
    /// Its email.
    pub email: Email,
    /// Its username.
    pub username: Username,
    /// What it may do.
    pub role: Role,
    /// Its password's hash.
    pub password_hash: PasswordHash,
}

/// What an edit changes; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The new email.
    pub email: Option<Email>,
    /// The new username.
    pub username: Option<Username>,
}

/// A user's stay in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashEntry {
    /// Its own id.
    pub id: TrashEntryId,
    /// Who is in the trash.
    pub user_id: UserId,
    /// Who put it there.
    pub deleted_by: UserId,
    /// When.
    pub deleted_at: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// One log-in of a user, until the refresh token ends or the session is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Its id, which its tokens name.
    pub id: SessionId,
    /// What is kept of its refresh token.
    pub refresh_token: TokenFingerprint,
    /// When the log-in was.
    pub started_at: Timestamp,
}

/// How many sessions a user has at most; with one more, the oldest ends.
pub const MAX_SESSIONS: usize = 16;

/// How many clients are remembered that logged in to an account.
pub const MAX_CLIENTS: usize = 16;

/// What is kept of the log-ins to one account: how many failed, and who succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogIns {
    /// How many failed in a row.
    pub failures: u32,
    /// When a client last failed in this row that isn't one of `clients`.
    pub stranger_failed_at: Option<Timestamp>,
    /// The last clients that logged in, newest first, each once, [`MAX_CLIENTS`] at most.
    pub clients: Vec<Client>,
}

impl LogIns {
    /// One that succeeded: it ends the row.
    pub fn succeeded(&mut self, client: Option<Client>) {
        self.failures = 0;
        self.stranger_failed_at = None;
        if let Some(client) = client {
            self.clients.retain(|known| *known != client);
            self.clients.insert(0, client);
            self.clients.truncate(MAX_CLIENTS);
        }
    }

    /// One that failed.
    pub fn failed(&mut self, by_stranger: bool, at: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        if by_stranger {
            self.stranger_failed_at = self.stranger_failed_at.max(Some(at));
        }
    }
}

/// A request and where it comes from; or a run of a job or a command, which are Roster's own.
///
/// It is shown as its name where it has one, else as its id: by that the log tells all that belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// How its client calls it.
    pub name: Option<RequestName>,
    /// The client's address; `None` for what is Roster's own.
    pub client: Option<ClientAddress>,
}

impl Request {
    /// A client's request.
    #[must_use]
    pub const fn of_client(id: RequestId, address: ClientAddress) -> Self {
        Self { id, name: None, client: Some(address) }
    }

    /// A run of a job or a command.
    #[must_use]
    pub const fn of_roster(id: RequestId) -> Self {
        Self { id, name: None, client: None }
    }

    /// The same under its client's name, where there is one.
    #[must_use]
    pub const fn named(self, name: Option<RequestName>) -> Self {
        Self { name, ..self }
    }

    /// For whom a password is hashed in it.
    #[must_use]
    pub fn asker(self, account: Email) -> Asker {
        let client = self.client.map(ClientAddress::client);
        Asker { client, account, still_wanted: StillWanted::always() }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => name.fmt(f),
            None => self.id.fmt(f),
        }
    }
}

/// Who changes something, when, and in which request, from which address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The user who does it; `None` for Roster itself.
    pub actor: Option<UserId>,
    /// When.
    pub at: Timestamp,
    /// The request, or the run of a job, in which it happens.
    pub request: Request,
}

/// All that is kept of a user, live or in the trash: what is moved from one store to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// What is shown of it.
    pub user: User,
    /// Its password's hash.
    pub password_hash: PasswordHash,
    /// The epoch under which its tokens live.
    pub epoch: Epoch,
    /// Its sessions, oldest first, [`MAX_SESSIONS`] at most.
    pub sessions: Vec<Session>,
    /// Its stay in the trash, where it is there.
    pub trash: Option<TrashEntry>,
}

impl Account {
    /// What the dearest of their password hashes costs; `None` where no cost can be read.
    #[must_use]
    pub fn dearest_hash(accounts: &[Self]) -> Option<u32> {
        accounts.iter().filter_map(|account| account.password_hash.bcrypt_cost()).max()
    }
}

/// One page of a longer list, and how long the whole list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items in all, on every page together.
    pub total: u64,
    /// The items of this page.
    pub items: Vec<T>,
}
