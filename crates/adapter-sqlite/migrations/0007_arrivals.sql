-- Until when who came into the trash from elsewhere is not purged, however old the entry is. Who was put there has none.
ALTER TABLE trash ADD COLUMN spared_until INTEGER;
DROP INDEX trash_by_age;
CREATE INDEX trash_by_age ON trash (deleted_at, id, spared_until);
