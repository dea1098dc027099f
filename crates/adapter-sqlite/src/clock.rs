use std::time::Instant;

/// Now, for deadlines alone: what is stored comes from the `Clock` port.
#[expect(
    clippy::disallowed_methods,
    reason = "a deadline is about the machine's time, which no test needs to set"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}
