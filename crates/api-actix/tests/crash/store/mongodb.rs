use std::time::Duration;

use futures_util::TryStreamExt as _;
use mongodb::bson::{DateTime, Document, doc};
use roster_test_mongo::Database;
use tokio::time::{sleep, timeout};

use super::{Stored, StoredUser};
use crate::harness::PATIENCE;

/// How often MongoDB is asked: to ask is work for it, too.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn read(database: &Database) -> Stored {
    let users = database.raw().await.collection::<Document>("users");
    let documents: Vec<Document> = users.find(doc! {}).await.unwrap().try_collect().await.unwrap();
    let mut stored = Stored::default();
    for document in &documents {
        let roster = document.get_document("roster").unwrap();
        let removals = roster.get_array("removals").into_iter().flatten();
        let keys = removals.map(|removal| removal.as_document().unwrap().get_str("key").unwrap().to_owned());
        stored.removals.extend(keys);
        let is_deleted = document.get_bool("is_deleted").unwrap();
        if roster.get_bool("tombstone").unwrap_or(false) {
            let names = ["email", "username"].iter().any(|name| document.contains_key(name));
            let keys = ["email_key", "username_key", "trash"].iter().any(|key| roster.contains_key(key));
            assert!(is_deleted && !names && !keys, "half a tombstone: {document}");
            stored.tombstones += 1;
            continue;
        }
        let text = |field: &str| document.get_str(field).unwrap().to_owned();
        let (username, email) = (text("username"), text("email"));
        let of = roster.get_document("of").unwrap();
        for (key, name) in [("email_key", &email), ("username_key", &username)] {
            assert_eq!(roster.get_str(key).unwrap(), name, "a reservation of another name: {document}");
        }
        let suffixes = roster.get_array("suffixes").unwrap().iter().map(|suffix| suffix.as_str().unwrap());
        let longest = suffixes.max_by_key(|suffix| suffix.len());
        assert_eq!(longest, Some(username.as_str()), "found by another name: {document}");
        assert_eq!(*of, doc! { "email": &email, "username": &username }, "half renamed: {document}");
        let has_sessions = roster.get_array("sessions").is_ok_and(|sessions| !sessions.is_empty());
        assert_eq!(roster.contains_key("trash"), is_deleted, "half in the trash: {document}");
        assert!(!(is_deleted && has_sessions), "sessions in the trash: {document}");
        let image = roster.get_document("image").ok().map(|image| image.get_str("key").unwrap().to_owned());
        let id = document.get_object_id("_id").unwrap().to_hex();
        stored.users.insert(id, StoredUser { username, email, in_trash: is_deleted, image });
    }
    stored
}

pub(super) async fn make_removals_due(database: &Database) {
    let users = database.raw().await.collection::<Document>("users");
    let due = doc! { "$set": { "roster.removals.$[].due": DateTime::from_millis(0) } };
    users.update_many(doc! { "roster.removals": { "$ne": [], "$exists": true } }, due).await.unwrap();
}

/// A connection whose client died goes when what it asked for is done.
pub(super) async fn forget_the_dead(database: &Database) {
    let admin = database.raw().await.client().database("admin");
    let gone = timeout(PATIENCE, async {
        loop {
            let connections = [
                doc! { "$currentOp": { "allUsers": true, "idleConnections": true } },
                doc! { "$match": { "appName": database.name() } },
            ];
            let found = admin.aggregate(connections).await.unwrap();
            if found.try_collect::<Vec<Document>>().await.unwrap().is_empty() {
                break;
            }
            sleep(PAUSE).await;
        }
    });
    assert!(gone.await.is_ok(), "MongoDB holds on to a dead client");
}
