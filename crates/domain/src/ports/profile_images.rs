use async_trait::async_trait;

use super::Unavailable;
use crate::entities::Change;
use crate::values::{ImageRef, OwnImage, StoreName, Timestamp, UserId};

/// Which images are users', and which are to be removed from their stores: the duties that a change of a user leaves behind,
/// kept with the users so that the change and its duty are one write.
///
/// An image is to be removed from before it is stored until it is a user's ([`reserve`](Self::reserve), then
/// [`set`](Self::set)), and again once it is no longer a user's. So an image that is no user's and is not to be removed does
/// not exist, whenever a process dies.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait ProfileImages: Send + Sync {
    /// Makes `image` the user's profile image. [`reserve`](Self::reserve) comes first.
    ///
    /// - MUST, in the same write, drop the reservation, and leave the image before, where there is one of ours, to be
    ///   removed, due at once.
    /// - MUST keep its checksum with it.
    /// - MUST refuse where the reservation is gone, or is already being removed, or the user is not live.
    async fn set(&self, user: UserId, image: &OwnImage, change: &Change) -> Result<(), SetImageError>;

    /// Takes the user's profile image away.
    ///
    /// - MUST, in the same write, leave the image, where it is one of ours, to be removed, due at once.
    /// - MUST tell a live user that has none from one who is not live. Of two at once exactly one MUST succeed.
    async fn remove(&self, user: UserId, change: &Change) -> Result<(), RemoveImageError>;

    /// Promises to remove an image at `due`, unless it has become its owner's by then.
    async fn reserve(
        &self,
        owner: UserId,
        image: &ImageRef,
        due: Timestamp,
        change: &Change,
    ) -> Result<(), Unavailable>;

    /// At most `limit` removals from that store that are due at `now`, from the one behind `after` on, in an order that stays.
    ///
    /// - A removal that was returned MUST NOT become a user's image any more.
    /// - It MUST be returned again, to anybody who asks, until it is [`done`](Self::done).
    /// - MUST NOT cost in proportion to the number of users, nor of removals from other stores.
    async fn due(
        &self,
        store: &StoreName,
        now: Timestamp,
        after: Option<PendingRemoval>,
        limit: usize,
    ) -> Result<Vec<PendingRemoval>, Unavailable>;

    /// The stores that images are to be removed from, now or later, each once. It may look at all removals.
    async fn stores(&self) -> Result<Vec<StoreName>, Unavailable>;

    /// Forgets a removal that was carried out; one that is not there is forgotten already.
    async fn done(&self, removal: &PendingRemoval) -> Result<(), Unavailable>;
}

/// An image that is to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRemoval {
    /// Whose it was.
    pub owner: UserId,
    /// Which it is.
    pub image: ImageRef,
    /// When it was to be removed.
    pub due: Timestamp,
}

/// Why an image was not taken away.
#[derive(Debug, thiserror::Error)]
pub enum RemoveImageError {
    /// No live user has this id.
    #[error("no such user")]
    NotFound,
    /// The user has no image.
    #[error("the user has no image")]
    NoImage,
    /// The store did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why an image did not become the user's.
#[derive(Debug, thiserror::Error)]
pub enum SetImageError {
    /// No live user has this id.
    #[error("no such user")]
    NotFound,
    /// The reservation ran out: the image may be gone.
    #[error("the reservation of the image ran out")]
    ReservationLost,
    /// The store did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
