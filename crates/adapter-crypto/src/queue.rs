//! A fair queue of hashing jobs with a bounded number of places.
//!
//! # Turns
//!
//! Log-ins come before sign-ups, but for one turn of four: else those who log in again and again would keep others from
//! signing up for ever. Among the jobs of one kind clients take turns, and among the jobs of one client accounts do. What one
//! account has waiting is taken in the order of asking. So a client that asks once waits for one job of each other client,
//! however many those have waiting.
//!
//! # Places
//!
//! A job holds a place while it waits and while a thread has it. Where all places are taken, a newcomer takes one from the
//! client that holds the most, log-ins and sign-ups together, as long as it holds fewer itself. So each that wants places has as
//! many as any other, and with four or more none holds more than a quarter. Of a client's own places, and where nobody holds
//! more than one, a log-in takes that of a sign-up. Otherwise the newcomer waits outside. So does the job that lost its place:
//! the newest of its client. Whoever waits outside gets a place as one is free, the client with the fewest first. How long that
//! may take is the caller's to decide: [`Place::outside_since`] and [`Place::moved`].
//!
//! What waits outside is bounded by the connections that there may be, each of which has one request.
//!
//! # For threads
//!
//! [`Queue::next`] waits for a job, and [`Queue::next_waiting`] takes one more that waits already. Both give a [`PlacedJob`], which
//! holds the job's place until it is dropped.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use roster_domain::values::Client;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How many log-ins come before a sign-up that waits.
const LOG_INS_BEFORE_A_SIGN_UP: u32 = 3;

/// What a password is hashed for, what comes first first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    LogIn,
    SignUp,
}

/// Who waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Turn {
    pub(crate) kind: Kind,
    pub(crate) client: Option<Client>,
    /// The account's fingerprint. Two accounts of one would share their turns, which harms nobody.
    pub(crate) account: u64,
}

/// Jobs of type `J` that wait for their turn.
#[derive(Debug)]
pub(crate) struct Queue<J> {
    state: Mutex<State<J>>,
    ready: Condvar,
}

#[derive(Debug)]
struct State<J> {
    /// How many places there are, and how many are held.
    places: usize,
    held: usize,
    closed: bool,
    /// How many threads wait for a job.
    idle: usize,
    /// Ids are given in the order of asking.
    next_id: u64,
    waiting: HashMap<u64, Waiting<J>>,
    clients: HashMap<Option<Client>, Share>,
    /// Clients with jobs of each kind that wait in a place.
    log_ins: Turns<Option<Client>>,
    sign_ups: Turns<Option<Client>>,
    /// How many log-ins a sign-up that waits has seen go first.
    passed_over: u32,
    /// Clients with jobs that wait in a place, by how many places they hold.
    holders: BTreeSet<(usize, Option<Client>)>,
    /// Clients with jobs outside, by how many places they hold, and by the kind and the number of the first of those jobs.
    outside: BTreeSet<(usize, Kind, u64, Option<Client>)>,
}

#[derive(Debug)]
struct Waiting<J> {
    turn: Turn,
    job: J,
    /// Since when it has no place, where it has none.
    outside: Option<Instant>,
    moved: Arc<Notify>,
}

/// All that one client has.
#[derive(Debug, Default)]
struct Share {
    /// How many places it holds, of jobs that wait or that threads have.
    held: usize,
    log_ins: Line,
    sign_ups: Line,
}

/// All that waits of one client and kind.
#[derive(Debug, Default)]
struct Line {
    accounts: HashMap<u64, BTreeSet<u64>>,
    turns: Turns<u64>,
    /// Accounts by how many jobs they have waiting.
    longest: BTreeSet<(usize, u64)>,
    outside: BTreeSet<u64>,
}

/// Some who take turns: whoever had theirs is the last again.
#[derive(Debug)]
struct Turns<K> {
    order: BTreeMap<u64, K>,
    numbers: HashMap<K, u64>,
    next: u64,
}

impl<K> Default for Turns<K> {
    fn default() -> Self {
        Self { order: BTreeMap::new(), numbers: HashMap::new(), next: 0 }
    }
}

impl<K: Copy + Eq + Hash> Turns<K> {
    /// Lets one take part, as the last, unless they do already.
    fn join(&mut self, key: K) {
        let number = *self.numbers.entry(key).or_insert_with(|| {
            self.next += 1;
            self.next
        });
        self.order.insert(number, key);
    }

