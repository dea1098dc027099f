//! What the dearest password hash may cost, of those that log-ins and imports have met.

use rusqlite::Connection;

use crate::rows::{execute, first};

/// Remembers that a hash may cost so much. Returns what the dearest may cost.
pub(crate) fn remember(connection: &Connection, cost: u32) -> rusqlite::Result<u32> {
    execute(connection, "UPDATE summary SET dearest_hash = ?1 WHERE dearest_hash < ?1", [cost])?;
    let dearest = first(connection, "SELECT dearest_hash FROM summary", [], |row| row.get(0))?;
    Ok(dearest.unwrap_or(cost))
}
