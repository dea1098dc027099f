//! Calls to the server. Each runs in a task of its own, with a timeout, and their number is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt;
use mongodb::action::Action as _;
use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc};
use mongodb::error::{ErrorKind, WriteFailure};
use mongodb::results::{DeleteResult, UpdateResult};
use mongodb::{Client, Collection, Database};
use roster_domain::ports::{
    Access, CallOutcome, CreateError, EditError, ImportError, PurgeError, RemoveImageError, RestoreError,
    SetImageError, StoreCalls, StoreObserver, TrashError, Unavailable,
};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::told;

/// How long one operation of a request may take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// How long one step of a job may take: a batch of a sweep or of an import.
pub(crate) const JOB_DEADLINE: Duration = Duration::from_secs(30);

/// How many operations may be under way. The driver bounds its connections, but not what waits for one.
const MAX_OPERATIONS: usize = 1024;

/// What the log calls this store.
const STORE: &str = "MongoDB";

/// The code of a duplicate key.
const DUPLICATE_KEY: i32 = 11000;

/// The server's collections, to read. Writes go their own way: those that hang, as under `fsyncLock`, keep no connection and
/// no turn from reads.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) database: Database,
    pub(crate) users: Collection<RawDocumentBuf>,
    pub(crate) meta: Collection<Document>,
    reads: Lane,
    pub(crate) writes: Lane,
}

/// Connections of their own, and so many operations at once.
#[derive(Clone)]
pub(crate) struct Lane {
    pub(crate) database: Database,
    pub(crate) users: Collection<RawDocumentBuf>,
    pub(crate) meta: Collection<Document>,
    operations: Arc<Semaphore>,
    calls: StoreCalls,
    /// The format of a newer program, which is in the way of all that this one would do here; 0 where there is none.
    newer: Arc<AtomicI64>,
}

impl Server {
    /// Each client has connections of its own.
    pub(crate) fn new(reads: &Client, writes: &Client, database: &str) -> Self {
        let (reads, writes) = (Lane::new(reads, database), Lane::new(writes, database));
        Self {
            database: reads.database.clone(),
            users: reads.users.clone(),
            meta: reads.meta.clone(),
            reads,
            writes,
        }
    }

    /// Tells that observer of its calls from now on, or nobody.
    pub(crate) fn tell_to(&mut self, observer: Option<Arc<dyn StoreObserver>>) {
        self.reads.calls = self.reads.calls.clone().told_to(observer.clone());
        self.writes.calls = self.writes.calls.clone().told_to(observer);
    }