    /// Who is last.
    fn last(&self) -> Option<K> {
        self.order.last_key_value().map(|(_, key)| *key)
    }

    fn leave(&mut self, key: K) {
        if let Some(number) = self.numbers.remove(&key) {
            self.order.remove(&number);
        }
    }

    /// Whose turn it is. They take no part any more.
    fn take(&mut self) -> Option<K> {
        let (_, key) = self.order.pop_first()?;
        self.numbers.remove(&key);
        Some(key)
    }
}

impl Line {
    fn join(&mut self, account: u64, id: u64) {
        let jobs = self.accounts.entry(account).or_default();
        self.longest.remove(&(jobs.len(), account));
        jobs.insert(id);
        self.longest.insert((jobs.len(), account));
        self.turns.join(account);
    }

    /// Takes a job out.
    fn remove(&mut self, account: u64, id: u64) {
        let Some(jobs) = self.accounts.get_mut(&account) else { return };
        self.longest.remove(&(jobs.len(), account));
        jobs.remove(&id);
        if jobs.is_empty() {
            self.accounts.remove(&account);
            self.turns.leave(account);
        } else {
            self.longest.insert((jobs.len(), account));
        }
    }

    /// The job whose turn it is.
    fn take(&mut self) -> Option<u64> {
        let account = self.turns.take()?;
        let id = self.accounts.get(&account)?.first().copied()?;
        self.turns.join(account);
        self.remove(account, id);
        Some(id)
    }

    /// The newest job of the account that has the most waiting.
    fn newest(&self) -> Option<u64> {
        let (_, account) = self.longest.last()?;
        self.accounts.get(account)?.last().copied()
    }
}

impl Share {
    fn line(&self, kind: Kind) -> &Line {
        match kind {
            Kind::LogIn => &self.log_ins,
            Kind::SignUp => &self.sign_ups,
        }
    }

    fn line_mut(&mut self, kind: Kind) -> &mut Line {
        match kind {
            Kind::LogIn => &mut self.log_ins,
            Kind::SignUp => &mut self.sign_ups,
        }
    }

    /// The kind and the number of the first job outside.
    fn first_outside(&self) -> Option<(Kind, u64)> {
        let first = |kind| self.line(kind).outside.first().map(|id| (kind, *id));
        first(Kind::LogIn).or_else(|| first(Kind::SignUp))
    }

    /// The job that gives up its place first.
    fn newest(&self) -> Option<u64> {
        self.sign_ups.newest().or_else(|| self.log_ins.newest())
    }

    /// Whether a job of that kind waits in a place.
    fn waits(&self, kind: Kind) -> bool {
        !self.line(kind).accounts.is_empty()
    }

    fn is_gone(&self) -> bool {
        let waits = [Kind::LogIn, Kind::SignUp].into_iter().any(|kind| self.waits(kind));
        self.held == 0 && !waits && self.first_outside().is_none()
    }
}

impl<J> State<J> {
    /// Changes what one client has, and keeps the indexes.
    fn change<T>(&mut self, client: Option<Client>, change: impl FnOnce(&mut Share) -> T) -> T {
        let share = self.clients.entry(client).or_default();
        self.holders.remove(&(share.held, client));
        if let Some((kind, id)) = share.first_outside() {
            self.outside.remove(&(share.held, kind, id, client));
        }
        let changed = change(share);
        for (kind, turns) in [(Kind::LogIn, &mut self.log_ins), (Kind::SignUp, &mut self.sign_ups)] {
            if share.waits(kind) {
                turns.join(client);
                self.holders.insert((share.held, client));
            } else {
                turns.leave(client);
            }
        }
        if let Some((kind, id)) = share.first_outside() {
            self.outside.insert((share.held, kind, id, client));
        }
        if share.is_gone() {
            self.clients.remove(&client);
        }
        changed
    }

    /// The job that gives its place to a newcomer, where all places are taken.
    fn displaced_by(&self, Turn { kind, client, account }: Turn) -> Option<u64> {
        let own = self.clients.get(&client);
        let held = own.map_or(0, |own| own.held);
        if let Some((most, holder)) = self.holders.last()
            && *holder != client
            && *most >= held + 2
        {
            return self.clients.get(holder)?.newest();
        }
        if kind == Kind::LogIn {
            let whose = if held == 0 { self.sign_ups.last() } else { Some(client) };
            let sign_up = whose.and_then(|whose| self.clients.get(&whose)?.sign_ups.newest());
            if sign_up.is_some() {
                return sign_up;
            }
        }
        // Among the client's own accounts it is as among clients.
        let own = own?.line(kind);
        let (most, _) = own.longest.last()?;
        let length = own.accounts.get(&account).map_or(0, BTreeSet::len);
        if *most >= length + 2 { own.newest() } else { None }
    }

