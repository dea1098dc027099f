//! The program is killed again and again while clients sign up, log in, edit, upload, delete and restore. After each restart
//! everything that was acknowledged is there, of what was not answered all or nothing, and nothing is half there: neither as
//! the API tells it, nor in the database itself, nor in the folder of images.
//!
//! `ROSTER_CRASH_ROUNDS` says how often it is killed (20 without). `ROSTER_CRASH_SEED` repeats a plan: what the clients ask, and
//! when in each round it is killed; how requests of different clients fall together is chance all the same.

#![expect(clippy::unwrap_used, reason = "what a test can't go on without, it stops for")]
#![expect(clippy::print_stdout, reason = "the plan's seed is for the person at the terminal")]

#[path = "../api/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests of the API need more of it")]
mod harness;
mod images;
mod store;
#[path = "../support/mod.rs"]
mod support;

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::{join, join_all};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use roster_test_mongo::{Database, asked_topology};
use rustix::process::Signal;
use tokio::time::timeout;

use harness::{PATIENCE, Setup, TestApp, now};
use images::Images;
use store::{Store, StoredUser};
use support::account::{Account, Picture, Place};
use support::client::{Client, Habits};
use support::tally::{Kind, Tally};
use support::{all_is_there, all_is_well, setting};

const CLIENTS: usize = 8;
const USERS_OF_EACH: usize = 4;

/// Nobody rests: at any moment most clients wait for an answer.
const HABITS: Habits = Habits { rest: Duration::ZERO, uploads: true };

/// After how many answers of a round it is killed, at most, and how long after the last of them.
const ANSWERS: usize = 120;
const DELAY: Duration = Duration::from_millis(6);

#[tokio::test]
async fn nothing_acknowledged_is_lost_and_nothing_is_half_there_on_sqlite() {
    crash(Setup::new(), Store::Sqlite).await;
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_and_nothing_is_half_there_on_mongodb() {
    let database = Database::fresh(asked_topology()).await;
    // A name by which its connections are told from others'.
    let separator = if database.url().contains('?') { '&' } else { '?' };
    let url = format!("{}{separator}appName={}", database.url(), database.name());
    let setup = Setup::new().set("DATABASE_URL", &url).set("DB_NAME", database.name());
    crash(setup, Store::MongoDb(database)).await;
}

/// What happened to the requests that were cut off by a kill.
#[derive(Debug, Default)]
struct Fate {
    done: usize,
    undone: usize,
}

async fn crash(setup: Setup, store: Store) {
    let rounds = setting("ROSTER_CRASH_ROUNDS").unwrap_or(20);
    let seed = setting("ROSTER_CRASH_SEED").unwrap_or_else(now);
    println!("ROSTER_CRASH_SEED={seed} ROSTER_CRASH_ROUNDS={rounds}");
    let mut plan = StdRng::seed_from_u64(seed);

    let mut app = setup.start().await;
    let tally = Tally::default();
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let name = format!("c{number}");
        clients.push(Client::new(&app, &name, USERS_OF_EACH, plan.random(), HABITS, &tally).await);
    }
    let mut fate = Fate::default();
    for round in 1..=rounds {
        let answers = plan.random_range(0..ANSWERS);
        let delay = DELAY.mul_f64(plan.random());
        kill_while_at_work(&mut app, &mut clients, &tally, answers, delay).await;
        let cut = tally.cut.get();
        println!("round {round}: killed {delay:.1?} after {answers} answers; {cut} requests cut off so far");
        store.forget_the_dead().await;
        app = app.start_again().await;
        tally.killed.set(false);
        all_is_whole(&app, &store, &mut clients, &mut fate).await;
    }
    println!("{tally}; {} were cut off: {fate:?}", tally.cut.get());
    let cut = u64::try_from(tally.cut.get()).unwrap();
    assert!(cut >= rounds, "{cut} requests were cut off by {rounds} kills: they hit nothing");

    // What a kill leaves behind is promised to go in time; here that time comes at once.
    store.make_removals_due(app.folder()).await;
    let app = app.restart().await;
    nothing_is_left_behind(&app, &store).await;
    for client in &mut clients {
        all_is_well(&app, client).await;
    }
}

/// Lets the clients work, and kills the program in the middle of it.
async fn kill_while_at_work(
    app: &mut TestApp,
    clients: &mut [Client<'_>],
    tally: &Tally,
    answers: usize,
    delay: Duration,
) {
    let stop = Cell::new(false);
    let killing = async {
        tally.more(answers, Kind::Answer).await;
        tokio::time::sleep(delay).await;
        stop.set(true);
        tally.killed.set(true);
        app.signal(Signal::KILL);
    };
    join(killing, join_all(clients.iter_mut().map(|client| client.run(app, &stop)))).await;
    app.ended().await;
}

/// Holds the database against itself, against the images and against what clients were told.
async fn all_is_whole(app: &TestApp, store: &Store, clients: &mut [Client<'_>], fate: &mut Fate) {
    // In this order: an image may still be removed, and none is added.
    let stored = store.read(app.folder()).await;
    let images = Images::read(app);
    images.belong_to(&stored);
    images.hold_those_of(&stored);

    all_is_there(app, clients).await;
    for client in clients.iter_mut() {
        for number in 0..client.accounts.len() {
            let found = stored.user_called(&client.prefix_of(number));
            resolve(&mut client.accounts[number], found, fate);
        }
    }
    join_all(clients.iter_mut().map(|client| client.keeps_its_word(app))).await;
}

/// Learns from the database what has become of a user, and of the request that was cut off.
fn resolve(account: &mut Account, found: Option<&StoredUser>, fate: &mut Fate) {
    let image = found.and_then(StoredUser::image_name);
    let known = Picture::named(image);
    let was_known = account.possible().any(|state| state.picture == known);
    account.learn_that(&format!("the database holds {found:?}"), |state| match found {
        None => state.place == Place::Nowhere,
        Some(user) => {
            let place = if user.in_trash { Place::Trash } else { Place::Live };
            let pictured = state.picture == known || state.picture == Picture::Unnamed && !was_known;
            pictured && (state.place, &state.name) == (place, &user.username)
        }
    });
    assert_eq!(account.possible().len(), 1, "now all is known: {account:#?}");
    match account.before.take() {
        Some(before) if account.possible().eq([&before]) => fate.undone += 1,
        Some(_) => fate.done += 1,
        None => {}
    }
    if let Some(image) = image {
        account.pictured(image);
    }
}

/// Waits until nothing is left to be removed; then every file is a user's image.
async fn nothing_is_left_behind(app: &TestApp, store: &Store) {
    let removed = timeout(PATIENCE, async {
        loop {
            let stored = store.read(app.folder()).await;
            if stored.removals.is_empty() && stored.tombstones == 0 {
                break stored;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let stored = removed.await.expect("what is to be removed is removed");
    let images = Images::read(app);
    images.belong_to(&stored);
    images.hold_those_of(&stored);
}
