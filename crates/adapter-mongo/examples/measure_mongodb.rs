//! Fills a database with accounts and measures what pages, searches, look-ups and writes cost; the figures of
//! `docs/adr/0006-mongodb.md` come from it:
//!
//! ```text
//! cargo run --release -p roster-adapter-mongo --example measure_mongodb -- mongodb://127.0.0.1:27017 1000000
//! ```
//!
//! The database is `roster_measured`. What it holds from a run before is measured again, and filled up where more is wanted.

#![expect(clippy::print_stdout, reason = "printing figures is what it is for")]
#![expect(clippy::disallowed_methods, reason = "measuring takes the machine's clock")]
#![expect(clippy::unwrap_used, reason = "what fails here ends the measurement")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use roster_adapter_mongo::MongoStore;
use roster_domain::entities::Account;
use roster_domain::ports::{AccountArchive, Caller, UserQuery, Users};
use roster_domain::values::UserId;
use roster_domain_testkit::fakes::{CountingIds, ManualClock};
use roster_domain_testkit::fixtures::{START, account, change, email, hash, new_user, page, search_term};
use tokio::task::JoinSet;

const DATABASE: &str = "roster_measured";

const BATCH: u64 = 1000;

/// How many batches are written at the same time.
const AT_ONCE: usize = 4;

/// How often each thing is measured, where it takes milliseconds.
const ROUNDS: usize = 60;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().expect("a URL");
    let wanted = arguments.next().map_or(1_000_000, |count| count.parse().expect("a number of accounts"));
    let start = Instant::now();
    let store = connect(&url).await;
    println!("connected in {:.0?}; resident with nothing done: {}", start.elapsed(), resident());

    let present = store.list(&query(None, 1)).await.unwrap().total;
    if present < wanted {
        fill(&store, present, wanted).await;
    }
    let start = Instant::now();
    store.sweep().await.unwrap();
    println!("sweep: {:.0?}", start.elapsed());
    counts(&url).await;
    pages(&store, present.max(wanted)).await;
    look_ups(&store).await;
    println!("resident after reading: {}", resident());
    for writers in [1, 64] {
        writes(&store, writers).await;
    }
    println!("resident after writing: {}", resident());
}

async fn connect(url: &str) -> MongoStore {
    let (clock, ids) = (Arc::new(ManualClock::new(START)), Arc::new(CountingIds::new()));
    MongoStore::connect(url, DATABASE, clock, ids).await.unwrap()
}

/// One name in a thousand holds `xyzkj`, one in ten `qvwkj`; sixteen hexadecimal digits follow.
fn numbered(number: u64) -> Account {
    let mixed = mixed(number);
    let rare = if number.is_multiple_of(1000) { "xyzkj" } else { "" };
    let frequent = if number.is_multiple_of(10) { "qvwkj" } else { "" };
    let mut account = account(&format!("user{rare}{frequent}{mixed:016x}"));
    let mut id = [0x60; 12];
    id[4..].copy_from_slice(&number.to_be_bytes());
    account.user.id = UserId::from_bytes(id);
    account.user.email = email(&format!("user{mixed:016x}@example.com"));
    account.password_hash = hash("$2b$12$WApznUOJfkEGSmYRfnkrPOr466oFDCaj4b6HY3EXGvfxm43seywhm");
    account
}

