//! Ports that observe the calls of the ports behind them: they report outages, and count calls where metrics are on. Each
//! call costs one boxed future.

use std::sync::Arc;

use async_trait::async_trait;
use metrics::{Counter, counter, histogram};
use roster_domain::Ports;
use roster_domain::entities::{Change, Edit, NewUser, Page, TrashEntry, User};
use roster_domain::ports::{
    Caller, CallerAnswer, CreateError, Credentials, EditError, Expired, FailedLogIn, ImageRemovals,
    ImageStore, Interrupted, OpenSession, PendingRemoval, PurgeError, RemoveImageError, RestoreError,
    SessionState, SetImageError, Spool, StoredImage, Trash, TrashError, Trashed, Unavailable, UserQuery,
    Users,
};
use roster_domain::values::{
    Email, ImageKey, ImageRef, OriginalImage, OwnImage, PageRequest, Reason, SessionId, StoreName, Timestamp,
    TrashEntryId, UserId, Username,
};
use tokio::time::Instant;

use crate::outages::{Access, Outages};

/// The name of the database, beside those that image stores have.
pub(crate) fn database_name() -> StoreName {
    StoreName::new("database")
}

/// The same ports, which tell of each call whether it went well, and count it where metrics are kept.
pub(crate) fn observed(ports: Ports, outages: &Arc<Outages>, counts: bool) -> Ports {
    let database = database_name();
    let images = |images: Arc<dyn ImageStore>| {
        Arc::new(Observed::new(Arc::clone(&images), images.name(), outages, counts)) as Arc<dyn ImageStore>
    };
    let (purged, removed) = if counts {
        (counter!("roster_users_purged_total"), counter!("roster_images_removed_total"))
    } else {
        (Counter::noop(), Counter::noop())
    };
    Ports {
        users: Arc::new(Observed::new(ports.users, database.clone(), outages, counts)),
        trash: Arc::new(ObservedTrash {
            trash: Observed::new(ports.trash, database.clone(), outages, counts),
            purged,
        }),
        removals: Arc::new(ObservedRemovals {
            removals: Observed::new(ports.removals, database, outages, counts),
            removed,
        }),
        images: images(ports.images),
        s3_images: ports.s3_images.map(images),
        ..ports
    }
}

/// A port whose calls are told of.
struct Observed<T: ?Sized> {
    port: Arc<T>,
    /// The store that it is of.
    store: StoreName,
    outages: Arc<Outages>,
    counts: bool,
}

/// The trash, and how many users were deleted from it for good.
struct ObservedTrash {
    trash: Observed<dyn Trash>,
    purged: Counter,
}

/// The removals, and how many were carried out.
struct ObservedRemovals {
    removals: Observed<dyn ImageRemovals>,
    removed: Counter,
}

/// A port's name, and the method's.
type Method = (&'static str, &'static str);

impl<T: ?Sized> Observed<T> {
    fn new(port: Arc<T>, store: StoreName, outages: &Arc<Outages>, counts: bool) -> Self {
        Self { port, store, outages: Arc::clone(outages), counts }
    }

    /// A call that writes nothing.
    async fn read<R, E: Refusal>(
        &self,
        method: Method,
        call: impl Future<Output = Result<R, E>>,
    ) -> Result<R, E> {
        self.call(method, Access::Read, call, |_| Some(Access::Read)).await
    }

    /// A call that has written where it went well.
    async fn write<R, E: Refusal>(
        &self,
        method: Method,
        call: impl Future<Output = Result<R, E>>,
    ) -> Result<R, E> {
        self.call(method, Access::Write, call, |_| Some(Access::Write)).await
    }

    /// A call whose answer says what it shows to work.
    async fn call<R, E: Refusal>(
        &self,
        (port, method): Method,
        access: Access,
        call: impl Future<Output = Result<R, E>>,
        shows: impl FnOnce(&R) -> Option<Access>,
    ) -> Result<R, E> {
        let mut counted =
            self.counts.then(|| Counted { port, method, since: Instant::now(), outcome: "abandoned" });
        let answer = call.await;
        let outcome = match &answer {
            Ok(answer) => {
                if let Some(access) = shows(answer) {
                    self.outages.call_succeeded(&self.store, access);
                }
                "ok"
            }
            Err(error) => {
                if let Some(outage) = error.outage() {
                    self.outages.call_failed(&self.store, access, outage);
                    "unavailable"
                } else {
                    // A store that refuses has read.
                    self.outages.call_succeeded(&self.store, Access::Read);
                    "refused"
                }
            }
        };
        if let Some(counted) = &mut counted {
            counted.outcome = outcome;
        }
        answer
    }
}

