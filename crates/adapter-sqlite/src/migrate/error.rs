use std::fmt;

use roster_domain::values::UserId;

pub(crate) enum MigrateError {
    NotOurs,
    Newer { found: u32, known: u32 },
    Conflicts(Conflicts),
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for MigrateError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// How many groups of users a message names, so that it stays a line that can be read.
const NAMED: usize = 100;

/// Users whose names are one by now: somebody has to decide.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conflicts {
    /// The ids of those with one email, group by group.
    pub emails: Vec<Vec<UserId>>,
    /// The ids of those with one username.
    pub usernames: Vec<Vec<UserId>>,
}

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (what, groups) in [("email", &self.emails), ("username", &self.usernames)] {
            for ids in groups.iter().take(NAMED) {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                parts.push(format!("{what} shared by {}", ids.join(" and ")));
            }
            if let Some(more) = groups.len().checked_sub(NAMED).filter(|more| *more > 0) {
                parts.push(format!("{more} more shared {what}s"));
            }
        }
        f.write_str(&parts.join("; "))
    }
}
