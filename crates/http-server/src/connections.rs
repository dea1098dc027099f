//! The open connections, and which of them is closed when.
//!
//! A connection says whom it waits for. One that waits for its client has a time to do so, by what it waits for, and can be
//! closed before where places get scarce; one that is being served is left alone. Nothing here is locked for a request.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use metrics::{Counter, Gauge};
use tokio::time::Instant;

/// How long a connection may wait for its client.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the whole of a head, from the opening of the connection or the head's first byte.
    pub head: Duration,
    /// For the next request to begin.
    pub next: Duration,
    /// For an answer to be read, from the first time that the client does not read fast enough.
    pub answer: Duration,
    /// For the rest of a body that nobody wants, and for the end of a connection whose last answer has been written.
    pub end: Duration,
    /// How often connections are looked at: they stay open for so much longer at most.
    pub look_every: Duration,
}

/// What counts connections. Without a recorder nothing is counted.
#[derive(Clone)]
pub struct Meters {
    /// How many are open.
    pub open: Gauge,
    /// Those that were closed since others needed their places.
    pub displaced: Counter,
}

impl Default for Meters {
    fn default() -> Self {
        Self { open: Gauge::noop(), displaced: Counter::noop() }
    }
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Awaits {
    /// The server.
    Service = 0,
    /// The client, to send its next request.
    Next,
    /// The client, to send the whole of a head.
    Head,
    /// The client, to send the rest of a body that nobody wants.
    Rest,
    /// The client, to close the connection.
    End,
    /// The client, to send its body. The service has a time for that.
    Body,
    /// The client, to read its answer.
    Answer,
}

impl Awaits {
    const ALL: [Self; 7] =
        [Self::Service, Self::Next, Self::Head, Self::Rest, Self::End, Self::Body, Self::Answer];

    fn of(number: u64) -> Self {
        usize::try_from(number)
            .ok()
            .and_then(|number| Self::ALL.get(number))
            .copied()
            .unwrap_or(Self::Service)
    }
}

/// How many bits tell what a connection waits for, beside the milliseconds.
const AWAITS_BITS: u32 = 3;

/// That a connection has to close, and how soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Close {
    /// Once no request is in flight.
    Soon = 1,
    /// Now, unless it is being served: another needs its place.
    Displaced,
    /// Now, unless it is being served: its client had its time.
    Overdue,
}

impl Close {
    pub(crate) fn is_overdue(self) -> bool {
        self == Self::Overdue
    }

    /// Whether a request that waits for its client is given up.
    pub(crate) fn is_now(self) -> bool {
        self > Self::Soon
    }
}

/// Who has opened a connection, as far as its share of the places goes. Whoever has one address of IPv6 has a network of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Client {
    Address(IpAddr),
    Network(Ipv6Addr),
}

impl Client {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self::Network(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
            address @ IpAddr::V4(_) => Self::Address(address),
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Network(network) => write!(f, "{network}/64"),
        }
    }
}

/// The open connections of a server.
pub(crate) struct Connections {
    name: &'static str,
    /// How many may be open.
    places: usize,
    patience: Patience,
    meters: Meters,
    epoch: Instant,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    connections: HashMap<u64, Arc<Connection>>,
    /// The number of the next.
    next: u64,
    /// How many of them were told to close and have not done so yet.
    leaving: usize,
    /// How many were displaced since the places got scarce, where they are.
    displaced: Option<u64>,
    is_stopping: bool,
}

/// An open connection.
pub(crate) struct Connection {
    number: u64,
    client: Client,
    epoch: Instant,
    /// What it waits for, and since when: milliseconds, and `AWAITS_BITS` of `Awaits`.
    state: AtomicU64,
    /// A `Close`, or 0.
    close: AtomicU8,
    task: AtomicWaker,
}

/// A connection's place, which is free again when this is dropped.
pub(crate) struct Place {
    connections: Arc<Connections>,
    connection: Arc<Connection>,
}

