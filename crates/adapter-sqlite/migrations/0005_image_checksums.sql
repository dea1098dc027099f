-- What the content of an image of ours is known by. Images from before have none.
ALTER TABLE users ADD COLUMN image_length INTEGER CHECK (image_length IS NULL OR image_key IS NOT NULL);
ALTER TABLE users ADD COLUMN image_sha256 BLOB CHECK (
    (image_sha256 IS NULL) = (image_length IS NULL) AND (image_sha256 IS NULL OR length(image_sha256) = 32)
);