    /// Gives a waiting job, which is nowhere yet, a place.
    fn place(&mut self, id: u64) {
        let Some(waiting) = self.waiting.get_mut(&id) else { return };
        waiting.outside = None;
        let Turn { kind, client, account } = waiting.turn;
        self.held += 1;
        self.change(client, |share| {
            share.held += 1;
            share.line_mut(kind).join(account, id);
        });
    }

    /// Leaves a waiting job, which is nowhere, outside.
    fn put_outside(&mut self, id: u64, now: Instant) {
        let Some(waiting) = self.waiting.get_mut(&id) else { return };
        waiting.outside = Some(now);
        let Turn { kind, client, .. } = waiting.turn;
        self.change(client, |share| share.line_mut(kind).outside.insert(id));
    }

    fn displace(&mut self, id: u64, now: Instant) {
        let Some(waiting) = self.waiting.get(&id) else { return };
        let Turn { kind, client, account } = waiting.turn;
        waiting.moved.notify_one();
        self.held -= 1;
        self.change(client, |share| {
            share.held -= 1;
            share.line_mut(kind).remove(account, id);
        });
        self.put_outside(id, now);
    }

    /// Gives free places to those outside; whether anybody got one.
    fn fill(&mut self) -> bool {
        let mut anybody = false;
        while self.held < self.places {
            let Some((_, kind, id, client)) = self.outside.first().copied() else { break };
            if let Some(waiting) = self.waiting.get(&id) {
                waiting.moved.notify_one();
            }
            self.change(client, |share| share.line_mut(kind).outside.remove(&id));
            self.place(id);
            anybody = true;
        }
        anybody
    }

    /// The job whose turn it is.
    fn take(&mut self) -> Option<(Turn, J)> {
        let is_due = self.passed_over >= LOG_INS_BEFORE_A_SIGN_UP;
        let order = if is_due { [Kind::SignUp, Kind::LogIn] } else { [Kind::LogIn, Kind::SignUp] };
        let id = order.into_iter().find_map(|kind| self.take_one(kind))?;
        let Waiting { turn, job, .. } = self.waiting.remove(&id)?;
        let sign_ups_wait = self.sign_ups.last().is_some();
        self.passed_over = if turn.kind == Kind::LogIn && sign_ups_wait { self.passed_over + 1 } else { 0 };
        Some((turn, job))
    }

    fn take_one(&mut self, kind: Kind) -> Option<u64> {
        let turns = match kind {
            Kind::LogIn => &mut self.log_ins,
            Kind::SignUp => &mut self.sign_ups,
        };
        let client = turns.take()?;
        self.change(client, |share| share.line_mut(kind).take())
    }

    fn free(&mut self, turn: Turn) -> bool {
        self.held -= 1;
        self.change(turn.client, |share| share.held -= 1);
        self.fill()
    }
}

impl<J> Queue<J> {
    pub(crate) fn new(places: usize) -> Arc<Self> {
        let state = State {
            places,
            held: 0,
            closed: false,
            idle: 0,
            next_id: 0,
            waiting: HashMap::new(),
            clients: HashMap::new(),
            log_ins: Turns::default(),
            sign_ups: Turns::default(),
            passed_over: 0,
            holders: BTreeSet::new(),
            outside: BTreeSet::new(),
        };
        Arc::new(Self { state: Mutex::new(state), ready: Condvar::new() })
    }

