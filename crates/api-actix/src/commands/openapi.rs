use super::{Failure, print};
use crate::http::document;

/// Prints the API's document.
pub(super) fn run() -> Result<(), Failure> {
    print(document().as_bytes())
}
