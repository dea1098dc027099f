//! Ports that count what is asked of the ones behind them. They are put in where metrics are kept, and nowhere else.

use std::sync::Arc;

use async_trait::async_trait;
use metrics::{Counter, counter, histogram};
use roster_domain::Ports;
use roster_domain::entities::{Change, Edit, NewUser, Page, TrashEntry, User};
use roster_domain::ports::{
    Caller, CallerAnswer, CreateError, Credentials, EditError, ImageRemovals, ImageStore, OpenSession,
    PendingRemoval, PurgeError, RemoveImageError, RestoreError, SessionState, SetImageError, Spool,
    StoredImage, Trash, TrashError, Trashed, Unavailable, UserQuery, Users,
};
use roster_domain::values::{
    Email, ImageKey, ImageRef, OriginalImage, PageRequest, Reason, SessionId, StoreName, Timestamp,
    TrashEntryId, UserId, Username,
};
use tokio::time::Instant;

/// The same ports, which count.
pub(crate) fn measured(ports: Ports) -> Ports {
    let images = |store| Arc::new(Measured(store)) as Arc<dyn ImageStore>;
    Ports {
        users: Arc::new(Measured(ports.users)),
        trash: Arc::new(CountedTrash { trash: ports.trash, purged: counter!("roster_users_purged_total") }),
        removals: Arc::new(CountedRemovals {
            removals: ports.removals,
            removed: counter!("roster_images_removed_total"),
        }),
        images: images(ports.images),
        s3_images: ports.s3_images.map(images),
        ..ports
    }
}

/// A port whose calls are counted.
struct Measured<T: ?Sized>(Arc<T>);

/// The trash, and how many users were deleted from it for good.
struct CountedTrash {
    trash: Arc<dyn Trash>,
    purged: Counter,
}

/// The removals, and how many were carried out.
struct CountedRemovals {
    removals: Arc<dyn ImageRemovals>,
    removed: Counter,
}

/// Counts a call, and how long it took.
async fn count<T, E: Refusal>(
    port: &'static str,
    method: &'static str,
    call: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let mut call_of = Call { port, method, since: Instant::now(), outcome: "abandoned" };
    let answer = call.await;
    call_of.outcome = match &answer {
        Ok(_) => "ok",
        Err(error) if error.is_outage() => "unavailable",
        Err(_) => "refused",
    };
    answer
}

/// A call, which is counted when this is dropped: at its end, or where nobody waits for it any more.
struct Call {
    port: &'static str,
    method: &'static str,
    since: Instant,
    outcome: &'static str,
}

impl Drop for Call {
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
    /// Whether that is the store's fault.
    fn is_outage(&self) -> bool;
}

impl Refusal for Unavailable {
    fn is_outage(&self) -> bool {
        true
    }
}

macro_rules! refusal {
    ($($error:ident),*) => {$(
        impl Refusal for $error {
            fn is_outage(&self) -> bool {
                matches!(self, Self::Unavailable(_))
            }
        }
    )*};
}

refusal!(CreateError, EditError, SetImageError, RemoveImageError, TrashError, RestoreError, PurgeError);

#[async_trait]
impl Users for Measured<dyn Users> {
    async fn create(&self, user: &NewUser, change: &Change) -> Result<(), CreateError> {
        count("users", "create", self.0.create(user, change)).await
    }

    async fn create_first_admin(&self, user: &NewUser, change: &Change) -> Result<(), CreateError> {
        count("users", "create_first_admin", self.0.create_first_admin(user, change)).await
    }

    async fn has_had_admin(&self) -> Result<bool, Unavailable> {
        count("users", "has_had_admin", self.0.has_had_admin()).await
    }

    async fn free_usernames(&self, candidates: &[Username]) -> Result<Vec<Username>, Unavailable> {
        count("users", "free_usernames", self.0.free_usernames(candidates)).await
    }

    async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, Unavailable> {
        count("users", "credentials", self.0.credentials(email)).await
    }

    async fn open_session(&self, open: &OpenSession, change: &Change) -> Result<bool, Unavailable> {
        count("users", "open_session", self.0.open_session(open, change)).await
    }

