//! A MongoDB whose disk is full. What else may happen to one is in `mongodb_outages.rs`.

use roster_test_mongo::process::Node;

use crate::harness::Setup;
use crate::{SignUps, disk, in_time, was_told_once};

#[tokio::test(flavor = "multi_thread")]
async fn a_mongodb_without_room_is_503_until_it_is_started_with_some() {
    if !disk::can_be_had() {
        return;
    }
    let folder = tempfile::Builder::new().prefix("roster-outage-").tempdir().unwrap();
    let data = folder.path().join("mongodb");
    let disk = disk::Own::small("192m", &data);
    let command = disk::beside(disk.pid());
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    let node = Node::start_by(&command, data.clone(), false).unwrap();
    let url = format!("mongodb://{}/", node.address());
    let app = Setup::new().set("DATABASE_URL", &url).start_in(folder).await;
    let root = app.admin().await;
    let mut people = SignUps::default();
    for _ in 0..2 {
        assert_eq!(people.more(&app, 20).await, 0);
        disk::fill(disk.pid(), &data);
        // What it has room for already is taken. Then it ends itself.
        while people.more(&app, 20).await < 20 {
            assert!(people.bodies.len() < 20_000, "the disk is full, and all are taken in");
        }
        in_time(app.get(&root.path()).by(&root)).await.has(503);

        disk::free(disk.pid(), &data);
        node.kill().unwrap();
        node.restart().unwrap();
        people.come_back(&app).await;
    }
    was_told_once(&app);
    people.are_kept(&app).await;
}
