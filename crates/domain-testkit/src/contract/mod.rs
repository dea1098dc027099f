//! What the docs of the ports promise, as test functions: one for each MUST, its name the behaviour.
//!
//! Each takes a fresh, empty adapter. An adapter's crate expands a macro into one `#[test]` for each of them:
//!
//! ```
//! use roster_domain_testkit::contract::Stores;
//! use roster_domain_testkit::memory::MemoryStore;
//!
//! /// A fresh store, and what keeps it alive until the test has ended: a temporary folder, a database's name.
//! async fn fresh() -> (Stores, ()) {
//!     (MemoryStore::new().stores(), ())
//! }
//!
//! roster_domain_testkit::store_contract!(fresh);
//! # fn main() {}
//! ```
//!
//! A new function is also written into the list in `lists.rs`; a test of this crate fails where one is missing there.

#![expect(clippy::missing_panics_doc, reason = "a test function panics where the contract is broken")]
#![expect(clippy::unwrap_used, reason = "an answer that no test expects fails it")]
#![expect(missing_docs, reason = "the name of a test function is the sentence that it checks")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use roster_domain::ports::{
    AccountArchive, AccountSource, Accounts, Database, Directory, ProfileImages, Sessions, Tokens, Trash,
};
use roster_domain::values::UserId;
use tokio::runtime::Builder;

mod lists;
mod support;

pub mod archive;
pub mod callers;
pub mod creation;
pub mod database;
pub mod directory;
pub mod editing;
pub mod hasher;
pub mod images;
pub mod interrupted;
pub mod legacy;
pub mod profile_images;
pub mod purge;
pub mod sessions;
pub mod source;
pub mod tokens;
pub mod trash;

/// The ports of one store.
#[derive(Clone)]
pub struct Stores {
    pub accounts: Arc<dyn Accounts>,
    pub directory: Arc<dyn Directory>,
    pub sessions: Arc<dyn Sessions>,
    pub profile_images: Arc<dyn ProfileImages>,
    pub trash: Arc<dyn Trash>,
    pub archive: Arc<dyn AccountArchive>,
}

impl Stores {
    /// Of a store that is all of them.
    pub fn of<S>(store: &Arc<S>) -> Self
    where
        S: Accounts + Directory + Sessions + ProfileImages + Trash + AccountArchive + 'static,
    {
        Self {
            accounts: Arc::clone(store) as _,
            directory: Arc::clone(store) as _,
            sessions: Arc::clone(store) as _,
            profile_images: Arc::clone(store) as _,
            trash: Arc::clone(store) as _,
            archive: Arc::clone(store) as _,
        }
    }
}

/// A store, and what opens the same as a source; `None` where nobody is in it.
#[derive(Clone)]
pub struct Sourced {
    pub stores: Stores,
    pub open: OpenSource,
}

pub type OpenSource = Arc<dyn Fn() -> BoxFuture<'static, Option<Arc<dyn AccountSource>>> + Send + Sync>;

/// Two databases that are not there yet, and what is done to the first of them from outside.
#[derive(Clone)]
pub struct Databases {
    pub one: Arc<dyn Database>,
    pub another: Arc<dyn Database>,
    /// All that is in it, and nothing where it is not there.
    pub content: Content,
    /// Marks it as written by a newer version.
    pub make_newer: MakeNewer,
}

/// By the names of files or collections.
pub type Content = Arc<dyn Fn() -> BoxFuture<'static, BTreeMap<String, Vec<u8>>> + Send + Sync>;

pub type MakeNewer = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// A store, and what makes it fail at each further write of one user.
#[derive(Clone)]
pub struct Failing {
    pub stores: Stores,
    pub refuse: Refuse,
}

pub type Refuse = Arc<dyn Fn(UserId) -> BoxFuture<'static, ()> + Send + Sync>;

/// Tokens, and the same with another key, whose tokens are foreign.
#[derive(Clone)]
pub struct TokenPorts {
    pub tokens: Arc<dyn Tokens>,
    pub with_another_key: Arc<dyn Tokens>,
}

/// No test of a contract takes so long, not even on a busy machine: what does has come to a stop.
const DEADLINE: Duration = Duration::from_mins(2);

/// Runs one test of a contract on threads of its own, over what `fresh` makes; the guard is dropped at the end.
pub fn run<Ports, Guard, FreshFuture, TestFuture>(
    fresh: impl FnOnce() -> FreshFuture,
    test: impl FnOnce(Ports) -> TestFuture,
) where
    FreshFuture: Future<Output = (Ports, Guard)>,
    TestFuture: Future<Output = ()>,
{
    let runtime = Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime of four threads");
    runtime.block_on(async {
        let (ports, guard) = fresh().await;
        tokio::time::timeout(DEADLINE, test(ports)).await.expect("the test ends in time");
        drop(guard);
    });
}
