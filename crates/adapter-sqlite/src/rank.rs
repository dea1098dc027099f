//! Ranks order the rows of `users` as their ids do.
//!
//! New ids are nearly always the largest, and are appended with a gap. One that comes between others takes the middle of
//! their gap. Where a gap is used up, its neighbours move apart, as many as it takes to make room.

use roster_domain::values::UserId;
use rusqlite::{Connection, Row};

use crate::rows::{all, execute, first, saturate};

/// The gap after an appended row: some fifteen fit between any two before one must move. A search reads the distances of its
/// matches, which take as many bytes as they are long: at 2^32 the index of names is a third larger, and slower by a tenth.
const STEP: i64 = 1 << 16;

/// The gap that moving apart leaves at least; narrower, and more neighbours move.
const ROOM: i128 = 1 << 8;

/// How many neighbours on either side move apart at first.
const NEIGHBOURS: usize = 16;

/// The rows before an id, the nearest first.
pub(crate) const BEFORE: &str = "SELECT rank, id FROM users WHERE id < ?1 ORDER BY id DESC LIMIT ?2";

/// The rows after an id, the nearest first.
pub(crate) const AFTER: &str = "SELECT rank, id FROM users WHERE id > ?1 ORDER BY id LIMIT ?2";

/// A free rank for a new row with this id.
pub(crate) fn for_new(connection: &Connection, id: UserId) -> rusqlite::Result<i64> {
    let last = first(connection, "SELECT rank, id FROM users ORDER BY rank DESC LIMIT 1", [], placed)?;
    let Some((last, last_id)) = last else { return Ok(0) };
    if id > last_id
        && let Some(rank) = last.checked_add(STEP)
    {
        return Ok(rank);
    }
    if let Some(rank) = between_neighbours(connection, id)? {
        return Ok(rank);
    }
    make_room(connection, id)?;
    // There is room now, so that this is no more than a way to say so.
    between_neighbours(connection, id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

fn between_neighbours(connection: &Connection, id: UserId) -> rusqlite::Result<Option<i64>> {
    let before = first(connection, BEFORE, (id.as_bytes(), 1), placed)?.map(|(rank, _)| rank);
    let after = first(connection, AFTER, (id.as_bytes(), 1), placed)?.map(|(rank, _)| rank);
    Ok(match (before, after) {
        (Some(before), Some(after)) => {
            let middle = before.midpoint(after);
            (middle != before && middle != after).then_some(middle)
        }
        (None, Some(after)) => after.checked_sub(STEP),
        (Some(before), None) => before.checked_add(STEP),
        (None, None) => Some(0),
    })
}

fn make_room(connection: &Connection, id: UserId) -> rusqlite::Result<()> {
    let mut neighbours = NEIGHBOURS;
    loop {
        // One more on either side: it stays, and bounds the room.
        let limit = neighbours + 1;
        let mut rows = all(connection, BEFORE, (id.as_bytes(), saturate(limit)), placed)?;
        let low = bound(&mut rows, limit, i64::MIN);
        rows.reverse();
        let mut above = all(connection, AFTER, (id.as_bytes(), saturate(limit)), placed)?;
        let high = bound(&mut above, limit, i64::MAX);
        rows.append(&mut above);

        let whole_table = low == i64::MIN && high == i64::MAX;
        if let Some(ranks) = spread(&rows, low, high) {
            return move_to(connection, &rows, &ranks);
        }
        if whole_table {
            // 2^63 ranks are used up by rows that are 2^8 apart: no disk holds so many.
            return Err(rusqlite::Error::QueryReturnedNoRows);
        }
        neighbours *= 2;
    }
}

/// Takes the outermost row off where there are more, and returns its rank; the end of all ranks otherwise.
fn bound(rows: &mut Vec<(i64, UserId)>, limit: usize, end: i64) -> i64 {
    if rows.len() < limit { end } else { rows.pop().map_or(end, |(rank, _)| rank) }
}

/// New ranks between `low` and `high`, equally far apart; none where that is too narrow.
fn spread(rows: &[(i64, UserId)], low: i64, high: i64) -> Option<Vec<i64>> {
    let count = i128::try_from(rows.len()).ok()?;
    let (mut low, mut high) = (i128::from(low), i128::from(high));
    // Towards an open end it moves no further than appending would.
    let reach = i128::from(STEP) * (count + 1);
    if let (Some((lowest, _)), true) = (rows.first(), low == i128::from(i64::MIN)) {
        low = low.max(i128::from(*lowest) - reach);
    }
    if let (Some((highest, _)), true) = (rows.last(), high == i128::from(i64::MAX)) {
        high = high.min(i128::from(*highest) + reach);
    }
    let gap = (high - low) / (count + 1);
    let ranks = (1..=count).map(|place| i64::try_from(low + place * gap).ok());
    if gap >= ROOM { ranks.collect() } else { None }
}

/// Those that move down move first, from below; then those that move up, from above: so no rank is ever taken twice.
fn move_to(connection: &Connection, rows: &[(i64, UserId)], ranks: &[i64]) -> rusqlite::Result<()> {
    let moves = || rows.iter().map(|(old, _)| *old).zip(ranks.iter().copied());
    let down = moves().filter(|(old, new)| new < old);
    let up = moves().rev().filter(|(old, new)| new > old);
    for (old, new) in down.chain(up) {
        execute(connection, "UPDATE users SET rank = ?2 WHERE rank = ?1", (old, new))?;
    }
    Ok(())
}

fn placed(row: &Row<'_>) -> rusqlite::Result<(i64, UserId)> {
    Ok((row.get(0)?, crate::rows::user_id(row, 1)?))
}

#[cfg(test)]
mod tests;
