//! The use cases, one file each, as methods of [`Roster`]. Each reads like the sentence that describes it.

mod bulk_delete;
mod caller;
mod delete_image;
mod delete_user;
mod edit_user;
mod housekeeping;
mod list_trash;
mod list_users;
mod log_in;
mod purge_user;
mod read_image;
mod read_user;
mod refresh;
mod restore_user;
mod sign_up;
mod tokens;
mod upload_image;

#[cfg(test)]
mod testing;

use std::sync::Arc;
use std::time::Duration;

use crate::Error;
use crate::entities::{Change, Request};
use crate::limits::{Limiter, RateLimits, TooMany};
use crate::ports::{
    Accounts, Clock, Directory, Ids, ImageProcessor, ImageStore, PasswordHasher, ProfileImages, Sessions,
    Tokens, Trash,
};
use crate::room::Room;
use crate::values::UserId;

pub use bulk_delete::BulkDeletion;
pub use housekeeping::{PURGE_BATCH, RemovalProgress};
pub use log_in::{Checked, FailedCheck, Known, TokenPair};
pub use read_image::{ImageContent, ImageReading, ImageVersion, KnownVersions};
pub use sign_up::{Prepared, SignUp};
pub use tokens::{ACCESS_TOKEN_LIFETIME, SESSION_LIFETIME};
pub use upload_image::UploadTarget;

/// How many bytes of images are held in memory at most, by all who are sent one. An image that finds no room is read from its
/// store twice: once to be checked, and once to be sent.
const HELD_IMAGES: u64 = 16 << 20;

/// Who may sign up as an admin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdminSignUp {
    /// Anybody.
    Open,
    /// Anybody until there has been an admin, admins from then on.
    Bootstrap,
    /// Admins.
    Closed,
}

/// What an operator decides.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Who may sign up as an admin.
    pub admin_sign_up: AdminSignUp,
    /// How long a user stays in the trash.
    pub trash_retention: Duration,
    /// Whether anybody may read an image in S3 whose address they know.
    pub public_images: bool,
    /// Who may ask how often.
    pub limits: RateLimits,
}

/// The outside world.
#[derive(Clone)]
#[expect(missing_docs, reason = "each is its port")]
pub struct Ports {
    pub accounts: Arc<dyn Accounts>,
    pub directory: Arc<dyn Directory>,
    pub sessions: Arc<dyn Sessions>,
    pub profile_images: Arc<dyn ProfileImages>,
    pub trash: Arc<dyn Trash>,
    /// Where `/profile-upload/` stores.
    pub images: Arc<dyn ImageStore>,
    /// Where `/profile-upload-s3/` stores.
    pub s3_images: Option<Arc<dyn ImageStore>>,
    pub processor: Arc<dyn ImageProcessor>,
    pub hasher: Arc<dyn PasswordHasher>,
    pub tokens: Arc<dyn Tokens>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
}

/// All use cases.
pub struct Roster {
    ports: Ports,
    rules: Rules,
    /// For images that are being sent.
    held_images: Arc<Room>,
    limiter: Arc<Limiter>,
}

impl Roster {
    /// Over that outside world, by those rules.
    #[must_use]
    pub fn new(ports: Ports, rules: Rules) -> Self {
        let limiter = Arc::new(Limiter::new(rules.limits));
        Self { ports, rules, limiter, held_images: Room::new(HELD_IMAGES) }
    }

    /// What is beyond a limit is told and refused. Of many in a row the log has the first, at a level that everybody keeps.
    fn limited(too_many: TooMany, request: Request) -> Error {
        let TooMany { limit, retry_after, is_first } = too_many;
        let (limit, client) = (limit.as_str(), request.client.map(tracing::field::display));
        if is_first {
            tracing::warn!(
                event = "rate limit reached",
                limit,
                client,
                %request,
                "refusing with 429: {limit}"
            );
        } else {
            tracing::debug!(
                event = "rate limited",
                limit,
                client,
                %request,
                "a request was refused with 429"
            );
        }
        Error::RateLimited { limit, retry_after }
    }

    /// A change that happens now.
    fn change(&self, actor: Option<UserId>, request: Request) -> Change {
        Change { actor, at: self.ports.clock.now(), request }
    }
}
