//! Moves accounts and images from one store to another, over ports only.
//!
//! The source is only read. Before anything is written, the target is looked through: whoever is in it has to be in the source.
//! Then batch by batch, in the order of ids, what is not there yet is written, an account's image before the account. In the end
//! both are read again and compared. So a run that was cut off, however it was, is run again, and goes on where it was.

mod accounts;
mod error;
mod images;
mod progress;
mod removals;
mod run;
mod transfer;

pub use accounts::{Copied, Equal};
pub use error::TransferError;
pub use images::{Compared, ImageMove};
pub use progress::{Phase, Progress};
pub use run::Report;
pub use transfer::{Target, Transfer};