    /// Nothing that holds the lock panics on the way.
    fn state(&self) -> MutexGuard<'_, State<J>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a job wait, in a place or outside, for as long as the answer is kept.
    pub(crate) fn enter(&self, turn: Turn, job: J) -> Place<'_, J> {
        let now = Instant::now();
        let moved = Arc::new(Notify::new());
        let mut state = self.state();
        let id = state.next_id;
        state.next_id += 1;
        let displaced = if state.held < state.places { None } else { state.displaced_by(turn) };
        state.waiting.insert(id, Waiting { turn, job, outside: None, moved: Arc::clone(&moved) });
        if let Some(displaced) = displaced {
            state.displace(displaced, now);
        }
        if state.held < state.places {
            state.place(id);
            self.ready.notify_one();
        } else {
            state.put_outside(id, now);
        }
        Place { queue: self, id, moved }
    }

    /// The next job, once there is one; `None` where the queue is closed.
    pub(crate) fn next(self: &Arc<Self>) -> Option<PlacedJob<J>> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if let Some((turn, job)) = state.take() {
                return Some(PlacedJob { job, _place: Held { queue: Arc::clone(self), turn } });
            }
            state.idle += 1;
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// The next job, where one waits that is not an idle thread's to take.
    pub(crate) fn next_waiting(self: &Arc<Self>) -> Option<PlacedJob<J>> {
        let mut state = self.state();
        if state.idle > 0 {
            return None;
        }
        let (turn, job) = state.take()?;
        drop(state);
        Some(PlacedJob { job, _place: Held { queue: Arc::clone(self), turn } })
    }

    /// Ends [`next`](Self::next) for all threads, and drops what waits.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop(waiting);
        self.ready.notify_all();
    }
}

/// A job that waits, for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Place<'a, J> {
    queue: &'a Queue<J>,
    id: u64,
    moved: Arc<Notify>,
}

impl<J> Place<'_, J> {
    /// Since when it has waited outside, where it does.
    pub(crate) fn outside_since(&self) -> Option<Instant> {
        self.queue.state().waiting.get(&self.id)?.outside
    }

    /// Ends once it has lost its place or got one, since this was asked before.
    pub(crate) async fn moved(&self) {
        self.moved.notified().await;
    }
}

impl<J> Drop for Place<'_, J> {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        // A job that a thread has is the thread's.
        let Some(gone) = state.waiting.remove(&self.id) else { return };
        let (Turn { kind, client, account }, id) = (gone.turn, self.id);
        if gone.outside.is_some() {
            state.change(client, |share| share.line_mut(kind).outside.remove(&id));
            return;
        }
        state.change(client, |share| share.line_mut(kind).remove(account, id));
        if state.free(gone.turn) {
            self.queue.ready.notify_one();
        }
    }
}

/// A job that a thread has, and its place.
#[derive(Debug)]
pub(crate) struct PlacedJob<J> {
    pub(crate) job: J,
    _place: Held<J>,
}

/// The place of a job that a thread has. It is free once this is dropped.
#[derive(Debug)]
pub(crate) struct Held<J> {
    queue: Arc<Queue<J>>,
    turn: Turn,
}

