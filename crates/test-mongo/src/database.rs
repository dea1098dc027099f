//! A database of a test's own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use mongodb::Client;

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
