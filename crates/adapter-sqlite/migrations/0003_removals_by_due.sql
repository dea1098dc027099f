-- What is due in a store is found without a look at what is not, nor at other stores.
CREATE INDEX image_removals_due ON image_removals (store, due_at, key);
