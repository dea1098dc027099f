//! A user's document. Reading rehydrates and never refuses: a field that can't be understood, whoever wrote it, counts as
//! missing.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document, RawBsonRef, RawDocument, doc};
use roster_domain::entities::{Change, LogIns, NewUser, Session, TrashEntry, User};
use roster_domain::ports::{ARRIVAL_GRACE, PendingRemoval};
use roster_domain::values::{
    Checksum, Email, Epoch, ImageKey, ImageRef, OriginalImage, OwnImage, PasswordHash, ProfileImage, Reason,
    Role, SessionId, StoreName, Timestamp, TokenFingerprint, TrashEntryId, UserId, Username,
};

use crate::names;

/// The form of the subdocument `roster` that is written today. A user without it, or of an older one, is not adopted yet.
///
/// 2: keys are made by simple case folding.
pub(crate) const VERSION: i32 = 2;

/// The fields that make a [`User`].
pub(crate) fn user_fields() -> Document {
    doc! {
        "email": 1, "username": 1, "role": 1, "created_at": 1, "updated_at": 1, "updated_by": 1,
        "profile_image": 1, "roster.image": 1,
    }
}

/// A user that is created.
pub(crate) fn new_user(user: &NewUser, change: &Change) -> Document {
    let mut document = doc! {
        "_id": object_id(user.id),
        "email": user.email.as_str(),
        "username": user.username.as_str(),
        "password": password(&user.password_hash),
        "role": user.role.as_str(),
        "created_at": date(change.at),
        "updated_at": Bson::Null,
        "updated_by": Bson::Null,
        "is_deleted": false,
    };
    let mut roster = doc! {
        "v": VERSION,
        "epoch": epoch_number(Epoch::FIRST),
        "sessions": [],
        "removals": [],
        "request": request(change),
    };
    insert_name_fields(&mut roster, &user.email, &user.username);
    document.insert("roster", roster);
    document
}

/// Inserts into a subdocument `roster` what is kept of the names.
pub(crate) fn insert_name_fields(roster: &mut Document, email: &Email, username: &Username) {
    roster.insert("of", doc! { "email": email.as_str(), "username": username.as_str() });
    for (path, value) in names::email_fields(email).into_iter().chain(names::username_fields(username)) {
        if let Some(name) = path.strip_prefix("roster.")
            && !name.contains('.')
        {
            roster.insert(name, value);
        }
    }
}

/// The user that a document is; `None` for a document whose id is no `ObjectId`, which can't be named over the API.
pub(crate) fn user(document: &RawDocument) -> Option<User> {
    Some(User {
        id: user_id(document)?,
        email: Email::from_store(text(document, "email").unwrap_or_default().to_owned()),
        username: Username::from_store(text(document, "username").unwrap_or_default().to_owned()),
        role: Role::from_store(text(document, "role").unwrap_or_default()),
        created_at: timestamp(document, "created_at"),
        updated_at: timestamp(document, "updated_at"),
        updated_by: id_bytes(document, "updated_by").map(UserId::from_bytes),
        profile_image: profile_image(document),
    })
}

pub(crate) fn user_id(document: &RawDocument) -> Option<UserId> {
    document.get_object_id("_id").ok().map(|id| UserId::from_bytes(id.bytes()))
}

/// What is ours of a user's document.
pub(crate) fn roster(document: &RawDocument) -> Option<&RawDocument> {
    subdocument(document, "roster")
}

pub(crate) fn is_true(document: &RawDocument, field: &str) -> bool {
    document.get_bool(field).unwrap_or(false)
}

/// Whether a user is live: what the filter `is_deleted: false` says, of a document that was read.
pub(crate) fn is_live(document: &RawDocument) -> bool {
    matches!(document.get_bool("is_deleted"), Ok(false))
}

/// What finds a user where live: a field that all documents of users have, whoever wrote them.
pub(crate) fn live(user: UserId) -> Document {
    doc! { "_id": object_id(user), "is_deleted": false }
}

/// Whether a document is what is left of a purged user until its images are gone.
pub(crate) fn is_tombstone(document: &RawDocument) -> bool {
    roster(document).is_some_and(|roster| is_true(roster, "tombstone"))
}

/// Whether nobody has made the keys of a document's names yet, or only an older Roster.
pub(crate) fn is_unadopted(document: &RawDocument) -> bool {
    roster(document).is_none_or(|roster| number(roster, "v").is_none_or(|version| version < VERSION.into()))
}

/// What finds those that [`is_unadopted`] tells, through the index of versions.
pub(crate) fn unadopted_version() -> Document {
    let older = (1..VERSION).map(Bson::from);
    doc! { "$in": std::iter::once(Bson::Null).chain(older).collect::<Vec<_>>() }
}

