//! Pages of a list. An index finds the rows of a page, and only those are read.

use roster_domain::entities::Page;
use roster_domain::values::PageRequest;
use rusqlite::{Connection, Row};

use crate::rows::{all, first, saturate};

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