/// What a call shows to work that wrote something, or found nothing to write.
fn written(anything: bool) -> Access {
    if anything { Access::Write } else { Access::Read }
}

/// A call, which is counted when this is dropped: at its end, or where nobody waits for it any more.
struct Counted {
    port: &'static str,
    method: &'static str,
    since: Instant,
    outcome: &'static str,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Self { port, method, since, outcome } = *self;
        counter!("roster_store_calls_total", "port" => port, "method" => method, "outcome" => outcome)
            .increment(1);
        histogram!("roster_store_call_duration_seconds", "port" => port, "method" => method)
            .record(since.elapsed());
    }
}

/// Why a port did not do what it was asked.
trait Refusal {
    /// What is wrong with the store, where that is why.
    fn outage(&self) -> Option<&Unavailable>;
}

impl Refusal for Unavailable {
    fn outage(&self) -> Option<&Unavailable> {
        Some(self)
    }
}

impl Refusal for Interrupted {
    fn outage(&self) -> Option<&Unavailable> {
        Some(&self.unavailable)
    }
}

macro_rules! refusal {
    ($($error:ident),*) => {$(
        impl Refusal for $error {
            fn outage(&self) -> Option<&Unavailable> {
                if let Self::Unavailable(error) = self { Some(error) } else { None }
            }
        }
    )*};
}

refusal!(CreateError, EditError, SetImageError, RemoveImageError, TrashError, RestoreError, PurgeError);

#[async_trait]
impl Users for Observed<dyn Users> {
    async fn create(&self, user: &NewUser, change: &Change) -> Result<(), CreateError> {
        self.write(("users", "create"), self.port.create(user, change)).await
    }

    async fn create_first_admin(&self, user: &NewUser, change: &Change) -> Result<(), CreateError> {
        self.write(("users", "create_first_admin"), self.port.create_first_admin(user, change)).await
    }

    async fn has_had_admin(&self) -> Result<bool, Unavailable> {
        self.read(("users", "has_had_admin"), self.port.has_had_admin()).await
    }

    async fn free_usernames(&self, candidates: &[Username]) -> Result<Vec<Username>, Unavailable> {
        self.read(("users", "free_usernames"), self.port.free_usernames(candidates)).await
    }

    async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, Unavailable> {
        self.read(("users", "credentials"), self.port.credentials(email)).await
    }

    async fn open_session(&self, open: &OpenSession, change: &Change) -> Result<bool, Unavailable> {
        self.call(("users", "open_session"), Access::Write, self.port.open_session(open, change), |opened| {
            Some(written(*opened))
        })
        .await
    }

    async fn log_in_failed(&self, failed: &FailedLogIn, change: &Change) -> Result<(), Unavailable> {
        self.write(("users", "log_in_failed"), self.port.log_in_failed(failed, change)).await
    }

    async fn dearest_hash(&self, cost: u32) -> Result<u32, Unavailable> {
        self.write(("users", "dearest_hash"), self.port.dearest_hash(cost)).await
    }

    async fn session(
        &self,
        user: UserId,
        session: Option<SessionId>,
    ) -> Result<Option<SessionState>, Unavailable> {
        self.read(("users", "session"), self.port.session(user, session)).await
    }

    async fn caller(&self, caller: Caller, named: Option<UserId>) -> Result<CallerAnswer, Unavailable> {
        self.read(("users", "caller"), self.port.caller(caller, named)).await
    }

    async fn list(&self, query: &UserQuery) -> Result<Page<User>, Unavailable> {
        self.read(("users", "list"), self.port.list(query)).await
    }

    async fn edit(&self, user: UserId, edit: &Edit, change: &Change) -> Result<User, EditError> {
        self.write(("users", "edit"), self.port.edit(user, edit, change)).await
    }

    async fn set_image(&self, user: UserId, image: &OwnImage, change: &Change) -> Result<(), SetImageError> {
        self.write(("users", "set_image"), self.port.set_image(user, image, change)).await
    }

