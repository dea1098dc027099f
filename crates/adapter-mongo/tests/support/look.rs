//! Looking at what is in a database, through a store and past it.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Document, doc};
use roster_adapter_mongo::MongoStore;
use roster_domain::entities::{Page, TrashEntry};
use roster_domain::ports::{Directory, Trash, UserQuery};
use roster_domain::values::UserId;
use roster_domain_testkit::fixtures::{page, search_term};

use super::Database;

/// The id of a document's user.
pub(crate) fn user_id(id: ObjectId) -> UserId {
    UserId::from_bytes(id.bytes())
}

/// All documents of users, as they are.
pub(crate) async fn users_of(database: &Database) -> Vec<Document> {
    let users = database
        .collection("users")
        .await
        .find(doc! {})
        .sort(doc! { "_id": 1 })
        .await
        .expect("the database answers");
    futures_util::TryStreamExt::try_collect(users).await.expect("the database answers")
}

/// How many documents of a collection a filter finds.
pub(crate) async fn count(database: &Database, collection: &str, filter: Document) -> u64 {
    database.collection(collection).await.count_documents(filter).await.expect("the database answers")
}

/// How many users are live, or have that text in their username.
pub(crate) async fn total(store: &MongoStore, search: Option<&str>) -> u64 {
    let query = UserQuery { search: search.map(search_term), page: page(1, 10) };
    Directory::list(store, &query).await.expect("the database answers").total
}

/// The first page of the trash.
pub(crate) async fn trash(store: &MongoStore) -> Page<TrashEntry> {
    Trash::list(store, page(1, 20)).await.expect("the trash is listed")
}