impl<J> Drop for Held<J> {
    fn drop(&mut self) {
        if self.queue.state().free(self.turn) {
            self.queue.ready.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use roster_domain::values::ClientAddress;

    use super::*;

    fn log_in(number: u8, account: u64) -> Turn {
        let client = ClientAddress::new([192, 0, 2, number].into()).client();
        Turn { kind: Kind::LogIn, client: Some(client), account }
    }

    fn sign_up(number: u8, account: u64) -> Turn {
        Turn { kind: Kind::SignUp, ..log_in(number, account) }
    }

    /// Takes all that waits, one after the other.
    fn taken<J>(queue: &Arc<Queue<J>>) -> Vec<J> {
        std::iter::from_fn(|| {
            let (turn, job) = queue.state().take()?;
            drop(Held { queue: Arc::clone(queue), turn });
            Some(job)
        })
        .collect()
    }

    #[test]
    fn clients_take_turns_however_many_jobs_each_has_waiting() {
        let queue = Queue::new(100);
        let _places: Vec<_> = [(1, "a1"), (1, "a2"), (1, "a3"), (1, "a4"), (2, "b1"), (3, "c1"), (2, "b2")]
            .map(|(number, job)| queue.enter(log_in(number, 0), job))
            .into_iter()
            .collect();
        assert_eq!(taken(&queue), ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
    }

    #[test]
    fn accounts_of_one_client_take_turns() {
        let queue = Queue::new(100);
        let _places: Vec<_> = [(7, "a1"), (7, "a2"), (7, "a3"), (8, "b1"), (9, "c1"), (8, "b2")]
            .map(|(account, job)| queue.enter(log_in(1, account), job))
            .into_iter()
            .collect();
        assert_eq!(taken(&queue), ["a1", "b1", "c1", "a2", "b2", "a3"]);
    }

    #[test]
    fn log_ins_come_before_sign_ups_but_for_one_turn_of_four() {
        let queue = Queue::new(100);
        let sign_ups = ["s1", "s2"].map(|job| queue.enter(sign_up(1, 0), job));
        let log_ins = ["l1", "l2", "l3", "l4", "l5"].map(|job| queue.enter(log_in(2, 0), job));
        assert_eq!(taken(&queue), ["l1", "l2", "l3", "s1", "l4", "l5", "s2"]);
        drop((sign_ups, log_ins));
        // Log-ins that nobody waited for are no credit.
        let log_ins = ["l1", "l2", "l3", "l4"].map(|job| queue.enter(log_in(2, 0), job));
        assert_eq!(taken(&queue).len(), 4);
        let sign_up = queue.enter(sign_up(1, 0), "s1");
        let log_in = queue.enter(log_in(2, 0), "l5");
        assert_eq!(taken(&queue), ["l5", "s1"]);
        drop((log_ins, sign_up, log_in));
    }

    #[test]
    fn a_flood_of_log_ins_leaves_a_sign_up_its_place_and_its_turn() {
        let queue = Queue::new(8);
        let mut flood: Vec<_> = (0..20).map(|_| queue.enter(log_in(1, 0), "flood")).collect();
        let honest = queue.enter(sign_up(2, 0), "honest");
        for turn in 1..=4 {
            flood.extend((0..20).map(|_| queue.enter(log_in(1, 0), "flood")));
            assert!(turn == 4 || honest.outside_since().is_none(), "it keeps its place");
            let taken = queue.next_waiting().unwrap();
            assert_eq!(taken.job, if turn == 4 { "honest" } else { "flood" });
        }
    }

    #[test]
    fn a_client_has_its_share_of_the_places_for_log_ins_and_sign_ups_together() {
        let queue = Queue::new(8);
        let _greedy: Vec<_> = (0..20).map(|job| queue.enter(sign_up(1, job), ())).collect();
        let _log_ins: Vec<_> = (0..20).map(|job| queue.enter(log_in(1, job), ())).collect();
        let mut others = Vec::new();
        for number in [2, 3, 4] {
            others.extend((0..5).map(|job| queue.enter(log_in(number, job), ())));
        }
        let state = queue.state();
        let held = |number| state.clients[&log_in(number, 0).client].held;
        assert_eq!([1, 2, 3, 4].map(held), [2; 4]);
    }

    #[test]
    fn of_a_full_queue_each_client_that_wants_it_gets_its_share_and_the_newest_of_the_others_make_room() {
        let queue = Queue::new(8);
        let greedy: Vec<_> = (0..20).map(|job| queue.enter(log_in(1, job), job)).collect();
        assert_eq!(greedy.iter().filter(|place| place.outside_since().is_none()).count(), 8);

        let others: Vec<_> = [2, 3, 4]
            .map(|number| (0..5).map(move |job| (number, 100 * job)))
            .into_iter()
            .flatten()
            .map(|(number, job)| (number, queue.enter(log_in(number, job), job)))
            .collect();
        let placed = |number: u8| {
            others.iter().filter(|(whose, place)| *whose == number && place.outside_since().is_none()).count()
        };
        let of_greedy = greedy.iter().map(|place| place.outside_since().is_none()).collect::<Vec<_>>();
        assert_eq!(of_greedy.iter().filter(|placed| **placed).count(), 2, "a quarter of eight");
        assert!(of_greedy[0] && of_greedy[1], "those that asked first keep their places");
        assert_eq!([2, 3, 4].map(placed), [2, 2, 2]);
    }

    #[test]
    fn a_log_in_takes_the_place_of_a_sign_up_and_never_the_other_way_round() {
        let queue = Queue::new(2);
        let sign_ups = [1, 2].map(|number| queue.enter(sign_up(number, 0), "sign-up"));
        let log_ins = [3, 4].map(|number| queue.enter(log_in(number, 0), "log-in"));
        assert!(sign_ups.iter().all(|place| place.outside_since().is_some()));
        assert!(log_ins.iter().all(|place| place.outside_since().is_none()));
        let late = queue.enter(sign_up(5, 0), "sign-up");
        assert!(late.outside_since().is_some());
    }

    #[test]
    fn one_account_keeps_no_other_of_its_client_out() {
        let queue = Queue::new(4);
        let greedy: Vec<_> = (0..10).map(|job| queue.enter(log_in(1, 7), job)).collect();
        let other = queue.enter(log_in(1, 8), 100);
        assert!(other.outside_since().is_none());
        assert_eq!(greedy.iter().filter(|place| place.outside_since().is_none()).count(), 3);
    }

    #[test]
    fn a_free_place_goes_to_the_client_that_holds_the_fewest() {
        let queue = Queue::new(4);
        let mut greedy: Vec<_> = (0..5).map(|job| queue.enter(log_in(1, 0), job)).collect();
        let second: Vec<_> = (0..3).map(|job| queue.enter(log_in(2, 0), 10 + job)).collect();
        assert!(second[2].outside_since().is_some());
        drop(greedy.remove(0));
        assert!(greedy[1].outside_since().is_none(), "of four places it held one, and the other two");
        assert!(second[2].outside_since().is_some());
        drop(greedy);
        assert!(second[2].outside_since().is_none());
    }

    #[test]
    fn what_a_thread_has_holds_its_place_until_it_is_done() {
        let queue = Queue::new(1);
        let first = queue.enter(log_in(1, 0), 1);
        let taken = queue.next().unwrap();
        drop(first);
        let second = queue.enter(log_in(1, 0), 2);
        assert!(second.outside_since().is_some());
        drop(taken);
        assert!(second.outside_since().is_none());
    }

    #[test]
    fn a_closed_queue_has_no_next_job() {
        let queue = Queue::new(1);
        let _place = queue.enter(log_in(1, 0), 1);
        queue.close();
        assert!(queue.next().is_none());
    }

    /// What comes, goes or is served, of whom, and which of those that are there.
    type Act = (u8, u8, u64, usize);

    /// Jobs that wait, and those that threads have.
    #[derive(Default)]
    struct Crowd<'a> {
        places: Vec<Place<'a, ()>>,
        busy: Vec<PlacedJob<()>>,
    }

    impl<'a> Crowd<'a> {
        fn act(&mut self, queue: &'a Arc<Queue<()>>, (act, number, account, which): Act) {
            let Self { places, busy } = self;
            match act {
                0 | 1 => places.push(queue.enter(log_in(number, account), ())),
                2 => places.push(queue.enter(sign_up(number, account), ())),
                3 if !places.is_empty() => drop(places.swap_remove(which % places.len())),
                4 => busy.extend(queue.next_waiting()),
                5 if !busy.is_empty() => drop(busy.swap_remove(which % busy.len())),
                _ => {}
            }
        }
    }

    proptest! {
        /// Whoever comes, goes and is served: places are never more than there are, none is lost, and none stays empty while
        /// somebody waits for one.
        #[test]
        fn places_are_neither_lost_nor_made(steps in proptest::collection::vec((0_u8..6, 0_u8..4, 0_u64..3, 0_usize..30), 1..200)) {
            let queue = Queue::new(5);
            let mut crowd = Crowd::default();
            for step in steps {
                crowd.act(&queue, step);
                let state = queue.state();
                let placed = state.waiting.values().filter(|waiting| waiting.outside.is_none()).count();
                prop_assert_eq!(state.held, placed + crowd.busy.len());
                prop_assert!(state.held <= 5);
                prop_assert!(state.held == 5 || placed == state.waiting.len());
            }
            drop(crowd);
            let state = queue.state();
            prop_assert_eq!(state.held, 0);
            prop_assert!(state.clients.is_empty() && state.holders.is_empty() && state.outside.is_empty());
            for turns in [&state.log_ins, &state.sign_ups] {
                prop_assert!(turns.order.is_empty() && turns.numbers.is_empty());
            }
        }

        /// Whoever comes, goes and is served: none holds more than a quarter of the places, as long as another wants some and
        /// holds less. Nor does any hold more than one more than another that wants some.
        #[test]
        fn nobody_holds_more_than_a_quarter_while_another_wants_a_place_and_has_less(
            steps in proptest::collection::vec((0_u8..6, 0_u8..7, 0_u64..3, 0_usize..30), 1..300),
        ) {
            const PLACES: usize = 8;
            let queue = Queue::new(PLACES);
            let mut crowd = Crowd::default();
            for step in steps {
                crowd.act(&queue, step);
                let state = queue.state();
                let most = state.holders.last().map_or(0, |(most, _)| *most);
                if let Some((least, ..)) = state.outside.first() {
                    prop_assert!(most <= least + 1, "one holds {}, and {} is all that another has", most, least);
                    prop_assert!(*least >= PLACES / 4 || most <= PLACES / 4);
                }
            }
        }
    }
}
