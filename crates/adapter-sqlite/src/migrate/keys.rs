//! Recomputes the unique keys of names after a version that compares names differently.

use std::collections::HashMap;

use roster_domain::values::{Email, UserId, Username};
use rusqlite::{Connection, Row, Transaction};

use super::error::{Conflicts, MigrateError};
use crate::rows::{self, execute, first};

/// A user whose keys are others today.
pub(super) struct Changed {
    rank: i64,
    id: UserId,
    email_key: String,
    username_key: String,
    folded: String,
    /// Which of the two unique ones are new.
    is_new: [bool; 2],
}

/// Whose keys are others today.
///
/// # Errors
/// [`MigrateError::Conflicts`] where a new key is another user's, too.
pub(super) fn changes(connection: &Connection) -> Result<Vec<Changed>, MigrateError> {
    let mut changed = Vec::new();
    let mut users = connection
        .prepare("SELECT rank, id, email, email_key, username, username_key, username_folded FROM users")?;
    let mut found = users.query([])?;
    while let Some(row) = found.next()? {
        let (email, username) = (Email::from_store(row.get(2)?), Username::from_store(row.get(4)?));
        let (email_key, username_key, folded) = (email.key(), username.key(), username.folded());
        let is_new = [is_other(row, 3, &email_key)?, is_other(row, 5, &username_key)?];
        if is_new != [false; 2] || is_other(row, 6, &folded)? {
            let (rank, id) = (row.get(0)?, rows::user_id(row, 1)?);
            changed.push(Changed { rank, id, email_key, username_key, folded, is_new });
        }
    }
    let conflicts = Conflicts {
        emails: shared(connection, "SELECT id FROM users WHERE email_key = ?1", &changed, |changed| {
            changed.is_new[0].then_some(&changed.email_key)
        })?,
        usernames: shared(connection, "SELECT id FROM users WHERE username_key = ?1", &changed, |changed| {
            changed.is_new[1].then_some(&changed.username_key)
        })?,
    };
    if conflicts == Conflicts::default() { Ok(changed) } else { Err(MigrateError::Conflicts(conflicts)) }
}

fn is_other(row: &Row<'_>, column: usize, text: &str) -> rusqlite::Result<bool> {
    Ok(row.get_ref(column)?.as_str()? != text)
}

/// Groups of users with one key: of those who get a new one among themselves, and with who has it.
fn shared(
    connection: &Connection,
    holder: &str,
    changed: &[Changed],
    new_key: impl Fn(&Changed) -> Option<&String>,
) -> rusqlite::Result<Vec<Vec<UserId>>> {
    let mut by_key: HashMap<&String, Vec<UserId>> = HashMap::new();
    for user in changed {
        if let Some(key) = new_key(user) {
            by_key.entry(key).or_default().push(user.id);
        }
    }
    let mut groups = Vec::new();
    for (key, mut ids) in by_key {
        ids.extend(first(connection, holder, [key], |row| rows::user_id(row, 0))?);
        if ids.len() > 1 {
            ids.sort_unstable();
            groups.push(ids);
        }
    }
    groups.sort_unstable();
    Ok(groups)
}

/// Makes the keys anew that are others today.
pub(super) fn make_anew(transaction: &Transaction<'_>) -> Result<(), MigrateError> {
    let changed = changes(transaction)?;
    for user in &changed {
        execute(
            transaction,
            "UPDATE users SET email_key = ?2, username_key = ?3, username_folded = ?4, search_text = ?5
             WHERE rank = ?1",
            (user.rank, &user.email_key, &user.username_key, &user.folded, rows::search_text(&user.folded)),
        )?;
    }
    if !changed.is_empty() {
        tracing::info!(
            event = "keys of names made anew",
            users = changed.len(),
            "the keys by which names are compared were made anew"
        );
    }
    Ok(())
}
