use roster_domain::ports::Unavailable;

use crate::Failure;

/// A store did not do what it was asked. Nobody knows here whether that passes by itself.
pub(super) fn stopped(error: Unavailable) -> Failure {
    let error = roster_domain::Error::from(error);
    Failure::Migration(format!(
        "{}; once that is well, another run goes on from here",
        roster_domain::Chain(&error)
    ))
}
