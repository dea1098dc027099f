//! A database of a test's own.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use mongodb::Client;
use mongodb::bson::{Document, doc};

use crate::{Topology, server};

/// A database that no other test uses. It goes with this value.
#[derive(Debug)]
pub struct Database {
    url: String,
    name: String,
}

impl Database {
    /// One with nothing in it, on a server of that topology.
    pub async fn fresh(topology: Topology) -> Self {
        static COUNTED: AtomicU64 = AtomicU64::new(0);
        let name = format!("roster_test_{}_{}", std::process::id(), COUNTED.fetch_add(1, Ordering::Relaxed));
        let database = Self { url: server(topology).await.to_owned(), name };
        database.remove().await;
        database
    }

    /// The URL of its server.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The database as a shell sees it.
    ///
    /// # Panics
    /// Where its server is gone.
    #[expect(clippy::expect_used, reason = "a test without its server has failed")]
    pub async fn raw(&self) -> mongodb::Database {
        Client::with_uri_str(&self.url).await.expect("a client").database(&self.name)
    }

    /// Puts into it what a folder holds: a file `NAME.json` for each collection, a document in extended JSON a line, and the
    /// indexes in `indexes.json`.
    ///
    /// # Panics
    /// Where one of the files can't be read, or the server refuses what it holds.
    #[expect(clippy::expect_used, reason = "a test without its data has failed")]
    pub async fn restore(&self, folder: &Path) {
        let raw = self.raw().await;
        for file in fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()) {
            let name = file.file_stem().and_then(OsStr::to_str).expect("a name").to_owned();
            if name == "indexes" {
                continue;
            }
            let text = fs::read_to_string(&file).expect("a text");
            let documents: Vec<Document> = text
                .lines()
                .map(|line| serde_json::from_str(line).expect("a document in extended JSON"))
                .collect();
            if !documents.is_empty() {
                raw.collection::<Document>(&name)
                    .insert_many(documents)
                    .await
                    .expect("documents are written");
            }
        }
        let Ok(indexes) = fs::read_to_string(folder.join("indexes.json")) else { return };
        let indexes: BTreeMap<String, Vec<Document>> = serde_json::from_str(&indexes).expect("indexes");
        for (collection, indexes) in indexes.into_iter().filter(|(_, indexes)| !indexes.is_empty()) {
            let command = doc! { "createIndexes": collection, "indexes": indexes };
            raw.run_command(command).await.expect("indexes are made");
        }
    }

    /// All that is in it, for comparing: the documents of each collection in the order of their ids, and its indexes.
    ///
    /// # Panics
    /// Where its server is gone.
    #[expect(clippy::expect_used, reason = "a test without its server has failed")]
    pub async fn content(&self) -> BTreeMap<String, Vec<Document>> {
        let raw = self.raw().await;
        let mut content = BTreeMap::new();
        for name in raw.list_collection_names().await.expect("collections") {
            let mut found = raw
                .collection::<Document>(&name)
                .find(doc! {})
                .sort(doc! { "_id": 1 })
                .await
                .expect("documents");
            let mut all = Vec::new();
            while found.advance().await.expect("a document") {
                all.push(found.deserialize_current().expect("a document"));
            }
            let indexes = raw.run_command(doc! { "listIndexes": &name }).await.expect("indexes");
            let indexes = indexes.get_document("cursor").expect("indexes").get("firstBatch").cloned();
            all.push(doc! { "indexes": indexes });
            content.insert(name, all);
        }
        content
    }

    #[expect(clippy::expect_used, reason = "a test without its server has failed")]
    async fn remove(&self) {
        self.raw().await.drop().await.expect("a database is dropped");
    }
}

impl Drop for Database {
    #[expect(clippy::expect_used, reason = "a test whose database stays behind has failed")]
    fn drop(&mut self) {
        // A runtime of its own, since the test's may be ending; on a thread of its own, since that may be one of a runtime.
        let removed = thread::scope(|scope| {
            let removing = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime").block_on(self.remove());
            });
            removing.join()
        });
        // A second panic would hide the first.
        assert!(removed.is_ok() || thread::panicking(), "the database {} stays behind", self.name);
    }
}