impl Connections {
    pub(crate) fn new(name: &'static str, places: usize, patience: Patience, meters: Meters) -> Self {
        Self { name, places, patience, meters, epoch: Instant::now(), open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a connection a place, if need be that of others.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr) -> Place {
        let mut open = self.open();
        let connection = Arc::new(Connection {
            number: open.next,
            client: Client::of(address),
            epoch: self.epoch,
            state: AtomicU64::new(0),
            close: AtomicU8::new(0),
            task: AtomicWaker::new(),
        });
        connection.awaits(Awaits::Head);
        if open.is_stopping {
            connection.tell(Close::Soon);
        }
        open.next += 1;
        open.connections.insert(connection.number, Arc::clone(&connection));
        self.meters.open.increment(1);
        let begins = open.displaced.is_none();
        let made = open.make_room(self.places);
        drop(open);
        if let Some(Room { displaced, client, held }) = made {
            self.meters.displaced.increment(displaced);
            if begins {
                tracing::warn!(
                    event = "connections scarce",
                    server = self.name,
                    places = self.places,
                    %client,
                    held,
                    "all places for connections are taken: those that wait longest for their clients are closed"
                );
            }
        }
        Place { connections: Arc::clone(self), connection }
    }

    /// Closes those whose clients had their time.
    pub(crate) fn look(&self) {
        let now = self.epoch.elapsed();
        let mut open = self.open();
        let mut leaving = 0;
        for connection in open.connections.values().filter(|connection| connection.stays()) {
            let (awaits, since) = connection.state();
            if self.time_for(awaits).is_some_and(|time| now.saturating_sub(since) >= time) {
                leaving += u8::from(connection.tell(Close::Overdue)) as usize;
            }
        }
        open.leaving += leaving;
        let few = self.places - self.places / 4;
        let over = if open.connections.len() <= few { open.displaced.take() } else { None };
        drop(open);
        if let Some(displaced) = over {
            let server = self.name;
            tracing::info!(
                event = "connections no longer scarce",
                server,
                displaced,
                "there are places again"
            );
        }
    }

    fn time_for(&self, awaits: Awaits) -> Option<Duration> {
        match awaits {
            Awaits::Service | Awaits::Body => None,
            Awaits::Next => Some(self.patience.next),
            Awaits::Head => Some(self.patience.head),
            Awaits::Answer => Some(self.patience.answer),
            Awaits::Rest | Awaits::End => Some(self.patience.end),
        }
    }

    pub(crate) fn look_every(&self) -> Duration {
        self.patience.look_every
    }

    /// From now on each connection closes as soon as no request is in flight on it.
    pub(crate) fn stop(&self) {
        let mut open = self.open();
        open.is_stopping = true;
        for connection in open.connections.values() {
            connection.tell(Close::Soon);
        }
    }
}

/// What was done for a new connection.
struct Room {
    displaced: u64,
    /// Who had the most connections, and how many.
    client: Client,
    held: usize,
}

/// The connections of one client.
#[derive(Default)]
struct Share {
    count: usize,
    /// Since when each of those has waited that wait for the client, and which it is: the first to go last.
    waiting: Vec<(Duration, u64)>,
}

impl Open {
    /// Tells connections to close, once there are more than places: of the client that has the most first, and of its own
    /// the one first that has waited for it longest. A few more than needed, so that not every newcomer has all of them
    /// looked at.
    fn make_room(&mut self, places: usize) -> Option<Room> {
        let staying = self.connections.len().saturating_sub(self.leaving);
        let excess = staying.checked_sub(places).filter(|excess| *excess > 0)?;
        let mut shares = HashMap::<Client, Share>::new();
        for connection in self.connections.values().filter(|connection| connection.stays()) {
            let share = shares.entry(connection.client).or_default();
            share.count += 1;
            let (awaits, since) = connection.state();
            if awaits != Awaits::Service {
                share.waiting.push((since, connection.number));
            }
        }
        let mut heaviest = BinaryHeap::new();
        for (client, share) in &mut shares {
            share.waiting.sort_unstable_by(|one, other| other.cmp(one));
            heaviest.extend(share.waiting.last().map(|first| (share.count, Reverse(*first), *client)));
        }
        let mut room = None;
        for _ in 0..excess + places / 64 {
            let Some((count, Reverse((_, number)), client)) = heaviest.pop() else { break };
            if self.connections.get(&number).is_some_and(|connection| connection.tell(Close::Displaced)) {
                self.leaving += 1;
                room.get_or_insert(Room { displaced: 0, client, held: count }).displaced += 1;
            }
            if let Some(share) = shares.get_mut(&client) {
                share.waiting.pop();
                heaviest.extend(share.waiting.last().map(|first| (count - 1, Reverse(*first), client)));
            }
        }
        if let Some(room) = &room {
            *self.displaced.get_or_insert(0) += room.displaced;
        }
        room
    }
}

impl Connection {
    /// It waits for that, since now unless it has before.
    pub(crate) fn awaits(&self, awaits: Awaits) {
        let state = self.state.load(Ordering::Relaxed);
        if state & ((1 << AWAITS_BITS) - 1) != awaits as u64 || state == 0 {
            let now = u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.state.store(now << AWAITS_BITS | awaits as u64, Ordering::Relaxed);
        }
    }

