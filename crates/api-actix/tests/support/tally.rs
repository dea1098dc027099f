//! Counts answers.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::harness::PATIENCE;

#[derive(Debug, Default)]
struct Counts {
    by_status: BTreeMap<u16, usize>,
    slowest: Duration,
}

impl Counts {
    /// How many answers are 503, or how many are not.
    fn of(&self, kind: Kind) -> usize {
        let counted =
            self.by_status.iter().filter(|(status, _)| (**status == 503) == (kind == Kind::Apology));
        counted.map(|(_, count)| count).sum()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// 503.
    Apology,
    /// Anything else.
    Answer,
}

/// The answers that all clients got.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    answers: watch::Sender<Counts>,
    /// Whether the server was killed, so that requests may go without an answer.
    pub(crate) killed: Cell<bool>,
    /// How many did.
    pub(crate) cut: Cell<usize>,
}

impl Tally {
    pub(crate) fn count(&self, status: u16, after: Duration) {
        self.answers.send_modify(|counts| {
            *counts.by_status.entry(status).or_default() += 1;
            counts.slowest = counts.slowest.max(after);
        });
    }

    /// Waits until clients got so many more of these.
    pub(crate) async fn more(&self, number: usize, kind: Kind) {
        let enough = self.answers.borrow().of(kind) + number;
        let mut counts = self.answers.subscribe();
        let waited = timeout(PATIENCE, counts.wait_for(|counts| counts.of(kind) >= enough)).await;
        assert!(waited.is_ok(), "in {PATIENCE:?} no {number} more of {kind:?}: {self}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.answers.borrow();
        write!(f, "answers by status {:?}, the slowest after {:?}", counts.by_status, counts.slowest)
    }
}
