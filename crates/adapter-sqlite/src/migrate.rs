mod error;
mod keys;

use crate::fault::SqliteFault;
use rusqlite::{Connection, Transaction, TransactionBehavior};

pub use self::error::Conflicts;
pub(crate) use self::error::MigrateError;

/// The schema's steps, from version 0 on. A step that was released is never changed.
const MIGRATIONS: &[Step] = &[
    Step::Sql(include_str!("../migrations/0001_accounts.sql")),
    Step::Sql(include_str!("../migrations/0002_original_images.sql")),
    Step::Sql(include_str!("../migrations/0003_removals_by_due.sql")),
    // Names are compared by simple case folding.
    Step::Keys,
    Step::Sql(include_str!("../migrations/0005_image_checksums.sql")),
    Step::Sql(include_str!("../migrations/0006_log_ins.sql")),
    Step::Sql(include_str!("../migrations/0007_arrivals.sql")),
];

/// What brings a database from one version to the next.
#[derive(Clone, Copy)]
enum Step {
    /// Statements.
    Sql(&'static str),
    /// The keys of all names are made anew, as they are made today.
    Keys,
}

/// Marks a file as Roster's: `Rstr` in ASCII.
const APPLICATION_ID: u32 = 0x5273_7472;

/// Refuses a database of something else, or of a newer Roster; returns the version of any other.
pub(crate) fn check(connection: &Connection) -> Result<u32, MigrateError> {
    // One statement, so that all of it is from before or from after another process's migration.
    let (application, version, is_empty): (i64, i64, bool) = connection.query_row(
        "SELECT application_id, user_version, NOT EXISTS (SELECT 1 FROM sqlite_schema)
         FROM pragma_application_id, pragma_user_version",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let is_ours = application == i64::from(APPLICATION_ID);
    let is_new = application == 0 && version == 0 && is_empty;
    // Anything may stand there in a file that is not ours, also a number below 0.
    let found = u32::try_from(version).map_err(|_| MigrateError::NotOurs)?;
    if !is_ours && !is_new {
        return Err(MigrateError::NotOurs);
    }
    let known = newest();
    if found > known { Err(MigrateError::Newer { found, known }) } else { Ok(found) }
}

/// The newest version that this program knows, which it brings every database to.
pub(crate) fn newest() -> u32 {
    version_after(MIGRATIONS.len())
}

/// Looks whether a database of an older version could be brought forward, and changes nothing.
pub(crate) fn examine(connection: &Connection) -> Result<u32, MigrateError> {
    let version = check(connection)?;
    let is_ahead =
        |(done, step): (usize, &Step)| matches!(step, Step::Keys) && version <= version_after(done);
    if version > 0 && MIGRATIONS.iter().enumerate().any(is_ahead) {
        keys::changes(connection)?;
    }
    Ok(version)
}

/// The version of a file that is open, which another process may have brought forward since.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("SELECT user_version FROM pragma_user_version")?.query_row([], |row| row.get(0))
}

/// Whether this program may write to a file of that version, which none may that is older.
pub(crate) fn heed(version: i64) -> Result<(), SqliteFault> {
    if version > i64::from(newest()) { Err(SqliteFault::Newer { found: version }) } else { Ok(()) }
}

/// Brings the schema to the newest version, each step in a transaction of its own.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), MigrateError> {
    for (done, step) in MIGRATIONS.iter().enumerate() {
        // Of two processes that start at once, the second waits here and then finds it done.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if check(&transaction)? <= version_after(done) {
            apply(&transaction, *step, version_after(done + 1))?;
        }
        transaction.commit()?;
    }
    Ok(())
}

fn apply(transaction: &Transaction<'_>, step: Step, version: u32) -> Result<(), MigrateError> {
    match step {
        Step::Sql(statements) => transaction.execute_batch(statements)?,
        Step::Keys => keys::make_anew(transaction)?,
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    Ok(transaction.pragma_update(None, "user_version", version)?)
}

fn version_after(steps: usize) -> u32 {
    u32::try_from(steps).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