pub(crate) fn epoch(document: &RawDocument) -> Epoch {
    let number = roster(document).and_then(|roster| number(roster, "epoch")).unwrap_or_default();
    Epoch::new(u32::try_from(number).unwrap_or(if number < 0 { 0 } else { u32::MAX }))
}

/// The password's hash: the FastAPI service wrote BSON binary, as we do; a tool may have written text.
pub(crate) fn password_hash(document: &RawDocument) -> PasswordHash {
    let text = match document.get("password") {
        Ok(Some(RawBsonRef::Binary(binary))) => String::from_utf8_lossy(binary.bytes).into_owned(),
        Ok(Some(RawBsonRef::String(text))) => text.to_owned(),
        _ => String::new(),
    };
    PasswordHash::new(text)
}

/// What is kept of the log-ins to an account.
pub(crate) fn log_ins(document: &RawDocument) -> LogIns {
    let Some(kept) = roster(document).and_then(|roster| subdocument(roster, "log_ins")) else {
        return LogIns::default();
    };
    let clients = kept.get_array("clients").ok().into_iter().flatten();
    LogIns {
        failures: u32::try_from(number(kept, "failures").unwrap_or(0).max(0)).unwrap_or(u32::MAX),
        stranger_failed_at: timestamp(kept, "stranger_failed_at"),
        clients: clients.filter_map(|client| client.ok()?.as_str()?.parse().ok()).collect(),
    }
}

pub(crate) fn sessions(document: &RawDocument) -> Vec<Session> {
    let session = |session: &RawDocument| {
        Some(Session {
            id: SessionId::from_bytes(binary(session, "id")?),
            refresh_token: TokenFingerprint::from_bytes(binary(session, "token")?),
            started_at: timestamp(session, "at")?,
        })
    };
    roster(document).map(|roster| each(roster, "sessions").filter_map(session).collect()).unwrap_or_default()
}

/// A trashed user's entry.
pub(crate) fn trash_entry(document: &RawDocument) -> Option<TrashEntry> {
    let user_id = user_id(document)?;
    let trash = subdocument(roster(document)?, "trash")?;
    Some(TrashEntry {
        id: TrashEntryId::from_bytes(id_bytes(trash, "id")?),
        user_id,
        deleted_by: id_bytes(trash, "deleted_by").map_or(user_id, UserId::from_bytes),
        deleted_at: timestamp(trash, "deleted_at")?,
        reason: Reason::from_store(text(trash, "reason").unwrap_or_default().to_owned()),
    })
}

/// The request that changes something.
pub(crate) fn request(change: &Change) -> Binary {
    bytes(change.request.id.as_bytes())
}

/// A trash entry, as it is stored inside its user.
pub(crate) fn stored_trash_entry(entry: &TrashEntry) -> Document {
    doc! {
        "id": ObjectId::from_bytes(*entry.id.as_bytes()),
        "deleted_by": object_id(entry.deleted_by),
        "deleted_at": date(entry.deleted_at),
        "reason": entry.reason.as_str(),
    }
}

/// The entry of a user who came into the trash at `now` from elsewhere, however old it is.
pub(crate) fn arrived_trash_entry(entry: &TrashEntry, now: Timestamp) -> Document {
    let mut stored = stored_trash_entry(entry);
    stored.insert("spared_until", date(now.plus(ARRIVAL_GRACE)));
    stored
}

pub(crate) fn stored_session(session: &Session) -> Document {
    doc! {
        "id": bytes(session.id.as_bytes()),
        "token": bytes(session.refresh_token.as_bytes()),
        "at": date(session.started_at),
    }
}

pub(crate) fn stored_image(image: &ImageRef) -> Document {
    doc! { "store": image.store.as_str(), "key": image.key.as_str() }
}

/// An expression: the removal of the image that a user has where `condition` holds, due at once, or nothing.
pub(crate) fn image_before_if(condition: Document, change: &Change) -> Document {
    let removal = doc! {
        "store": "$roster.image.store",
        "key": "$roster.image.key",
        "due": date(change.at),
        "removing": false,
        "request": request(change),
    };
    doc! { "$cond": [condition, [removal], []] }
}

/// An expression: the removal of the image that a user has, due at once, or nothing.
pub(crate) fn image_before(change: &Change) -> Document {
    image_before_if(doc! { "$eq": [{ "$type": "$roster.image" }, "object"] }, change)
}