    /// Runs an operation that reads, as [`Lane::run`] does.
    pub(crate) async fn run<T, E>(
        &self,
        name: &'static str,
        operation: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, ServerFailure>
    where
        T: Send + 'static,
        E: Into<ServerFailure> + Send + 'static,
    {
        self.run_within(DEADLINE, name, operation).await
    }

    /// [`run`](Self::run) with another deadline.
    pub(crate) async fn run_within<T, E>(
        &self,
        deadline: Duration,
        name: &'static str,
        operation: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, ServerFailure>
    where
        T: Send + 'static,
        E: Into<ServerFailure> + Send + 'static,
    {
        let call = self.reads.calls.begin(name, Access::Read);
        let answer = self.reads.answer(deadline, operation).await;
        call.end(outcome(&answer, |_| Access::Read));
        answer
    }

    /// The whole document with that id. That is a look-up which the server neither plans nor looks for a plan of, and it
    /// needs longer to leave out fields than to send them.
    pub(crate) async fn document(&self, id: ObjectId) -> Result<Option<RawDocumentBuf>, ServerFailure> {
        self.find_one(doc! { "_id": id }, doc! {}).await
    }

    /// The documents with those ids, in any order, of the fields that the projection names; all of them where it names none.
    pub(crate) async fn documents(
        &self,
        ids: Vec<Bson>,
        projection: Document,
    ) -> Result<Vec<RawDocumentBuf>, ServerFailure> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let find = Find {
            filter: doc! { "_id": { "$in": ids } },
            projection,
            sort: doc! {},
            skip: 0,
            limit: 0,
            index: None,
        };
        self.find(find, DEADLINE).await
    }

    /// The first document that a filter finds, of the fields that the projection names; all of them where it names none.
    pub(crate) async fn find_one(
        &self,
        filter: Document,
        projection: Document,
    ) -> Result<Option<RawDocumentBuf>, ServerFailure> {
        let users = self.users.clone();
        self.run(
            "find",
            async move { users.find_one(filter).projection(projection).max_time(DEADLINE).await },
        )
        .await
    }

    /// Whether a filter finds anything.
    pub(crate) async fn exists(&self, filter: Document) -> Result<bool, ServerFailure> {
        Ok(self.find_one(filter, doc! { "_id": 1 }).await?.is_some())
    }

    /// All documents that a search finds.
    pub(crate) async fn find(
        &self,
        find: Find,
        deadline: Duration,
    ) -> Result<Vec<RawDocumentBuf>, ServerFailure> {
        let users = self.users.clone();
        self.run_within(deadline, "find", async move { find.run(&users, deadline).await }).await
    }

    /// Changes the one document that a filter finds, if any, and returns the fields that the projection names as they are
    /// then.
    pub(crate) async fn change(
        &self,
        filter: Document,
        update: impl Into<mongodb::options::UpdateModifications>,
        projection: Document,
    ) -> Result<Option<RawDocumentBuf>, ServerFailure> {
        let (users, update) = (self.writes.users.clone(), update.into());
        self.writes.run("update", async move { change(&users, filter, update, projection).await }).await
    }
}

impl Lane {
    fn new(client: &Client, database: &str) -> Self {
        let database = client.database(database);
        Self {
            users: database.collection("users"),
            meta: database.collection("roster_meta"),
            database,
            operations: Arc::new(Semaphore::new(MAX_OPERATIONS)),
            calls: StoreCalls::of_the_one(STORE),
            newer: Arc::new(AtomicI64::new(0)),
        }
    }

    /// Lets nothing begin here as long as the database has the format of a newer program. Answers what held before.
    pub(crate) fn close_for(&self, newer: Option<i64>) -> Option<i64> {
        Some(self.newer.swap(newer.unwrap_or(0), Ordering::Relaxed)).filter(|newer| *newer != 0)
    }

