//! The indexes of `users`. They are built at the start, while the database serves others, and checked by the sweep.

use std::time::Duration;

use mongodb::IndexModel;
use mongodb::bson::{Document, doc};
use mongodb::options::IndexOptions;

use crate::MongoStore;
use crate::server::ServerFailure;

/// Live users in id order.
pub(crate) const LIVE: &str = "roster_live";
/// Users by the ends of their usernames.
pub(crate) const SUFFIXES: &str = "roster_suffixes";
/// Users in the trash, in the order of their entries.
pub(crate) const TRASH: &str = "roster_trash";
/// Users in the trash, in the order of their deletion.
pub(crate) const TRASH_AGE: &str = "roster_trash_age";
/// Users whose images are to be removed, by the store that these lie in.
pub(crate) const REMOVALS: &str = "roster_removals_by_store";
/// Users who are marked deleted, by their entry: those without one come first.
pub(crate) const DELETED: &str = "roster_deleted_by_entry";
/// Users who have an entry, by whether they are marked deleted.
pub(crate) const ENTERED: &str = "roster_entered_by_mark";
/// Users by whether they are adopted.
pub(crate) const VERSION: &str = "roster_version";

/// Indexes of earlier versions, which nothing asks for any more.
const OBSOLETE: &[&str] = &["roster_removals"];

/// How long the building of an index over millions of users may take.
const BUILD_DEADLINE: Duration = Duration::from_hours(2);

fn index(name: &str, keys: Document) -> IndexModel {
    let options = IndexOptions::builder().name(name.to_owned()).build();
    IndexModel::builder().keys(keys).options(options).build()
}

/// Over those documents alone that a filter finds. It asks for `$exists`, which the planner knows to hold for every
/// comparison with a value.
fn partial(name: &str, keys: Document, filter: Document) -> IndexModel {
    let options = IndexOptions::builder().name(name.to_owned()).partial_filter_expression(filter).build();
    IndexModel::builder().keys(keys).options(options).build()
}

/// Unique among the documents that have the field: unadopted users and tombstones have none.
fn unique(name: &str, field: &str) -> IndexModel {
    let options = IndexOptions::builder()
        .name(name.to_owned())
        .unique(true)
        .partial_filter_expression(doc! { field: { "$exists": true } })
        .build();
    IndexModel::builder().keys(doc! { field: 1 }).options(options).build()
}

fn all() -> Vec<IndexModel> {
    vec![
        unique("roster_email_key", "roster.email_key"),
        unique("roster_username_key", "roster.username_key"),
        unique("roster_first_admin", "roster.first_admin"),
        index(LIVE, doc! { "is_deleted": 1, "_id": 1 }),
        index(SUFFIXES, doc! { "roster.suffixes": 1, "is_deleted": 1, "_id": 1 }),
        index(VERSION, doc! { "roster.v": 1, "_id": 1 }),
        partial("roster_admins", doc! { "role": 1 }, doc! { "role": "admin" }),
        partial(
            TRASH,
            doc! { "roster.trash.id": 1, "is_deleted": 1 },
            doc! { "roster.trash.id": { "$exists": true } },
        ),
        partial(
            TRASH_AGE,
            doc! { "roster.trash.deleted_at": 1, "is_deleted": 1 },
            doc! { "roster.trash.deleted_at": { "$exists": true } },
        ),
        partial(DELETED, doc! { "roster.trash.id": 1 }, doc! { "is_deleted": true }),
        partial(ENTERED, doc! { "is_deleted": 1 }, doc! { "roster.trash.id": { "$exists": true } }),
        partial(
            REMOVALS,
            doc! { "roster.removals.store": 1, "_id": 1 },
            doc! { "roster.removals.store": { "$exists": true } },
        ),
    ]
}

fn names() -> Vec<String> {
    all().into_iter().filter_map(|index| index.options?.name).collect()
}

impl MongoStore {
    /// Makes the indexes that are missing and waits for those that another instance makes.
    pub(crate) async fn make_indexes(&self) -> Result<(), ServerFailure> {
        let users = self.server.users.clone();
        self.server
            .run_within(BUILD_DEADLINE, "create_indexes", async move { users.create_indexes(all()).await })
            .await?;
        self.drop_obsolete_indexes().await
    }

    async fn drop_obsolete_indexes(&self) -> Result<(), ServerFailure> {
        let users = self.server.users.clone();
        let there = self.server.run("list_indexes", async move { users.list_index_names().await }).await?;
        for name in OBSOLETE.iter().filter(|name| there.iter().any(|there| there == *name)) {
            let users = self.server.users.clone();
            // Another instance may be first.
            if let Err(failure) =
                self.server.run("drop_index", async move { users.drop_index(*name).await }).await
            {
                tracing::warn!(
                    event = "old index left behind",
                    index = name,
                    error = %failure,
                    "an old index could not be dropped"
                );
            }
        }
        Ok(())
    }

    /// Notices indexes that somebody has dropped, and makes them again.
    pub(crate) async fn look_after_indexes(&self) -> Result<(), ServerFailure> {
        let users = self.server.users.clone();
        let there = self.server.run("list_indexes", async move { users.list_index_names().await }).await?;
        let missing: Vec<String> = names().into_iter().filter(|name| !there.contains(name)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        tracing::error!(event = "indexes missing", indexes = ?missing, "they are made again");
        self.make_indexes().await
    }
}
