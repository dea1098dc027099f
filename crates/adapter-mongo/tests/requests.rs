//! Which request changed something is kept where the format has a place for it.

#[expect(dead_code, reason = "other tests need more of it")]
mod support;

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document, doc};
use roster_domain::ports::{Accounts as _, ProfileImages as _, Trash as _};
use roster_domain_testkit::fixtures::{at, change, image_of, new_user, trashed};

use support::Database;

/// What is ours of the one user.
async fn roster(database: &Database) -> Document {
    let users = database.collection("users").await;
    let user = users.find_one(doc! {}).await.expect("the database answers").expect("a user");
    user.get_document("roster").expect("what is ours").clone()
}

/// The first of the images that are to be removed.
fn first_removal(roster: &Document) -> &Document {
    let removals = roster.get_array("removals").expect("an array");
    removals.first().and_then(Bson::as_document).expect("an image to remove")
}

#[tokio::test]
async fn a_creation_a_deletion_and_an_image_to_remove_keep_their_request() {
    let database = Database::fresh().await;
    let store = database.connect().await;
    let (ann, change) = (new_user("ann"), change());
    let image = image_of(ann.id);
    let bytes = change.request.id.as_bytes().to_vec();
    let kept = Some(&Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes }));

    store.create(&ann, &change).await.unwrap();
    assert_eq!(roster(&database).await.get("request"), kept);
    store.reserve(ann.id, &image, at(600), &change).await.unwrap();
    assert_eq!(first_removal(&roster(&database).await).get("request"), kept);
    store.set(ann.id, &image.into(), &change).await.unwrap();
    store.put(ann.id, &trashed(), &change).await.unwrap();
    assert_eq!(roster(&database).await.get_document("trash").unwrap().get("request"), kept);
    store.purge(ann.id, &change).await.unwrap();
    assert_eq!(first_removal(&roster(&database).await).get("request"), kept);
}