    /// Runs an operation that writes in a task of its own, waits for it until the deadline of a request, and tells of it by
    /// that name.
    ///
    /// The driver takes harm when an operation's future is dropped halfway, so neither a client that has gone nor the
    /// deadline drops it: it ends by itself, and nobody waits for it.
    pub(crate) async fn run<T, E>(
        &self,
        name: &'static str,
        operation: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, ServerFailure>
    where
        T: Written + Send + 'static,
        E: Into<ServerFailure> + Send + 'static,
    {
        self.run_within(DEADLINE, name, operation).await
    }

    /// [`run`](Self::run) with another deadline.
    pub(crate) async fn run_within<T, E>(
        &self,
        deadline: Duration,
        name: &'static str,
        operation: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, ServerFailure>
    where
        T: Written + Send + 'static,
        E: Into<ServerFailure> + Send + 'static,
    {
        let call = self.calls.begin(name, Access::Write);
        let answer = self.answer(deadline, operation).await;
        call.end(outcome(&answer, |answer| Access::written(answer.has_written())));
        answer
    }

    async fn answer<T, E>(
        &self,
        deadline: Duration,
        operation: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, ServerFailure>
    where
        T: Send + 'static,
        E: Into<ServerFailure> + Send + 'static,
    {
        let newer = self.newer.load(Ordering::Relaxed);
        if newer != 0 {
            return Err(ServerFailure::Newer(newer));
        }
        let answer = async {
            let permit =
                Arc::clone(&self.operations).acquire_owned().await.map_err(|_| ServerFailure::Overloaded)?;
            let task = tokio::spawn(async move {
                let answer = operation.await;
                drop(permit);
                answer
            });
            task.await.map_err(ServerFailure::Ended)?.map_err(Into::into)
        };
        timeout(deadline, answer).await.unwrap_or(Err(ServerFailure::TimedOut(deadline)))
    }
}

/// How a call has ended, which shows that where it went well.
fn outcome<T>(answer: &Result<T, ServerFailure>, shows: impl FnOnce(&T) -> Access) -> CallOutcome<'_> {
    match answer {
        Ok(answer) => CallOutcome::Done(shows(answer)),
        Err(failure) if failure.is_duplicate_key() => CallOutcome::Refused,
        Err(failure) => CallOutcome::Failed(failure),
    }
}

/// What a write answers.
pub(crate) trait Written {
    /// Whether it has found anything to write.
    fn has_written(&self) -> bool;
}

impl Written for () {
    fn has_written(&self) -> bool {
        true
    }
}

impl<T> Written for Option<T> {
    fn has_written(&self) -> bool {
        self.is_some()
    }
}

impl Written for UpdateResult {
    fn has_written(&self) -> bool {
        self.modified_count > 0 || self.upserted_id.is_some()
    }
}

impl Written for DeleteResult {
    fn has_written(&self) -> bool {
        self.deleted_count > 0
    }
}

/// [`Server::change`] without its task and deadline.
pub(crate) async fn change(
    users: &Collection<RawDocumentBuf>,
    filter: Document,
    update: impl Into<mongodb::options::UpdateModifications>,
    projection: Document,
) -> mongodb::error::Result<Option<RawDocumentBuf>> {
    users
        .find_one_and_update(filter, update)
        .projection(projection)
        .return_document(mongodb::options::ReturnDocument::After)
        // Who waits for it has gone by then.
        .max_time(DEADLINE)
        .await
}

/// A search for documents.
pub(crate) struct Find {
    pub(crate) filter: Document,
    pub(crate) projection: Document,
    pub(crate) sort: Document,
    pub(crate) skip: u64,
    pub(crate) limit: i64,
    /// The index to go through, where it must be that one.
    pub(crate) index: Option<&'static str>,
}

impl Find {
    pub(crate) async fn run(
        self,
        users: &Collection<RawDocumentBuf>,
        deadline: Duration,
    ) -> mongodb::error::Result<Vec<RawDocumentBuf>> {
        let hint = self.index.map(|name| mongodb::options::Hint::Name(name.to_owned()));
        // All that is asked for comes in one answer, as far as that reaches; by itself the first ends at 101 documents.
        let batch = u32::try_from(self.limit.min(1 << 16)).ok().filter(|limit| *limit > 0);
        let cursor = users
            .find(self.filter)
            .projection(self.projection)
            .sort(self.sort)
            .skip(self.skip)
            .limit(self.limit)
            .optional(batch, mongodb::action::Find::batch_size)
            .optional(hint, mongodb::action::Find::hint)
            .max_time(deadline)
            .await?;
        cursor.try_collect().await
    }
}

/// Why the server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerFailure {
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    #[error("too many operations wait")]
    Overloaded,
    #[error("the operation's task ended early")]
    Ended(#[source] tokio::task::JoinError),
    #[error("{}", told::reason(.0))]
    Driver(mongodb::error::Error),
    #[error("a newer Roster has brought the database to format {0}: stop this one")]
    Newer(i64),
    /// An answer that makes no sense, or a state that others keep changing.
    #[error("{0}")]
    Unexpected(String),
    /// What others wrote is of no use, until somebody mends it.
    #[error("{0}")]
    Unfit(String),
}

impl ServerFailure {
    /// Whether a unique index refused the write.
    pub(crate) fn is_duplicate_key(&self) -> bool {
        let Self::Driver(error) = self else { return false };
        match error.kind.as_ref() {
            ErrorKind::Write(WriteFailure::WriteError(error)) => error.code == DUPLICATE_KEY,
            ErrorKind::Command(error) => error.code == DUPLICATE_KEY,
            _ => false,
        }
    }
}

impl From<mongodb::error::Error> for ServerFailure {
    fn from(error: mongodb::error::Error) -> Self {
        Self::Driver(error)
    }
}

impl From<ServerFailure> for Unavailable {
    fn from(failure: ServerFailure) -> Self {
        Self::new(STORE, failure)
    }
}

/// Lets `?` turn a failure into the `Unavailable` of a port's own error.
macro_rules! unavailable {
    ($($error:ty),*) => {$(
        impl From<ServerFailure> for $error {
            fn from(failure: ServerFailure) -> Self {
                Self::Unavailable(failure.into())
            }
        }
    )*};
}

unavailable!(
    CreateError,
    EditError,
    ImportError,
    SetImageError,
    RemoveImageError,
    TrashError,
    RestoreError,
    PurgeError
);
