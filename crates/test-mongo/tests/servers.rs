//! Each kind of server is one, and goes with whoever started it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use mongodb::Client;
use mongodb::bson::doc;
use mongodb::options::WriteConcern;
use roster_test_mongo::process::{Node, ReplicaSet};
use roster_test_mongo::{Topology, server};

async fn ping(url: &str) {
    let client = Client::with_uri_str(url).await.unwrap();
    client.database("admin").run_command(doc! { "ping": 1 }).await.unwrap();
}

#[tokio::test]
async fn a_standalone_server_answers() {
    ping(server(Topology::Standalone).await).await;
}

#[tokio::test]
async fn a_replica_set_of_one_node_answers() {
    ping(server(Topology::ReplicaSet(1)).await).await;
}

#[tokio::test]
async fn a_killed_node_comes_back_with_its_data_and_a_dropped_one_leaves_no_folder() {
    let node = Node::start(false).unwrap();
    let client = Client::with_uri_str(format!("mongodb://{}/", node.address())).await.unwrap();
    let things = client.database("test").collection("things");
    let journaled = WriteConcern::builder().journal(true).build();
    things.insert_one(doc! { "_id": 1 }).write_concern(journaled).await.unwrap();
    node.kill().unwrap();
    node.restart().unwrap();
    assert!(things.find_one(doc! { "_id": 1 }).await.unwrap().is_some());

    let folder = node.folder().to_owned();
    assert!(folder.exists());
    drop(node);
    assert!(!folder.exists());
}

#[tokio::test]
async fn three_nodes_elect_another_primary() {
    let set = ReplicaSet::start(3).await.unwrap();
    let primary = set.primary().await.unwrap();
    primary.kill().unwrap();
    ping(&set.url()).await;
}
