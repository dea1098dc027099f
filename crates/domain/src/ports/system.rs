use std::time::Duration;

use async_trait::async_trait;

use crate::values::{RequestId, SessionId, Timestamp, TokenId, TrashEntryId, UserId};

/// What time it is.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Ends after that time, whatever is done to the clock meanwhile.
    async fn sleep(&self, time: Duration);
}

/// New ids, and whatever else must not be guessed. Random ones MUST come from a cryptographic generator.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
pub trait Ids: Send + Sync {
    /// A user's id that nobody has; it MUST be larger than those that this generator gave before.
    fn user_id(&self) -> UserId;
    /// A trash entry's id that no other has; it MUST be larger than those that this generator gave before.
    fn trash_entry_id(&self) -> TrashEntryId;
    /// 128 random bits.
    fn session_id(&self) -> SessionId;
    /// 128 random bits.
    fn token_id(&self) -> TokenId;
    /// 128 random bits.
    fn request_id(&self) -> RequestId;
    /// 128 random bits, for an image's name.
    fn image_name(&self) -> [u8; 16];
    /// So many random letters `a` to `z`.
    fn letters(&self, count: usize) -> String;
}
