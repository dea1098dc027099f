//! What a field may hold. `parse` is for what clients send and may refuse; `from_store` is for what a store holds and
//! never does, so that whatever an earlier system let in can be read, edited and deleted like anything else.

mod checksum;
mod client;
mod email;
mod id;
mod image;
mod page;
mod password;
mod reason;
mod request_name;
mod role;
mod search;
mod signing_key;
mod store_name;
mod text;
mod timestamp;
mod token;
mod username;

pub use checksum::{Checksum, RunningChecksum};
pub use client::{Client, ClientAddress, NotAClient};
pub use email::{Email, EmailError};
pub use id::{NotAnId, RequestId, SessionId, TrashEntryId, UserId};
pub use image::{ImageFormat, ImageKey, ImageRef, NotAnImageKey, OriginalImage, OwnImage, ProfileImage};
pub use page::{PageNumber, PageRequest, PerPage};
pub use password::{Password, PasswordHash};
pub use reason::Reason;
pub use request_name::RequestName;
pub use role::Role;
pub use search::SearchTerm;
pub use signing_key::{SHORTEST_KEY, Weakness, weakness};
pub use store_name::StoreName;
pub use text::TextError;
pub use timestamp::Timestamp;
pub use token::{AccessToken, Epoch, RefreshToken, TokenFingerprint, TokenId};
pub use username::Username;