    /// It waits for nobody outside.
    pub(crate) fn serves(&self) {
        self.state.store(Awaits::Service as u64, Ordering::Relaxed);
    }

    fn state(&self) -> (Awaits, Duration) {
        let state = self.state.load(Ordering::Relaxed);
        let awaits = Awaits::of(state & ((1 << AWAITS_BITS) - 1));
        (awaits, Duration::from_millis(state >> AWAITS_BITS))
    }

    /// Whether it was not told to close now.
    fn stays(&self) -> bool {
        self.close.load(Ordering::Relaxed) <= Close::Soon as u8
    }

    /// Tells it to close; whether it has not been told to close now before.
    fn tell(&self, close: Close) -> bool {
        let before = self.close.fetch_max(close as u8, Ordering::Relaxed);
        self.task.wake();
        close.is_now() && before <= Close::Soon as u8
    }

    /// Whether it was told to close.
    pub(crate) fn close(&self) -> Option<Close> {
        match self.close.load(Ordering::Relaxed) {
            0 => None,
            1 => Some(Close::Soon),
            2 => Some(Close::Displaced),
            _ => Some(Close::Overdue),
        }
    }

    /// Waits to be told to close.
    pub(crate) fn poll_close(&self, context: &mut Context<'_>) -> Poll<Close> {
        self.task.register(context.waker());
        self.close().map_or(Poll::Pending, Poll::Ready)
    }
}

impl Place {
    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.meters.open.decrement(1);
        let mut open = self.connections.open();
        open.connections.remove(&self.connection.number);
        if !self.connection.stays() {
            open.leaving -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        head: Duration::from_secs(10),
        next: Duration::from_secs(75),
        answer: Duration::from_secs(85),
        end: Duration::from_secs(5),
        look_every: Duration::from_secs(1),
    };

