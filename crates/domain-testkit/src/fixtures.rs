//! Users, accounts, changes and images to test with. All ids that are made here differ, and later ones are larger.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use roster_domain::entities::{Account, Change, Edit, NewUser, Request, Session, User};
use roster_domain::ports::{Asker, OpenSession, Spool, Trashed};
use roster_domain::values::{
    Client, ClientAddress, Email, Epoch, ImageFormat, ImageKey, ImageRef, OriginalImage, PageNumber,
    PageRequest, PasswordHash, PerPage, Reason, RequestId, Role, SearchTerm, SessionId, StoreName, Timestamp,
    TokenFingerprint, TrashEntryId, UserId, Username,
};

/// When tests begin, with milliseconds that a store could lose.
pub const START: Timestamp = Timestamp::from_millis(1_739_186_539_096);

static COUNTED: AtomicU64 = AtomicU64::new(1);

fn next() -> u64 {
    COUNTED.fetch_add(1, Ordering::Relaxed)
}

fn twelve_bytes(number: u64) -> [u8; 12] {
    let mut bytes = [0x67; 12];
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// So many seconds after [`START`].
#[must_use]
pub fn at(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

/// A user's id, larger than those of smaller numbers and smaller than those of [`next_user_id`].
#[must_use]
pub fn user_id(number: u32) -> UserId {
    let mut bytes = [0x66; 12];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    UserId::from_bytes(bytes)
}

/// A user's id that nobody has.
#[must_use]
pub fn next_user_id() -> UserId {
    UserId::from_bytes(twelve_bytes(next()))
}

/// A trash entry's id that no other has.
#[must_use]
pub fn next_trash_entry_id() -> TrashEntryId {
    TrashEntryId::from_bytes(twelve_bytes(next()))
}

/// A username, as a client would send it.
///
/// # Panics
///
/// Where [`Username::parse`] refuses it.
#[must_use]
pub fn username(text: &str) -> Username {
    Username::parse(text).expect("a valid username")
}

/// An email address, taken as it is.
#[must_use]
pub fn email(text: &str) -> Email {
    Email::from_store(text.to_owned())
}

/// A hash that no hasher made.
#[must_use]
pub fn hash(text: &str) -> PasswordHash {
    PasswordHash::new(text.to_owned())
}

/// A regular user to be, `{name}@example.com`, with an id of its own.
#[must_use]
pub fn new_user(name: &str) -> NewUser {
    NewUser {
        id: next_user_id(),
        email: email(&format!("{name}@example.com")),
        username: username(name),
        role: Role::Regular,
        password_hash: hash(&format!("hash of {name}")),
    }
}

/// An admin to be, otherwise like [`new_user`].
#[must_use]
pub fn new_admin(name: &str) -> NewUser {
    NewUser { role: Role::Admin, ..new_user(name) }
}

/// What a store shows of a user that was created at that time.
#[must_use]
pub fn shown(user: &NewUser, created_at: Timestamp) -> User {
    User {
        id: user.id,
        email: user.email.clone(),
        username: user.username.clone(),
        role: user.role,
        created_at: Some(created_at),
        updated_at: None,
        updated_by: None,
        profile_image: None,
    }
}

/// All that is kept of a live regular user, `{name}@example.com`. The name is taken as it is, valid or not.
#[must_use]
pub fn account(name: &str) -> Account {
    let user = User {
        id: next_user_id(),
        email: email(&format!("{name}@example.com")),
        username: Username::from_store(name.to_owned()),
        role: Role::Regular,
        created_at: Some(START),
        updated_at: None,
        updated_by: None,
        profile_image: None,
    };
    Account {
        user,
        password_hash: hash(&format!("hash of {name}")),
        epoch: Epoch::FIRST,
        sessions: Vec::new(),
        trash: None,
    }
}

/// An edit of the email.
#[must_use]
pub fn edit_email(text: &str) -> Edit {
    Edit { email: Some(email(text)), username: None }
}

/// An edit of the username.
#[must_use]
pub fn edit_username(text: &str) -> Edit {
    Edit { email: None, username: Some(username(text)) }
}

/// A client's request.
#[must_use]
pub fn request() -> Request {
    Request::of_client(RequestId::from_bytes([7; 16]), ClientAddress::new([192, 0, 2, 1].into()))
}

/// A change at [`START`] by Roster itself.
#[must_use]
pub fn change() -> Change {
    change_at(START)
}

/// A change at that time by Roster itself.
#[must_use]
pub fn change_at(at: Timestamp) -> Change {
    Change { actor: None, at, request: Request::of_roster(RequestId::from_bytes([7; 16])) }
}

/// A change by that user at that time.
#[must_use]
pub fn change_by(actor: UserId, at: Timestamp) -> Change {
    Change { actor: Some(actor), ..change_at(at) }
}

/// The client at that IP address.
///
/// # Panics
/// Where it is no IP address.
#[must_use]
pub fn client(address: &str) -> Client {
    ClientAddress::new(address.parse().expect("an IP address")).client()
}

/// For whom a password is hashed, of whom nothing matters.
#[must_use]
pub fn asker() -> Asker {
    request().asker(email("ann@example.com"))
}

/// A trash entry to be, with an id of its own.
#[must_use]
pub fn trashed() -> Trashed {
    Trashed { entry: next_trash_entry_id(), reason: reason("spam") }
}

/// A reason, taken as it is.
#[must_use]
pub fn reason(text: &str) -> Reason {
    Reason::from_store(text.to_owned())
}

/// A session with an id and a fingerprint of its own.
#[must_use]
pub fn session(started_at: Timestamp) -> Session {
    let number = next();
    let mut id = [0; 16];
    id[8..].copy_from_slice(&number.to_be_bytes());
    let mut fingerprint = [0xf0; 32];
    fingerprint[24..].copy_from_slice(&number.to_be_bytes());
    Session {
        id: SessionId::from_bytes(id),
        refresh_token: TokenFingerprint::from_bytes(fingerprint),
        started_at,
    }
}

/// A new session of that user under its first epoch, without a new hash.
#[must_use]
pub fn open_session(user_id: UserId) -> OpenSession {
    let Session { id, refresh_token, .. } = session(START);
    OpenSession { user_id, epoch: Epoch::FIRST, session: id, refresh_token, rehash: None }
}

/// A key under that owner that nothing has been stored under.
#[must_use]
pub fn image_key(owner: UserId) -> ImageKey {
    ImageKey::new(owner, u128::from(next()).to_be_bytes(), ImageFormat::Png)
}

/// The store of [`image_of`].
#[must_use]
pub fn file_store() -> StoreName {
    StoreName::new("file")
}

/// An image of that owner, in the store `file`, that is no user's yet.
#[must_use]
pub fn image_of(owner: UserId) -> ImageRef {
    ImageRef { store: file_store(), key: image_key(owner) }
}

/// What the FastAPI service kept of an image, taken as it is.
#[must_use]
pub fn original_image(text: &str) -> OriginalImage {
    OriginalImage::from_store(text.to_owned())
}

/// A finished upload of these bytes.
///
/// # Panics
///
/// Where no temporary file can be made.
#[must_use]
pub fn spool(bytes: &[u8]) -> Spool {
    spool_that_claims(bytes.len() as u64, bytes)
}

/// An upload of these bytes, of which it claims to have `length`.
///
/// # Panics
///
/// Where no temporary file can be made.
#[must_use]
pub fn spool_that_claims(length: u64, bytes: &[u8]) -> Spool {
    let mut file: File = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("a written file");
    Spool::new(move |buffer, position| file.read_at(buffer, position), length)
}

/// So many bytes. Their pattern is 251 long, so that no two pieces of 64 KiB that follow one another are equal.
#[must_use]
pub fn bytes(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

/// That page of at most so many items.
///
/// # Panics
///
/// Where the number is 0 or `per_page` is not 1 to 100.
#[must_use]
pub fn page(number: u64, per_page: u64) -> PageRequest {
    PageRequest::new(
        PageNumber::new(number).expect("a page from 1 on"),
        PerPage::<100>::new(per_page).expect("1 to 100 items"),
    )
}

/// A search term, as a client would send it.
///
/// # Panics
///
/// Where it is empty or [`SearchTerm::parse`] refuses it.
#[must_use]
pub fn search_term(text: &str) -> SearchTerm {
    SearchTerm::parse(text).expect("a valid term").expect("a term that is not empty")
}
