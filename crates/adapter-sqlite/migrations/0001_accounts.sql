-- Ids are 12 bytes, times are milliseconds since 1970-01-01T00:00:00 UTC.

-- Live users and those in the trash. `rank` orders the rows as their ids do, so that the order of a full-text match,
-- which is the order of its row ids, is the order of a page.
CREATE TABLE users (
    rank            INTEGER PRIMARY KEY,
    id              BLOB NOT NULL UNIQUE CHECK (length(id) = 12),
    email           TEXT NOT NULL,
    email_key       TEXT NOT NULL UNIQUE,
    username        TEXT NOT NULL,
    username_key    TEXT NOT NULL UNIQUE,
    username_folded TEXT NOT NULL,
    -- What the full-text index holds instead of `username_folded`, where it can't hold that.
    search_text     TEXT,
    role            TEXT NOT NULL,
    password_hash   TEXT NOT NULL,
    created_at      INTEGER,
    updated_at      INTEGER,
    updated_by      BLOB,
    image_store     TEXT,
    image_key       TEXT,
    epoch           INTEGER NOT NULL DEFAULT 0,
    -- Follows the table `trash`, by its triggers. An import adds all its users so, and ends by making those live that are
    -- not in `trash`: in one statement, since the full-text index writes what it has gathered before each.
    trashed         INTEGER NOT NULL DEFAULT 0 CHECK (trashed IN (0, 1)),
    CHECK ((image_store IS NULL) = (image_key IS NULL))
) STRICT;

-- What counting, paging and searching for one or two letters walk through.
CREATE INDEX users_live ON users (rank, username_folded) WHERE trashed = 0;

-- Every look-up of live users goes through one of these.
CREATE VIEW live_users AS SELECT * FROM users WHERE trashed = 0;
CREATE VIEW live_names AS SELECT rank, username_folded FROM users INDEXED BY users_live WHERE trashed = 0;

-- The trigrams of live users' names. The names arrive folded, so the index need not fold.
CREATE VIRTUAL TABLE username_search USING fts5 (
    username, content = '', contentless_delete = 1, tokenize = 'trigram case_sensitive 1'
);

-- One row, exact at any moment.
CREATE TABLE summary (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    live      INTEGER NOT NULL,
    trashed   INTEGER NOT NULL,
    had_admin INTEGER NOT NULL
) STRICT;
INSERT INTO summary VALUES (1, 0, 0, 0);

-- A user's are few and lie side by side, in the order in which they started.
CREATE TABLE sessions (
    user_id       BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    ordinal       INTEGER NOT NULL,
    id            BLOB NOT NULL,
    refresh_token BLOB NOT NULL,
    started_at    INTEGER NOT NULL,
    PRIMARY KEY (user_id, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE trash (
    id         BLOB NOT NULL UNIQUE CHECK (length(id) = 12),
    user_id    BLOB NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE,
    deleted_by BLOB NOT NULL,
    deleted_at INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    -- The request that put it there; none where it was imported.
    request    BLOB
) STRICT;
CREATE INDEX trash_by_age ON trash (deleted_at, id);

-- `removing`: not to become a user's image any more.
CREATE TABLE image_removals (
    store    TEXT NOT NULL,
    key      TEXT NOT NULL,
    owner    BLOB NOT NULL,
    due_at   INTEGER NOT NULL,
    removing INTEGER NOT NULL CHECK (removing IN (0, 1)),
    request  BLOB,
    PRIMARY KEY (store, key)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER trashed_user_added AFTER INSERT ON users WHEN new.trashed = 1 BEGIN
    UPDATE summary SET trashed = trashed + 1, had_admin = had_admin OR new.role = 'admin';
END;

CREATE TRIGGER live_user_added AFTER INSERT ON users WHEN new.trashed = 0 BEGIN
    UPDATE summary SET live = live + 1, had_admin = had_admin OR new.role = 'admin';
    INSERT INTO username_search (rowid, username)
        VALUES (new.rank, coalesce(new.search_text, new.username_folded));
END;

CREATE TRIGGER user_promoted AFTER UPDATE OF role ON users WHEN new.role = 'admin' BEGIN
    UPDATE summary SET had_admin = 1;
END;

CREATE TRIGGER user_renamed AFTER UPDATE OF rank, username_folded ON users
WHEN old.trashed = 0 AND (old.rank <> new.rank OR old.username_folded <> new.username_folded) BEGIN
    DELETE FROM username_search WHERE rowid = old.rank;
    INSERT INTO username_search (rowid, username)
        VALUES (new.rank, coalesce(new.search_text, new.username_folded));
END;

CREATE TRIGGER user_trashed AFTER UPDATE OF trashed ON users WHEN old.trashed < new.trashed BEGIN
    UPDATE summary SET live = live - 1, trashed = trashed + 1;
    DELETE FROM username_search WHERE rowid = old.rank;
END;

CREATE TRIGGER user_restored AFTER UPDATE OF trashed ON users WHEN old.trashed > new.trashed BEGIN
    UPDATE summary SET live = live + 1, trashed = trashed - 1;
    INSERT INTO username_search (rowid, username)
        VALUES (new.rank, coalesce(new.search_text, new.username_folded));
END;

CREATE TRIGGER trashed_user_removed AFTER DELETE ON users WHEN old.trashed = 1 BEGIN
    UPDATE summary SET trashed = trashed - 1;
END;

CREATE TRIGGER live_user_removed AFTER DELETE ON users WHEN old.trashed = 0 BEGIN
    UPDATE summary SET live = live - 1;
    DELETE FROM username_search WHERE rowid = old.rank;
END;

CREATE TRIGGER trash_put AFTER INSERT ON trash BEGIN
    UPDATE users SET trashed = 1 WHERE id = new.user_id;
END;

CREATE TRIGGER trash_taken AFTER DELETE ON trash BEGIN
    UPDATE users SET trashed = 0 WHERE id = old.user_id;
END;
