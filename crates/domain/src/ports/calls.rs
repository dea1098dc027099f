//! What adapters tell of the calls of their stores, for whoever runs Roster. No rule depends on it.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use crate::values::StoreName;

/// Whoever is told of each call of a store.
///
/// It is told where the call ends, so that it MUST be quick and wait for nothing.
pub trait StoreObserver: Send + Sync {
    /// What time it is, for [`StoreCall::began`].
    fn now(&self) -> Instant;

    /// A call has ended.
    fn ended(&self, call: &StoreCall<'_>, outcome: CallOutcome<'_>);
}

/// What is asked of a store. What can be written can be read, too; not the other way round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// To read.
    Read,
    /// To write.
    Write,
}

impl Access {
    /// What a call shows to work that wrote something, or found nothing to write.
    #[must_use]
    pub const fn written(anything: bool) -> Self {
        if anything { Self::Write } else { Self::Read }
    }
}

/// One call of a store.
#[derive(Debug)]
pub struct StoreCall<'a> {
    /// Which kind of store, as [`Unavailable::kind`](super::Unavailable::kind) has it: the field `cause` of the log.
    pub kind: &'static str,
    /// Which of its kind it is; the kind again where there is one alone.
    pub store: &'a StoreName,
    /// What it was asked for, one of a few names.
    pub operation: &'static str,
    /// What it was asked for.
    pub access: Access,
    /// When.
    pub began: Instant,
}

/// How a call ended.
#[derive(Debug, Clone, Copy)]
pub enum CallOutcome<'a> {
    /// The store did it, which shows that this works.
    Done(Access),
    /// The store refused: a name is taken, say. So it can be read.
    Refused,
    /// The store failed.
    Failed(&'a (dyn Error + 'static)),
    /// Nobody waits for it any more.
    Abandoned,
}

/// A store's way to its observer, if it has one: what an adapter tells of its calls with.
#[derive(Clone)]
pub struct StoreCalls {
    kind: &'static str,
    store: StoreName,
    observer: Option<Arc<dyn StoreObserver>>,
}

impl StoreCalls {
    /// Of that store, which is one of its kind. Nobody is told yet.
    #[must_use]
    pub fn of(kind: &'static str, store: StoreName) -> Self {
        Self { kind, store, observer: None }
    }

    /// Of the one store of that kind. Nobody is told yet.
    #[must_use]
    pub fn of_the_one(kind: &'static str) -> Self {
        Self::of(kind, StoreName::new(kind))
    }

    /// The same, told to that observer, or to nobody.
    #[must_use]
    pub fn told_to(self, observer: Option<Arc<dyn StoreObserver>>) -> Self {
        Self { observer, ..self }
    }

    /// A call begins.
    #[must_use]
    pub fn begin(&self, operation: &'static str, access: Access) -> OpenCall<'_> {
        let told = self.observer.as_deref().map(|observer| {
            let began = observer.now();
            (observer, StoreCall { kind: self.kind, store: &self.store, operation, access, began })
        });
        OpenCall { told }
    }
}

impl std::fmt::Debug for StoreCalls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StoreCalls").field(&self.store).finish()
    }
}

/// A call that has not ended. Where it is dropped it is abandoned.
pub struct OpenCall<'a> {
    told: Option<(&'a dyn StoreObserver, StoreCall<'a>)>,
}

impl OpenCall<'_> {
    /// It ends.
    pub fn end(mut self, outcome: CallOutcome<'_>) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: CallOutcome<'_>) {
        if let Some((observer, call)) = self.told.take() {
            observer.ended(&call, outcome);
        }
    }
}

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        self.tell(CallOutcome::Abandoned);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    struct Told(Mutex<Vec<String>>);

    impl StoreObserver for Told {
        #[expect(clippy::disallowed_methods, reason = "an observer is what tells the time")]
        fn now(&self) -> Instant {
            Instant::now()
        }

        fn ended(&self, call: &StoreCall<'_>, outcome: CallOutcome<'_>) {
            self.0.lock().unwrap().push(format!("{} {} {outcome:?}", call.store, call.operation));
        }
    }

    #[test]
    fn each_call_is_told_once_as_it_ended_or_as_abandoned() {
        let told = Arc::new(Told(Mutex::default()));
        let calls = StoreCalls::of("a store", StoreName::new("a")).told_to(Some(Arc::clone(&told) as _));
        calls.begin("edit", Access::Write).end(CallOutcome::Done(Access::Read));
        drop(calls.begin("list", Access::Read));
        assert_eq!(*told.0.lock().unwrap(), ["a edit Done(Read)", "a list Abandoned"]);
    }
}
