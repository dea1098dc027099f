//! Which request changed something is kept where the format has a place for it.

use roster_domain::ports::{Accounts, ProfileImages, Trash};
use roster_domain_testkit::fixtures::{at, change, image_of, new_user, trashed};
use rusqlite::Connection;

use super::store;

#[tokio::test]
async fn a_deletion_and_an_image_to_remove_keep_their_request() {
    let (store, _folder) = store();
    let (ann, change) = (new_user("ann"), change());
    let image = image_of(ann.id);
    store.create(&ann, &change).await.unwrap();
    let requests = |connection: &Connection| -> rusqlite::Result<Vec<[u8; 16]>> {
        let kept = "SELECT request FROM trash UNION ALL SELECT request FROM image_removals";
        connection.prepare(kept)?.query_map([], |row| row.get(0))?.collect()
    };
    let kept = vec![*change.request.id.as_bytes()];

    store.reserve(ann.id, &image, at(600), &change).await.unwrap();
    assert_eq!(store.look_up("requests", requests).unwrap(), kept);
    store.set(ann.id, &image.into(), &change).await.unwrap();
    store.put(ann.id, &trashed(), &change).await.unwrap();
    assert_eq!(store.look_up("requests", requests).unwrap(), kept);
    store.purge(ann.id, &change).await.unwrap();
    assert_eq!(store.look_up("requests", requests).unwrap(), kept);
}