    async fn remove_image(&self, user: UserId, change: &Change) -> Result<(), RemoveImageError> {
        self.write(("users", "remove_image"), self.port.remove_image(user, change)).await
    }
}

#[async_trait]
impl Trash for ObservedTrash {
    async fn put(&self, user: UserId, entry: &Trashed, change: &Change) -> Result<(), TrashError> {
        self.trash.write(("trash", "put"), self.trash.port.put(user, entry, change)).await
    }

    async fn put_many(
        &self,
        users: &[(UserId, TrashEntryId)],
        reason: &Reason,
        change: &Change,
    ) -> Result<Vec<UserId>, Interrupted> {
        self.trash
            .call(
                ("trash", "put_many"),
                Access::Write,
                self.trash.port.put_many(users, reason, change),
                |put| Some(written(!put.is_empty())),
            )
            .await
    }

    async fn list(&self, page: PageRequest) -> Result<Page<TrashEntry>, Unavailable> {
        self.trash.read(("trash", "list"), self.trash.port.list(page)).await
    }

    async fn restore(&self, user: UserId, change: &Change) -> Result<User, RestoreError> {
        self.trash.write(("trash", "restore"), self.trash.port.restore(user, change)).await
    }

    async fn purge(&self, user: UserId, change: &Change) -> Result<(), PurgeError> {
        self.trash.write(("trash", "purge"), self.trash.port.purge(user, change)).await?;
        self.purged.increment(1);
        Ok(())
    }

    async fn expired(&self, cutoff: Timestamp, now: Timestamp) -> Result<Expired, Unavailable> {
        self.trash.read(("trash", "expired"), self.trash.port.expired(cutoff, now)).await
    }

    async fn purge_expired(
        &self,
        cutoff: Timestamp,
        limit: usize,
        change: &Change,
    ) -> Result<Vec<UserId>, Interrupted> {
        let purged = self
            .trash
            .call(
                ("trash", "purge_expired"),
                Access::Write,
                self.trash.port.purge_expired(cutoff, limit, change),
                |purged| Some(written(!purged.is_empty())),
            )
            .await;
        let done = purged.as_ref().unwrap_or_else(|interrupted| &interrupted.done);
        self.purged.increment(done.len() as u64);
        purged
    }
}

#[async_trait]
impl ImageRemovals for ObservedRemovals {
    async fn reserve(
        &self,
        owner: UserId,
        image: &ImageRef,
        due: Timestamp,
        change: &Change,
    ) -> Result<(), Unavailable> {
        self.removals
            .write(("image_removals", "reserve"), self.removals.port.reserve(owner, image, due, change))
            .await
    }

    async fn due(
        &self,
        store: &StoreName,
        now: Timestamp,
        after: Option<PendingRemoval>,
        limit: usize,
    ) -> Result<Vec<PendingRemoval>, Unavailable> {
        self.removals.read(("image_removals", "due"), self.removals.port.due(store, now, after, limit)).await
    }

    async fn stores(&self) -> Result<Vec<StoreName>, Unavailable> {
        self.removals.read(("image_removals", "stores"), self.removals.port.stores()).await
    }

    async fn done(&self, removal: &PendingRemoval) -> Result<(), Unavailable> {
        self.removals.write(("image_removals", "done"), self.removals.port.done(removal)).await?;
        self.removed.increment(1);
        Ok(())
    }
}

#[async_trait]
impl ImageStore for Observed<dyn ImageStore> {
    fn name(&self) -> StoreName {
        self.port.name()
    }

    async fn put(&self, key: &ImageKey, image: Spool) -> Result<(), Unavailable> {
        self.write(("images", "put"), self.port.put(key, image)).await
    }

    async fn open(&self, key: &ImageKey) -> Result<Option<StoredImage>, Unavailable> {
        self.read(("images", "open"), self.port.open(key)).await
    }

    async fn open_original(&self, image: &OriginalImage) -> Result<Option<StoredImage>, Unavailable> {
        let call = self.port.open_original(image);
        // Of what is not its own it says so unasked, however it is.
        let shows = |found: &Option<_>| found.as_ref().map(|_| Access::Read);
        self.call(("images", "open_original"), Access::Read, call, shows).await
    }

    async fn remove(&self, key: &ImageKey) -> Result<(), Unavailable> {
        // From a full disk it works.
        self.read(("images", "remove"), self.port.remove(key)).await
    }
}
