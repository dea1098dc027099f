use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use super::{Stored, StoredUser};

/// What must find nothing: each names a thing that is half there.
const HALVES: &[(&str, &str)] = &[
    (
        "an entry in the trash without its user",
        "SELECT hex(user_id) FROM trash WHERE user_id NOT IN (SELECT id FROM users WHERE trashed = 1)",
    ),
    (
        "a user in the trash without an entry",
        "SELECT username FROM users WHERE trashed = 1 AND id NOT IN (SELECT user_id FROM trash)",
    ),
    (
        "a session of somebody who is not live",
        "SELECT hex(user_id) FROM sessions WHERE user_id NOT IN (SELECT id FROM users WHERE trashed = 0)",
    ),
    (
        "a reservation of another name than the user's",
        "SELECT username FROM users WHERE email_key <> email OR username_key <> username
             OR username_folded <> username",
    ),
    (
        "a live user who can't be searched for",
        "SELECT username FROM users WHERE trashed = 0 AND rank NOT IN (SELECT id FROM username_search_docsize)",
    ),
    (
        "a user in the search who is not live",
        "SELECT CAST(id AS TEXT) FROM username_search_docsize
         WHERE id NOT IN (SELECT rank FROM users WHERE trashed = 0)",
    ),
    (
        "a wrong total",
        "SELECT live || ' ' || trashed FROM summary WHERE (live, trashed) <>
             (SELECT count(*) FILTER (WHERE trashed = 0), count(*) FILTER (WHERE trashed = 1) FROM users)",
    ),
    (
        "a reference to nothing",
        "SELECT \"table\" || ' ' || coalesce(rowid, '') FROM pragma_foreign_key_check",
    ),
    ("damage", "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
];

fn open(folder: &Path) -> Connection {
    Connection::open(folder.join("data/roster.db")).unwrap()
}

pub(super) fn read(folder: &Path) -> Stored {
    let mut connection = open(folder);
    let snapshot = connection.transaction().unwrap();
    for (what, sql) in HALVES {
        let found: Option<String> = snapshot.query_row(sql, [], |row| row.get(0)).optional().unwrap();
        assert_eq!(found, None, "there is {what}");
    }
    let mut users =
        snapshot.prepare("SELECT lower(hex(id)), username, email, trashed, image_key FROM users").unwrap();
    let users = users.query_map([], |row| {
        let (username, email, in_trash, image) = (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
        Ok((row.get(0)?, StoredUser { username, email, in_trash, image }))
    });
    let mut removals = snapshot.prepare("SELECT key FROM image_removals").unwrap();
    let removals = removals.query_map([], |row| row.get(0)).unwrap();
    Stored {
        users: users.unwrap().map(Result::unwrap).collect(),
        removals: removals.map(Result::unwrap).collect(),
        tombstones: 0,
    }
}

pub(super) fn make_removals_due(folder: &Path) {
    open(folder).execute("UPDATE image_removals SET due_at = 0", []).unwrap();
}
