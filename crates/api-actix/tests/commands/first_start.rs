//! The first start over the data of the FastAPI service.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, DateTime, Document, doc};
use roster_test_mongo::{Database, asked_topology};
use serde_json::Value;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

use crate::harness::Setup;
use crate::program::run;

/// Users of these names, deleted so many days ago.
async fn deleted(database: &Database, users: &[(&str, i64)]) -> Vec<ObjectId> {
    let raw = database.raw().await;
    let mut ids = Vec::new();
    for (name, days) in users {
        let id = ObjectId::new();
        let user = doc! {
            "_id": id, "email": format!("{name}@example.com"), "username": *name, "role": "regular", "is_deleted": true,
            "updated_at": Bson::Null,
        };
        raw.collection::<Document>("users").insert_one(user).await.unwrap();
        let at = DateTime::from_millis(DateTime::now().timestamp_millis() - days * 86_400_000);
        let entry =
            doc! { "user_id": id.to_hex(), "deleted_by": id.to_hex(), "deleted_at": at, "reason": "spam" };
        raw.collection::<Document>("trash").insert_one(entry).await.unwrap();
        ids.push(id);
    }
    ids
}

/// Days on which a day from now may be, to the minute.
fn tomorrow() -> [String; 2] {
    let seconds = DateTime::now().timestamp_millis() / 1_000;
    let now = OffsetDateTime::from_unix_timestamp(seconds).unwrap() + Duration::DAY;
    [now, now + Duration::minutes(3)].map(|time| format!("for good from {} ", time.date()))
}

async fn there(database: &Database) -> Vec<ObjectId> {
    let users = database.raw().await.collection::<Document>("users");
    let mut found = users.find(doc! {}).sort(doc! { "_id": 1 }).await.unwrap();
    let mut ids = Vec::new();
    while found.advance().await.unwrap() {
        ids.push(found.current().get_object_id("_id").unwrap());
    }
    ids
}

/// The text of an event in a log.
fn text_of<'a>(events: &'a [Value], event: &str) -> Option<&'a str> {
    let found = events.iter().find(|line| line.to_string().contains(&format!("\"{event}\"")))?;
    found["message"].as_str().or_else(|| found["fields"]["message"].as_str())
}

#[tokio::test]
async fn old_entries_are_told_with_the_date_before_anybody_goes_and_go_a_day_later() {
    let (database, folder) = (Database::fresh(asked_topology()).await, TempDir::new().unwrap());
    let ids = deleted(&database, &[("ann", 31), ("ben", 29)]).await;
    let before = database.content().await;
    let key = "kR7-vq9ZpX2mWcL4tYh8bN6sD3fGj1aE";
    let variables =
        [("DATABASE_URL", database.url()), ("DB_NAME", database.name()), ("SECRET_KEY", key), ("PORT", "0")];
    let told = "1 user in the trash for longer than TRASH_RETENTION_DAYS: deleted for good from";
    let dates = tomorrow();
    let said = run(folder.path(), &["check"], &variables).done();
    let is_told = |text: &str| text.contains(told) && dates.iter().any(|date| text.contains(date));
    assert!(said.contains("users of the FastAPI service will be taken over") && is_told(&said), "{said}");
    assert!(database.content().await == before);

    // In no folder of the test's own, whatever the suite's store is.
    let start = || {
        let setup = Setup::new().on_sqlite().set("DATABASE_URL", database.url());
        setup.set("DB_NAME", database.name()).start()
    };
    let app = start().await;
    let past = "trash past the retention";
    let found = app.logged(|log| text_of(&log.events().collect::<Vec<_>>(), past).map(str::to_owned)).await;
    assert!(found.as_deref().is_some_and(is_told), "{found:?}");
    let said = run(folder.path(), &["purge"], &variables).done();
    assert!(said.contains("\n0 users deleted for good") && is_told(&said), "{said}");
    assert!(!app.log().lines.iter().any(|line| line.contains("user purged")));
    drop(app);
    assert_eq!(there(&database).await, ids);

    // A day later.
    let users = database.raw().await.collection::<Document>("users");
    let over = doc! { "$set": { "roster.trash.spared_until": DateTime::now() } };
    users.update_many(doc! {}, over).await.unwrap();
    let app = start().await;
    let purged =
        app.logged(|log| log.lines.iter().any(|line| line.contains("user purged")).then_some(())).await;
    assert!(purged.is_some(), "{:#?}", app.log().lines);
    let lines = app.log().lines.clone();
    let first = |text: &str| lines.iter().position(|line| line.contains(text)).unwrap();
    assert!(first(past) < first("user purged"), "{lines:#?}");
    assert_eq!(there(&database).await, ids[1..]);
}
