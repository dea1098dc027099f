use async_trait::async_trait;
use roster_domain::entities::{Page, User};
use roster_domain::ports::{Directory, Unavailable, UserQuery};
use roster_domain::values::{PageRequest, SearchTerm};
use rusqlite::Connection;

use crate::SqliteStore;
use crate::list::List;
use crate::rows::{first, user, user_columns};

/// How many code points a term has at least whose ends are looked for first: fewer are two or three trigrams anyway.
const LONG: usize = 6;

/// How many names may have both ends of a long term, for each to be compared with it.
const FEW: usize = 5_000;

/// Names with both ends of a long term, and whether it is in there. Matching it as a phrase walks through all names that have
/// any of its trigrams, this through those of two.
pub(crate) const WITH_BOTH_ENDS: &str = r#"
    SELECT live_names.rank, instr(username_folded, ?1) > 0
    FROM username_search CROSS JOIN live_names ON live_names.rank = username_search.rowid
    WHERE username_search MATCH format('"%w" AND "%w"', substr(?1, 1, 3), substr(?1, -3))
    ORDER BY username_search.rowid"#;

pub(crate) const USER_AT: &str = concat!("SELECT ", user_columns!(), " FROM live_users WHERE rank = ?1");

/// All live users: their number is kept, and an index holds them in order.
pub(crate) const LIVE: List = List {
    length: "SELECT live FROM summary",
    forward: concat!(
        "SELECT ",
        user_columns!(),
        " FROM live_users
         WHERE rank IN (SELECT rank FROM live_names ORDER BY rank LIMIT ?1 OFFSET ?2) ORDER BY rank",
    ),
    backward: concat!(
        "SELECT ",
        user_columns!(),
        " FROM live_users
         WHERE rank IN (SELECT rank FROM live_names ORDER BY rank DESC LIMIT ?1 OFFSET ?2) ORDER BY rank",
    ),
};

/// Those whose name contains a text of three code points or more: what that costs grows with the matches alone.
pub(crate) const MATCHING: List = List {
    length: "SELECT count(*) FROM username_search WHERE username_search MATCH ?1",
    forward: concat!(
        "SELECT ",
        user_columns!(),
        " FROM live_users WHERE rank IN (
             SELECT rowid FROM username_search WHERE username_search MATCH ?3
             ORDER BY rowid LIMIT ?1 OFFSET ?2
         ) ORDER BY rank",
    ),
    backward: concat!(
        "SELECT ",
        user_columns!(),
        " FROM live_users WHERE rank IN (
             SELECT rowid FROM username_search WHERE username_search MATCH ?3
             ORDER BY rowid DESC LIMIT ?1 OFFSET ?2
         ) ORDER BY rank",
    ),
};

/// Those whose name contains any text: a walk through all names.
pub(crate) const CONTAINING: List = List {
    length: "SELECT count(*) FROM live_names WHERE instr(username_folded, ?1)",
    forward: concat!(
        "SELECT ",
        user_columns!(),
        " FROM live_users WHERE rank IN (
             SELECT rank FROM live_names WHERE instr(username_folded, ?3)
             ORDER BY rank LIMIT ?1 OFFSET ?2
         ) ORDER BY rank",
    ),
    backward: concat!(
        "SELECT ",
        user_columns!(),
        " FROM live_users WHERE rank IN (
             SELECT rank FROM live_names WHERE instr(username_folded, ?3)
             ORDER BY rank DESC LIMIT ?1 OFFSET ?2
         ) ORDER BY rank",
    ),
};

#[async_trait]
impl Directory for SqliteStore {
    async fn list(&self, query: &UserQuery) -> Result<Page<User>, Unavailable> {
        let query = query.clone();
        self.page("list", move |connection| users(connection, &query)).await
    }
}

/// The page that is asked for, and its total, of one snapshot.
fn users(connection: &Connection, query: &UserQuery) -> rusqlite::Result<Page<User>> {
    match query.search.as_ref() {
        None => LIVE.page(connection, query.page, None, user),
        Some(term) if is_indexed(term) => match by_its_ends(connection, term, query.page)? {
            Some(page) => Ok(page),
            None => MATCHING.page(connection, query.page, Some(&phrase(term)), user),
        },
        Some(term) => CONTAINING.page(connection, query.page, Some(term.folded()), user),
    }
}

/// The page that is asked for of a long term's matches, where few names have both its ends.
fn by_its_ends(
    connection: &Connection,
    term: &SearchTerm,
    page: PageRequest,
) -> rusqlite::Result<Option<Page<User>>> {
    if term.folded().chars().count() < LONG {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(WITH_BOTH_ENDS)?;
    let names = statement.query_map([term.folded()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let names: Vec<(i64, bool)> = names.take(FEW + 1).collect::<rusqlite::Result<_>>()?;
    if names.len() > FEW {
        return Ok(None);
    }
    let matches: Vec<_> = names.into_iter().filter(|(_, is_match)| *is_match).collect();
    let total = matches.len() as u64;
    let offset = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
    let users = matches.into_iter().skip(offset).take(limit);
    let users = users.filter_map(|(rank, _)| first(connection, USER_AT, [rank], user).transpose());
    Ok(Some(Page { total, items: users.collect::<rusqlite::Result<_>>()? }))
}

/// Whether the full-text index tells exactly which names contain it. It knows three code points in a row and no fewer;
/// NUL, and what the tokenizer takes for U+FFFD or we put in NUL's place, are not told apart there.
fn is_indexed(term: &SearchTerm) -> bool {
    let text = term.folded();
    text.chars().nth(2).is_some() && !text.contains(['\0', '\u{FFFD}', '\u{FFFE}', '\u{FFFF}'])
}

/// The term as a phrase, in which nothing is an operator.
fn phrase(term: &SearchTerm) -> String {
    format!("\"{}\"", term.folded().replace('"', "\"\""))
}
