//! Converts between rows and the domain's types. Reading rehydrates and never refuses a row for its content.

use roster_domain::entities::{LogIns, User};
use roster_domain::values::{
    Checksum, Email, Epoch, ImageKey, ImageRef, OriginalImage, OwnImage, PasswordHash, ProfileImage, Role,
    StoreName, Timestamp, UserId, Username,
};
use rusqlite::types::Type;
use rusqlite::{Connection, Params, Row};

/// The columns that [`user`] reads, first in a row and in this order; what else a query asks for comes after.
macro_rules! user_columns {
    () => {
        "id, email, username, role, created_at, updated_at, updated_by, image_store, image_key, \
         image_original, image_length, image_sha256"
    };
}
pub(crate) use user_columns;

/// How many columns [`user_columns`] names.
pub(crate) const USER_COLUMNS: usize = 12;

pub(crate) fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: user_id(row, 0)?,
        email: Email::from_store(row.get(1)?),
        username: Username::from_store(row.get(2)?),
        role: Role::from_store(row.get_ref(3)?.as_str()?),
        created_at: row.get::<_, Option<i64>>(4)?.map(Timestamp::from_millis),
        updated_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_millis),
        updated_by: row.get::<_, Option<[u8; 12]>>(6)?.map(UserId::from_bytes),
        profile_image: profile_image(row, 7)?,
    })
}

pub(crate) fn user_id(row: &Row<'_>, column: usize) -> rusqlite::Result<UserId> {
    row.get(column).map(UserId::from_bytes)
}

pub(crate) fn timestamp(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp::from_millis)
}

pub(crate) fn epoch(row: &Row<'_>, column: usize) -> rusqlite::Result<Epoch> {
    row.get(column).map(Epoch::new)
}

pub(crate) fn password_hash(row: &Row<'_>, column: usize) -> rusqlite::Result<PasswordHash> {
    row.get(column).map(PasswordHash::new)
}

/// The image whose store is in `column` and whose key is in the one after.
/// The log-ins of a user, in three columns from that one on, which are all NULL where there is no row.
pub(crate) fn log_ins(row: &Row<'_>, column: usize) -> rusqlite::Result<LogIns> {
    let failures: Option<i64> = row.get(column)?;
    let stranger_failed_at: Option<i64> = row.get(column + 1)?;
    let clients: Option<String> = row.get(column + 2)?;
    Ok(LogIns {
        failures: u32::try_from(failures.unwrap_or(0)).unwrap_or(u32::MAX),
        stranger_failed_at: stranger_failed_at.map(Timestamp::from_millis),
        clients: clients
            .iter()
            .flat_map(|clients| clients.split(' '))
            .filter_map(|text| text.parse().ok())
            .collect(),
    })
}

/// The clients that logged in, as one column holds them.
pub(crate) fn clients(log_ins: &LogIns) -> String {
    log_ins.clients.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

pub(crate) fn image(row: &Row<'_>, column: usize) -> rusqlite::Result<ImageRef> {
    let store = StoreName::new(row.get_ref(column)?.as_str()?);
    let key = ImageKey::parse(row.get_ref(column + 1)?.as_str()?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column + 1, Type::Text, Box::new(error))
    })?;
    Ok(ImageRef { store, key })
}

/// What stands in five columns from `column` on: the store and key of an image of ours, what the FastAPI service kept, and
/// the checksum of one of ours.
fn profile_image(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<ProfileImage>> {
    if row.get_ref(column)?.data_type() != Type::Null {
        let (image, length) = (image(row, column)?, row.get::<_, Option<i64>>(column + 3)?);
        let (length, sha256) = (length.and_then(|length| u64::try_from(length).ok()), row.get(column + 4)?);
        let checksum = length.zip(sha256).map(|(length, sha256)| Checksum { length, sha256 });
        return Ok(Some(OwnImage { image, checksum }.into()));
    }
    let original: Option<String> = row.get(column + 2)?;
    Ok(original.map(|text| OriginalImage::from_store(text).into()))
}

/// What stands in the first three of those columns.
pub(crate) fn image_columns(image: Option<&ProfileImage>) -> [Option<&str>; 3] {
    match image {
        None => [None; 3],
        Some(ProfileImage::Stored(OwnImage { image, .. })) => {
            [Some(image.store.as_str()), Some(image.key.as_str()), None]
        }
        Some(ProfileImage::Original(image)) => [None, None, Some(image.as_str())],
    }
}

/// What stands in the last two.
pub(crate) fn checksum_columns(checksum: Option<&Checksum>) -> (Option<i64>, Option<&[u8]>) {
    (checksum.map(|sum| saturate(sum.length)), checksum.map(|sum| sum.sha256.as_slice()))
}

/// What the full-text index holds of a name, where it can't hold `folded`: its tokenizer leaves NUL out, and the letters
/// around it would seem to be neighbours.
pub(crate) fn search_text(folded: &str) -> Option<String> {
    folded.contains('\0').then(|| folded.replace('\0', "\u{FFFD}"))
}

/// Runs a statement, and answers how many rows it has changed.
pub(crate) fn execute(connection: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
    connection.prepare_cached(sql)?.execute(params)
}

/// The first row, where there is one.
pub(crate) fn first<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// All rows.
pub(crate) fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare_cached(sql)?.query_map(params, read)?.collect()
}

/// Whether there is a row.
pub(crate) fn exists(connection: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<bool> {
    connection.prepare_cached(sql)?.exists(params)
}

/// How many something is.
pub(crate) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let count: i64 = row.get(column)?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// As `SQLite` counts: what is beyond its numbers is as many as it can count.
pub(crate) fn saturate(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
