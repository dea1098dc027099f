use std::error::Error;

use roster_domain::ports::Unavailable;

/// The processor does not do what it should, through no fault of the image.
pub(crate) fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Unavailable {
    Unavailable::new("image processor", source)
}
