-- What the FastAPI service kept of a user's image, the name of a file or an address, until an image of ours takes its place.
ALTER TABLE users ADD COLUMN image_original TEXT CHECK (image_original IS NULL OR image_key IS NULL);
