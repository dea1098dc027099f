-- What a log-in has to know of those before it: how many failed in a row, when the last of them was from a client that had not
-- logged in before, and which clients logged in last, newest first and parted by blanks. Whoever has no row has none of that.
CREATE TABLE log_ins (
    user_id            BLOB PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    failures           INTEGER NOT NULL DEFAULT 0,
    stranger_failed_at INTEGER,
    clients            TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;

-- What the dearest of all password hashes costs, those of a cost that isn't set any more included: of plain bcrypt, of
-- `$bcrypt-sha256$v=2,t=2b,r=`, or nothing where it is neither.
ALTER TABLE summary ADD COLUMN dearest_hash INTEGER NOT NULL DEFAULT 0;
UPDATE summary SET dearest_hash = coalesce((
    SELECT max(CAST(substr(password_hash, CASE WHEN password_hash LIKE '$bcrypt-sha256$%' THEN 27 ELSE 5 END, 2) AS INTEGER))
    FROM users
), 0);