const fn mixed(number: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

async fn fill(store: &MongoStore, from: u64, to: u64) {
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for first in (from..to).step_by(1000) {
        if tasks.len() == AT_ONCE {
            tasks.join_next().await.unwrap().unwrap();
        }
        let store = store.clone();
        tasks.spawn(async move {
            let batch: Vec<_> = (first..to.min(first + BATCH)).map(numbered).collect();
            store.write(&batch).await.unwrap();
        });
    }
    tasks.join_all().await;
    println!("filled with {} accounts in {:.0?}", to - from, start.elapsed());
}

fn query(term: Option<&str>, number: u64) -> UserQuery {
    UserQuery { search: term.map(search_term), page: page(number, 10) }
}

/// What the first list costs that has to count: a store that was opened just now has no count yet.
async fn counts(url: &str) {
    let mut times = Vec::new();
    for _ in 0..5 {
        let store = connect(url).await;
        let start = Instant::now();
        store.list(&query(None, 1)).await.unwrap();
        times.push(start.elapsed());
    }
    tell("first page with the count anew", &mut times);
}

async fn pages(store: &MongoStore, total: u64) {
    let last = |matches: u64| matches.div_ceil(10);
    let few = format!("{:016x}", mixed(total / 3));
    let queries = [
        ("first page", None, 1),
        ("page 100", None, 100),
        ("middle page", None, last(total) / 2),
        ("last page", None, last(total)),
        ("sixteen digits", Some(few.as_str()), 1),
        ("five digits", Some(&few[4..9]), 1),
        ("four digits", Some(&few[4..8]), 1),
        ("three letters, 1 in 1,000, first page", Some("xyz"), 1),
        ("five letters, 1 in 1,000, first page", Some("xyzkj"), 1),
        ("five letters, 1 in 1,000, last page", Some("xyzkj"), last(total / 1000)),
        ("three letters, 1 in 10, first page", Some("qvw"), 1),
        ("three letters, 1 in 10, last page", Some("qvw"), last(total / 10)),
        ("five letters, 1 in 10, first page", Some("qvwkj"), 1),
        ("five letters, 1 in 10, middle page", Some("qvwkj"), last(total / 10) / 2),
        ("five letters, 1 in 10, last page", Some("qvwkj"), last(total / 10)),
        ("one letter in all, first page", Some("s"), 1),
        ("one letter in 1 in 1,000, first page", Some("y"), 1),
    ];
    for (name, term, number) in queries {
        let query = query(term, number);
        let mut times = Vec::new();
        let mut found = 0;
        // The last count is kept for a while; this is not about making it.
        store.list(&self::query(None, 1)).await.unwrap();
        let begun = Instant::now();
        while times.len() < ROUNDS && begun.elapsed() < Duration::from_secs(4) {
            let start = Instant::now();
            found = store.list(&query).await.unwrap().total;
            times.push(start.elapsed());
        }
        tell(&format!("{name} of {found}"), &mut times);
    }
}

async fn look_ups(store: &MongoStore) {
    let ids: Vec<_> =
        store.read(None, 10_000).await.unwrap().into_iter().map(|account| account.user.id).collect();
    for (name, named) in [("caller", false), ("caller and whom it names", true)] {
        let mut times = Vec::new();
        for pair in ids.windows(2).take(5_000) {
            let start = Instant::now();
            let caller = Caller { user_id: pair[0], session: None };
            let answer = store.caller(caller, named.then_some(pair[1])).await.unwrap();
            times.push(start.elapsed());
            assert!(answer.caller.is_some());
        }
        tell(name, &mut times);
    }
}

async fn writes(store: &MongoStore, writers: usize) {
    const TIME: Duration = Duration::from_secs(5);
    let run = Instant::now();
    let mut tasks = JoinSet::new();
    for writer in 0..writers {
        let store = store.clone();
        tasks.spawn(async move {
            let mut times = Vec::new();
            while run.elapsed() < TIME {
                let name = format!("w{}-{writers}-{writer}-{}", std::process::id(), times.len());
                let user = new_user(&name);
                let start = Instant::now();
                store.create(&user, &change()).await.unwrap();
                times.push(start.elapsed());
            }
            times
        });
    }
    let mut times = tasks.join_all().await.concat();
    tell(&format!("sign-up's write, {writers} at once"), &mut times);
}

fn tell(name: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("{name}: p50 {:.2?}, p99 {:.2?} ({} times)", at(50), at(99), times.len());
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("unknown").trim().to_owned()
}