    async fn session(
        &self,
        user: UserId,
        session: Option<SessionId>,
    ) -> Result<Option<SessionState>, Unavailable> {
        count("users", "session", self.0.session(user, session)).await
    }

    async fn caller(&self, caller: Caller, named: Option<UserId>) -> Result<CallerAnswer, Unavailable> {
        count("users", "caller", self.0.caller(caller, named)).await
    }

    async fn list(&self, query: &UserQuery) -> Result<Page<User>, Unavailable> {
        count("users", "list", self.0.list(query)).await
    }

    async fn edit(&self, user: UserId, edit: &Edit, change: &Change) -> Result<User, EditError> {
        count("users", "edit", self.0.edit(user, edit, change)).await
    }

    async fn set_image(&self, user: UserId, image: &ImageRef, change: &Change) -> Result<(), SetImageError> {
        count("users", "set_image", self.0.set_image(user, image, change)).await
    }

    async fn remove_image(&self, user: UserId, change: &Change) -> Result<(), RemoveImageError> {
        count("users", "remove_image", self.0.remove_image(user, change)).await
    }
}

#[async_trait]
impl Trash for CountedTrash {
    async fn put(&self, user: UserId, entry: &Trashed, change: &Change) -> Result<(), TrashError> {
        count("trash", "put", self.trash.put(user, entry, change)).await
    }

    async fn put_many(
        &self,
        users: &[(UserId, TrashEntryId)],
        reason: &Reason,
        change: &Change,
    ) -> Result<Vec<UserId>, Unavailable> {
        count("trash", "put_many", self.trash.put_many(users, reason, change)).await
    }

    async fn list(&self, page: PageRequest) -> Result<Page<TrashEntry>, Unavailable> {
        count("trash", "list", self.trash.list(page)).await
    }

    async fn restore(&self, user: UserId, change: &Change) -> Result<User, RestoreError> {
        count("trash", "restore", self.trash.restore(user, change)).await
    }

    async fn purge(&self, user: UserId, change: &Change) -> Result<(), PurgeError> {
        count("trash", "purge", self.trash.purge(user, change)).await?;
        self.purged.increment(1);
        Ok(())
    }

    async fn purge_expired(
        &self,
        cutoff: Timestamp,
        limit: usize,
        change: &Change,
    ) -> Result<Vec<UserId>, Unavailable> {
        let purged = count("trash", "purge_expired", self.trash.purge_expired(cutoff, limit, change)).await?;
        self.purged.increment(purged.len() as u64);
        Ok(purged)
    }
}

#[async_trait]
impl ImageRemovals for CountedRemovals {
    async fn reserve(
        &self,
        owner: UserId,
        image: &ImageRef,
        due: Timestamp,
        change: &Change,
    ) -> Result<(), Unavailable> {
        count("image_removals", "reserve", self.removals.reserve(owner, image, due, change)).await
    }

    async fn due(
        &self,
        store: &StoreName,
        now: Timestamp,
        after: Option<PendingRemoval>,
        limit: usize,
    ) -> Result<Vec<PendingRemoval>, Unavailable> {
        count("image_removals", "due", self.removals.due(store, now, after, limit)).await
    }

    async fn stores(&self) -> Result<Vec<StoreName>, Unavailable> {
        count("image_removals", "stores", self.removals.stores()).await
    }

    async fn done(&self, removal: &PendingRemoval) -> Result<(), Unavailable> {
        count("image_removals", "done", self.removals.done(removal)).await?;
        self.removed.increment(1);
        Ok(())
    }
}

#[async_trait]
impl ImageStore for Measured<dyn ImageStore> {
    fn name(&self) -> StoreName {
        self.0.name()
    }

    async fn put(&self, key: &ImageKey, image: Spool) -> Result<(), Unavailable> {
        count("images", "put", self.0.put(key, image)).await
    }

    async fn open(&self, key: &ImageKey) -> Result<Option<StoredImage>, Unavailable> {
        count("images", "open", self.0.open(key)).await
    }

    async fn open_original(&self, image: &OriginalImage) -> Result<Option<StoredImage>, Unavailable> {
        count("images", "open_original", self.0.open_original(image)).await
    }

    async fn remove(&self, key: &ImageKey) -> Result<(), Unavailable> {
        count("images", "remove", self.0.remove(key)).await
    }
}
