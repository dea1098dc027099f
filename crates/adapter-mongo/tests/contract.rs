//! A store on an empty database keeps the contract, on a standalone server and on a replica set of as many nodes as
//! `ROSTER_TEST_MONGO_NODES` asks for, one without it.

#[expect(dead_code, reason = "other tests need more of it")]
mod support;

use std::sync::Arc;

use mongodb::bson::doc;
use mongodb::bson::oid::ObjectId;
use roster_adapter_mongo::MongoDatabase;
use roster_domain::ports::AccountSource;
use roster_domain_testkit::contract::{
    Content, Databases, Failing, MakeNewer, OpenSource, Refuse, Sourced, Stores,
};
use roster_test_mongo::{Topology, asked_topology};

async fn fresh(topology: Topology) -> (Stores, support::Database) {
    let database = support::Database::fresh_on(topology).await;
    let store = Arc::new(database.connect().await);
    let stores = Stores::of(&store);
    (stores, database)
}

async fn fresh_source(topology: Topology) -> (Sourced, support::Database) {
    let (stores, database) = fresh(topology).await;
    let (url, name) = (database.url().to_owned(), database.name().to_owned());
    let open: OpenSource = Arc::new(move || {
        let (url, name) = (url.clone(), name.clone());
        Box::pin(async move {
            let source = support::source(&url, &name).await;
            source.map(|source| Arc::new(source) as Arc<dyn AccountSource>)
        })
    });
    (Sourced { stores, open }, database)
}

async fn fresh_databases(topology: Topology) -> (Databases, [Arc<support::Database>; 2]) {
    let fresh = async || Arc::new(support::Database::fresh_on(topology).await);
    let guards = [fresh().await, fresh().await];
    let [one, another] = guards.each_ref().map(|database| {
        let (clock, ids) = support::clock_and_ids();
        Arc::new(MongoDatabase::of(database.url().to_owned().into(), database.name(), clock, ids))
    });
    let raw = Arc::clone(&guards[0]);
    let content: Content = Arc::new(move || {
        let raw = Arc::clone(&raw);
        Box::pin(async move {
            let collections = raw.content().await.into_iter();
            collections.map(|(name, documents)| (name, format!("{documents:?}").into_bytes())).collect()
        })
    });
    let raw = Arc::clone(&guards[0]);
    let make_newer: MakeNewer = Arc::new(move || {
        let raw = Arc::clone(&raw);
        Box::pin(async move {
            let (meta, newer) = (raw.collection("roster_meta").await, doc! { "$set": { "version": 77 } });
            meta.update_one(doc! { "_id": "format" }, newer).await.expect("a version");
        })
    });
    (Databases { one, another, content, make_newer }, guards)
}

/// A store whose server then refuses every write of one user.
async fn fresh_that_fails(topology: Topology) -> (Failing, support::Database) {
    let (stores, database) = fresh(topology).await;
    let raw = database.raw().await;
    let refuse: Refuse = Arc::new(move |user| {
        let raw = raw.clone();
        Box::pin(async move {
            let validator = doc! { "_id": { "$ne": ObjectId::from_bytes(*user.as_bytes()) } };
            raw.run_command(doc! { "collMod": "users", "validator": validator }).await.expect("a validator");
        })
    });
    (Failing { stores, refuse }, database)
}

mod standalone {
    use super::{Topology, fresh, fresh_databases, fresh_source, fresh_that_fails};

    roster_domain_testkit::store_contract!(|| fresh(Topology::Standalone));
    roster_domain_testkit::source_contract!(|| fresh_source(Topology::Standalone));
    roster_domain_testkit::database_contract!(|| fresh_databases(Topology::Standalone));
    roster_domain_testkit::interrupted_contract!(|| fresh_that_fails(Topology::Standalone));
}

mod replica_set {
    use super::{Topology, asked_topology, fresh, fresh_databases};

    fn topology() -> Topology {
        let asked = asked_topology();
        if asked == Topology::Standalone { Topology::ReplicaSet(1) } else { asked }
    }

    roster_domain_testkit::store_contract!(|| fresh(topology()));
    roster_domain_testkit::database_contract!(|| fresh_databases(topology()));
}