/// An image and, where there is one, its checksum.
pub(crate) fn stored_own_image(own: &OwnImage) -> Document {
    let mut document = stored_image(&own.image);
    if let Some(checksum) = &own.checksum {
        document.insert("length", i64::try_from(checksum.length).unwrap_or(i64::MAX));
        document.insert("sha256", bytes(&checksum.sha256));
    }
    document
}

/// The checksum in a subdocument of an image.
fn checksum(document: &RawDocument) -> Option<Checksum> {
    let length = number(document, "length").and_then(|length| u64::try_from(length).ok())?;
    Some(Checksum { length, sha256: binary(document, "sha256")? })
}

/// The image that a subdocument of store and key is.
pub(crate) fn image(document: &RawDocument) -> Option<ImageRef> {
    let key = ImageKey::parse(text(document, "key")?).ok()?;
    Some(ImageRef { store: StoreName::new(text(document, "store")?), key })
}

/// The removal that a subdocument of an owner is.
pub(crate) fn removal(owner: UserId, document: &RawDocument) -> Option<PendingRemoval> {
    Some(PendingRemoval { owner, image: image(document)?, due: timestamp(document, "due")? })
}

/// The image that a user has: one of ours, else what the FastAPI service kept.
fn profile_image(document: &RawDocument) -> Option<ProfileImage> {
    let own = |document| Some(OwnImage { image: image(document)?, checksum: checksum(document) });
    match roster(document).and_then(|roster| subdocument(roster, "image")).and_then(own) {
        Some(own) => Some(own.into()),
        None => Some(OriginalImage::from_store(text(document, "profile_image")?.to_owned()).into()),
    }
}

/// The subdocuments of an array.
pub(crate) fn each<'a>(document: &'a RawDocument, field: &str) -> impl Iterator<Item = &'a RawDocument> {
    let elements = document.get_array(field).ok().into_iter().flatten();
    elements.filter_map(|element| element.ok()?.as_document())
}

pub(crate) fn subdocument<'a>(document: &'a RawDocument, field: &str) -> Option<&'a RawDocument> {
    document.get_document(field).ok()
}

pub(crate) fn text<'a>(document: &'a RawDocument, field: &str) -> Option<&'a str> {
    document.get_str(field).ok()
}

pub(crate) fn timestamp(document: &RawDocument, field: &str) -> Option<Timestamp> {
    document.get_datetime(field).ok().map(|date| Timestamp::from_millis(date.timestamp_millis()))
}

/// An id, be it an `ObjectId` or, as the FastAPI service wrote references, its text.
pub(crate) fn id_bytes(document: &RawDocument, field: &str) -> Option<[u8; 12]> {
    match document.get(field).ok()?? {
        RawBsonRef::ObjectId(id) => Some(id.bytes()),
        RawBsonRef::String(text) => ObjectId::parse_str(text).ok().map(|id| id.bytes()),
        _ => None,
    }
}

/// A whole number, in whichever of BSON's types the shell or a driver wrote it.
pub(crate) fn number(document: &RawDocument, field: &str) -> Option<i64> {
    match document.get(field).ok()?? {
        RawBsonRef::Int32(number) => Some(number.into()),
        RawBsonRef::Int64(number) => Some(number),
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the shell writes whole numbers so; `as` saturates"
        )]
        RawBsonRef::Double(number) => Some(number as i64),
        _ => None,
    }
}

pub(crate) fn binary<const N: usize>(document: &RawDocument, field: &str) -> Option<[u8; N]> {
    document.get_binary(field).ok()?.bytes.try_into().ok()
}

pub(crate) fn object_id(id: UserId) -> ObjectId {
    ObjectId::from_bytes(*id.as_bytes())
}

pub(crate) fn bytes(bytes: &[u8]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }
}

pub(crate) fn password(hash: &PasswordHash) -> Binary {
    bytes(hash.expose().as_bytes())
}

pub(crate) fn date(at: Timestamp) -> DateTime {
    DateTime::from_millis(at.as_millis())
}

pub(crate) fn optional_date(at: Option<Timestamp>) -> Bson {
    at.map_or(Bson::Null, |at| date(at).into())
}

/// Who changed a user, as the FastAPI service keeps it: the id's text.
pub(crate) fn optional_id_text(id: Option<UserId>) -> Bson {
    id.map_or(Bson::Null, |id| id.to_string().into())
}

pub(crate) fn epoch_number(epoch: Epoch) -> i64 {
    epoch.get().into()
}

/// A value as it is, where an expression is expected: no text of a user's is taken for a field's name.
pub(crate) fn literal(value: impl Into<Bson>) -> Document {
    doc! { "$literal": value.into() }
}
