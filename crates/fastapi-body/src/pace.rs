use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

/// How fast a body has to be that holds room which others want.
///
/// Each byte puts off the time at which it is too slow, but never further than it may stall: what came in a burst is no
/// credit for a trickle.
#[derive(Debug)]
pub struct Pace {
    stall: Duration,
    rate: u32,
    too_slow: Cell<Instant>,
}

impl Pace {
    /// It may stall for so long, and has to have `rate` bytes a second, one at least. It begins now.
    #[must_use]
    pub fn new(stall: Duration, rate: u32) -> Self {
        Self { stall, rate: rate.max(1), too_slow: Cell::new(Instant::now() + stall) }
    }

    /// So many bytes more are there.
    pub fn received(&self, bytes: u64) {
        let earned = Duration::from_micros(bytes.saturating_mul(1_000_000) / u64::from(self.rate));
        self.too_slow.set((self.too_slow.get() + earned).min(Instant::now() + self.stall));
    }

    /// When more has to be there at the latest.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.too_slow.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_secs(30);
    const RATE: u32 = 4096;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_no_credit_for_a_trickle() {
        let (pace, started) = (Pace::new(STALL, RATE), Instant::now());
        pace.received(10 << 20);
        while pace.deadline() > Instant::now() {
            tokio::time::advance(Duration::from_secs(18)).await;
            pace.received(1);
        }
        assert!(started.elapsed() < Duration::from_mins(1), "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_keeps_the_pace_is_in_time() {
        let pace = Pace::new(STALL, RATE);
        for _ in 0..100 {
            tokio::time::advance(Duration::from_secs(25)).await;
            assert!(pace.deadline() > Instant::now());
            pace.received(25 * u64::from(RATE));
        }
    }
}
