//! Turns between users: one picture of each is decoded at a time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use roster_domain::values::UserId;
use tokio::sync::oneshot;

/// Gives out a number of turns, to users one after another, however many of their pictures wait. No user has two at once.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// Who has a turn.
    busy: HashSet<UserId>,
    /// Who waits and has no turn, the next one first; each once.
    order: VecDeque<UserId>,
    /// The pictures that wait, by user; none is empty.
    waiting: HashMap<UserId, VecDeque<oneshot::Sender<Turn>>>,
}

/// Leave to work on one picture. Dropped, it goes on to whoever is next.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Turns,
    owner: UserId,
}

impl Turns {
    pub(crate) fn new(number: usize) -> Self {
        let state =
            State { free: number, busy: HashSet::new(), order: VecDeque::new(), waiting: HashMap::new() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// A turn for a picture of that user, once it is there. `None` never comes of turns that are in use.
    pub(crate) async fn take(&self, owner: UserId) -> Option<Turn> {
        let (granted, turn) = oneshot::channel();
        self.change(|state| {
            let waiting = state.waiting.entry(owner).or_default();
            waiting.push_back(granted);
            if waiting.len() == 1 && !state.busy.contains(&owner) {
                state.order.push_back(owner);
            }
        });
        turn.await.ok()
    }

    fn give_back(&self, owner: UserId) {
        self.change(|state| {
            state.free += 1;
            state.busy.remove(&owner);
            if state.waiting.contains_key(&owner) {
                state.order.push_back(owner);
            }
        });
    }

    /// Changes the state, then gives out what turns are free.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = lock(&self.state);
        change(&mut state);
        let mut lost = Vec::new();
        while state.free > 0 {
            let Some(owner) = state.order.pop_front() else { break };
            let Some(granted) = state.next_of(owner) else { continue };
            state.free -= 1;
            state.busy.insert(owner);
            // Where nobody takes it, it is given back below, without the lock.
            lost.extend(granted.send(Turn { turns: self.clone(), owner }).err());
        }
        drop(state);
        drop(lost);
    }
}

impl State {
    /// The next picture of that user for which anybody still waits.
    fn next_of(&mut self, owner: UserId) -> Option<oneshot::Sender<Turn>> {
        let mut waiting = mem::take(self.waiting.get_mut(&owner)?);
        let next = loop {
            let next = waiting.pop_front();
            if next.as_ref().is_none_or(|granted| !granted.is_closed()) {
                break next;
            }
        };
        if waiting.is_empty() {
            self.waiting.remove(&owner);
        } else {
            self.waiting.insert(owner, waiting);
        }
        next
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.give_back(self.owner);
    }
}

/// No panic happens while the lock is held.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures_util::FutureExt;

    use super::*;

    const MALLORY: UserId = UserId::from_bytes([1; 12]);
    const ANN: UserId = UserId::from_bytes([2; 12]);
    const BEN: UserId = UserId::from_bytes([3; 12]);

    type Waiting<'a> = Pin<Box<dyn Future<Output = Option<Turn>> + 'a>>;

    /// What has been asked for, in this order.
    fn ask<'a>(turns: &'a Turns, owners: &[UserId]) -> Vec<(UserId, Waiting<'a>)> {
        let asked = owners.iter().map(|owner| {
            let mut turn: Waiting<'a> = Box::pin(turns.take(*owner));
            assert!(turn.as_mut().now_or_never().is_none(), "it waits");
            (*owner, turn)
        });
        asked.collect()
    }

    /// Whose turn came; each takes one and drops it at once, until none comes.
    fn served(waiting: &mut Vec<(UserId, Waiting<'_>)>) -> Vec<UserId> {
        let mut served = Vec::new();
        while let Some((index, turn)) = waiting
            .iter_mut()
            .enumerate()
            .find_map(|(index, (_, turn))| turn.as_mut().now_or_never().map(|turn| (index, turn)))
        {
            let (owner, _) = waiting.remove(index);
            served.push(owner);
            drop(turn.unwrap());
        }
        served
    }

    #[test]
    fn one_picture_of_another_user_waits_for_one_of_thirty_at_most() {
        let turns = Turns::new(1);
        let first = turns.take(MALLORY).now_or_never().unwrap().unwrap();
        let mut waiting = ask(&turns, &[MALLORY; 29]);
        waiting.extend(ask(&turns, &[ANN]));
        assert_eq!(served(&mut waiting), []);
        drop(first);
        let served = served(&mut waiting);
        assert_eq!((served.len(), served[0]), (30, ANN));
    }

    #[test]
    fn users_take_turns_however_many_pictures_each_has() {
        let turns = Turns::new(1);
        let first = turns.take(MALLORY).now_or_never().unwrap().unwrap();
        let mut waiting = ask(&turns, &[MALLORY, MALLORY, MALLORY, ANN, ANN, BEN]);
        drop(first);
        assert_eq!(served(&mut waiting), [ANN, BEN, MALLORY, ANN, MALLORY, MALLORY]);
    }

    #[test]
    fn no_user_has_two_turns_at_once_and_others_use_what_is_free() {
        let turns = Turns::new(2);
        let first = turns.take(MALLORY).now_or_never().unwrap().unwrap();
        let mut waiting = ask(&turns, &[MALLORY]);
        assert_eq!(served(&mut waiting), []);
        drop(turns.take(ANN).now_or_never().unwrap().unwrap());
        drop(first);
        assert_eq!(served(&mut waiting), [MALLORY]);
    }

    #[test]
    fn whoever_has_stopped_waiting_is_passed_over_and_nothing_is_kept_of_it() {
        let turns = Turns::new(1);
        let first = turns.take(MALLORY).now_or_never().unwrap().unwrap();
        let gone = ask(&turns, &[ANN, ANN, MALLORY]);
        let mut waiting = ask(&turns, &[BEN]);
        drop(gone);
        drop(first);
        assert_eq!(served(&mut waiting), [BEN]);
        let state = lock(&turns.state);
        assert_eq!((state.free, state.busy.len(), state.order.len(), state.waiting.len()), (1, 0, 0, 0));
    }

    #[test]
    fn a_turn_that_came_when_nobody_waited_any_more_goes_on() {
        let turns = Turns::new(1);
        let first = turns.take(MALLORY).now_or_never().unwrap().unwrap();
        let late = ask(&turns, &[ANN]);
        drop(first);
        // Given, but not taken.
        drop(late);
        assert!(turns.take(BEN).now_or_never().is_some());
    }
}
