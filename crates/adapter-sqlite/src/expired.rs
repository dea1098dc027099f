//! Counts who is past the retention.

use roster_domain::ports::Expired;
use roster_domain::values::Timestamp;
use rusqlite::Connection;

use crate::rows;

/// How many are from before a time, how many of them are spared at another, and until when the first of these.
const COUNT_EXPIRED: &str = "SELECT
         count(*), count(*) FILTER (WHERE spared_until > ?2), min(spared_until) FILTER (WHERE spared_until > ?2)
     FROM trash WHERE deleted_at < ?1";

/// The same, where nobody is spared yet.
const COUNT_EXPIRED_BEFORE_ARRIVALS: &str =
    "SELECT count(*), 0, NULL FROM trash WHERE deleted_at < ?1 AND ?2 IS NOT NULL";

/// The version from which on arrivals are kept.
const ARRIVALS: u32 = 7;

/// Counts those whose entry is from before `cutoff`.
pub(crate) fn count(connection: &Connection, cutoff: Timestamp, now: Timestamp) -> rusqlite::Result<Expired> {
    count_by(connection, COUNT_EXPIRED, cutoff, now)
}

/// The same in a file of any version.
pub(crate) fn count_at(
    connection: &Connection,
    version: u32,
    cutoff: Timestamp,
    now: Timestamp,
) -> rusqlite::Result<Expired> {
    let sql = if version < ARRIVALS { COUNT_EXPIRED_BEFORE_ARRIVALS } else { COUNT_EXPIRED };
    count_by(connection, sql, cutoff, now)
}

fn count_by(
    connection: &Connection,
    sql: &str,
    cutoff: Timestamp,
    now: Timestamp,
) -> rusqlite::Result<Expired> {
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_row((cutoff.as_millis(), now.as_millis()), |row| {
        let (all, spared) = (rows::count(row, 0)?, rows::count(row, 1)?);
        let spared_until = row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis);
        Ok(Expired { due: all.saturating_sub(spared), spared, spared_until })
    })
}
