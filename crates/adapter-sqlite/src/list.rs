//! Pages of users. An index finds the rows of a page, and only those are read.

use roster_domain::entities::{Page, User};
use roster_domain::ports::UserQuery;
use roster_domain::values::{PageRequest, SearchTerm};
use rusqlite::{Connection, Row};

use crate::rows::{all, first, saturate, user, user_columns};

/// The part of a list that a page shows, counted from the nearer end: the last page costs what the first does.
struct Window {
    limit: i64,
    offset: i64,
    from_end: bool,
}

impl Window {
    /// None where the page is beyond the end.
    fn new(page: PageRequest, total: u64) -> Option<Self> {
        let left = total.checked_sub(page.offset()).filter(|left| *left > 0)?;
        let limit = page.limit().min(left);
        let from_end = page.offset() > total / 2;
        let offset = if from_end { left - limit } else { page.offset() };
        Some(Self { limit: saturate(limit), offset: saturate(offset), from_end })
    }
}

/// A list: how long it is, and a window of it counted from either end. The statements of windows take limit and offset
/// first and the list's own parameter third, that of the length takes that alone; rows come in the list's order.
pub(crate) struct List {
    pub(crate) length: &'static str,
    pub(crate) forward: &'static str,
    pub(crate) backward: &'static str,
}

impl List {
    pub(crate) fn page<T>(
        &self,
        connection: &Connection,
        page: PageRequest,
        term: Option<&str>,
        read: fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<Page<T>> {
        let length = |row: &Row<'_>| row.get::<_, i64>(0);
        let total = match term {
            None => first(connection, self.length, [], length)?,
            Some(term) => first(connection, self.length, [term], length)?,
        }
        .unwrap_or_default()
        .cast_unsigned();
        let items = match Window::new(page, total) {
            None => Vec::new(),
            Some(window) => {
                let sql = if window.from_end { self.backward } else { self.forward };
                match term {
                    None => all(connection, sql, (window.limit, window.offset), read)?,
                    Some(term) => all(connection, sql, (window.limit, window.offset, term), read)?,
                }
            }
        };
        Ok(Page { total, items })
    }
}

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

/// The page that is asked for, and its total, of one snapshot.
pub(crate) fn users(connection: &Connection, query: &UserQuery) -> rusqlite::Result<Page<User>> {
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