    fn connections(places: usize) -> Arc<Connections> {
        Arc::new(Connections::new("test", places, PATIENCE, Meters::default()))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    async fn pass(time: Duration) {
        tokio::time::advance(time).await;
    }

    const TICK: Duration = Duration::from_millis(1);

    fn closed(places: &[Place]) -> Vec<usize> {
        let told = places.iter().enumerate().filter(|(_, place)| place.connection.close().is_some());
        told.map(|(index, _)| index).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_of_the_client_with_the_most_goes_first() {
        let connections = connections(4);
        let mut places = Vec::new();
        // The oldest is of a client that has no other.
        for client in ["192.0.2.2", "192.0.2.1", "192.0.2.1", "192.0.2.1"] {
            places.push(connections.admit(address(client)));
            pass(TICK).await;
        }
        places[1].connection.serves();
        pass(TICK).await;
        places[1].connection.awaits(Awaits::Next);
        pass(TICK).await;
        assert!(closed(&places).is_empty());
        places.push(connections.admit(address("192.0.2.3")));
        assert_eq!(closed(&places), [2]);
        // What was told to close counts no more, so that no other has to.
        pass(TICK).await;
        places.push(connections.admit(address("192.0.2.4")));
        assert_eq!(closed(&places), [2, 3]);
        pass(TICK).await;
        // Now all have one: the one that has waited longest.
        places.push(connections.admit(address("192.0.2.5")));
        assert_eq!(closed(&places), [0, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_served_stays_and_what_its_client_holds_up_goes() {
        let connections = connections(3);
        let client = address("2001:db8::1");
        let mut places: Vec<_> = (0..3).map(|_| connections.admit(client)).collect();
        places[0].connection.serves();
        pass(TICK).await;
        for (index, awaits) in [(1, Awaits::Body), (2, Awaits::Answer)] {
            places[index].connection.awaits(awaits);
            pass(TICK).await;
        }
        places.push(connections.admit(client));
        assert_eq!(closed(&places), [1]);
        places[3].connection.serves();
        places.push(connections.admit(client));
        assert_eq!(closed(&places), [1, 2]);
        places[4].connection.serves();
        // All are served; of the client that has them all, the newcomer has to go.
        places.push(connections.admit(client));
        assert_eq!(closed(&places), [1, 2, 5]);
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_an_address_of_ipv4_is_one() {
        let client = |text| Client::of(address(text));
        assert_eq!(client("2001:db8::1"), client("2001:db8::ffff:1:2:3"));
        assert_ne!(client("2001:db8::1"), client("2001:db8:0:1::1"));
        assert_eq!(client("192.0.2.1"), client("::ffff:192.0.2.1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_eq!(client("2001:db8::1").to_string(), "2001:db8::/64");
    }

    #[tokio::test(start_paused = true)]
    async fn each_wait_for_the_client_has_its_time_and_service_has_none() {
        let connections = connections(10);
        for (awaits, time) in [
            (Awaits::Next, PATIENCE.next),
            (Awaits::Head, PATIENCE.head),
            (Awaits::Rest, PATIENCE.end),
            (Awaits::End, PATIENCE.end),
            (Awaits::Answer, PATIENCE.answer),
        ] {
            let place = connections.admit(address("192.0.2.1"));
            place.connection.awaits(awaits);
            pass(time.saturating_sub(TICK)).await;
            place.connection.awaits(awaits);
            connections.look();
            assert_eq!(place.connection.close(), None, "{awaits:?}");
            pass(TICK).await;
            connections.look();
            assert_eq!(place.connection.close(), Some(Close::Overdue), "{awaits:?}");
        }
        let place = connections.admit(address("192.0.2.1"));
        place.connection.serves();
        pass(PATIENCE.answer * 10).await;
        connections.look();
        assert_eq!(place.connection.close(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_free_again_when_its_connection_ends() {
        let connections = connections(1);
        for _ in 0..3 {
            let place = connections.admit(address("192.0.2.1"));
            assert_eq!(place.connection.close(), None);
        }
        let first = connections.admit(address("192.0.2.1"));
        let second = connections.admit(address("192.0.2.2"));
        assert!(first.connection.close().is_some() && second.connection.close().is_none());
        drop(first);
        let open = connections.open();
        assert_eq!((open.connections.len(), open.leaving), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_is_told_to_all_and_to_who_comes_later() {
        let connections = connections(10);
        let early = connections.admit(address("192.0.2.1"));
        connections.stop();
        let late = connections.admit(address("192.0.2.1"));
        assert_eq!([early, late].map(|place| place.connection.close()), [Some(Close::Soon); 2]);
    }
}
