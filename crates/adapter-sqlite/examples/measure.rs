//! Fills a database with accounts and measures what pages, searches, look-ups and writes cost; the figures of
//! `docs/adr/0002-sqlite.md` come from it:
//!
//! ```text
//! cargo run --release -p roster-adapter-sqlite --example measure -- FOLDER 1000000
//! ```

#![expect(clippy::print_stdout, reason = "printing figures is what it is for")]
#![expect(clippy::disallowed_methods, reason = "measuring takes the machine's clock")]
#![expect(clippy::unwrap_used, reason = "what fails here ends the measurement")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use roster_adapter_sqlite::SqliteStore;
use roster_domain::entities::Account;
use roster_domain::ports::{AccountArchive, Accounts, Caller, Directory, UserQuery};
use roster_domain::values::UserId;
use roster_domain_testkit::fixtures::{account, change, email, hash, new_user, page, search_term};
use tokio::task::JoinSet;

const BATCH: u64 = 1000;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("a folder"));
    let wanted = arguments.next().map_or(1_000_000, |count| count.parse().expect("a number of accounts"));
    let store = Arc::new(SqliteStore::open(&folder.join("roster.db")).unwrap());
    println!("resident with nothing done: {}", resident());

    let present = store.list(&query(None, 1)).await.unwrap().total;
    if present < wanted {
        fill(&store, present, wanted).await;
    }
    pages(&store, wanted).await;
    look_ups(&store).await;
    println!("resident after reading: {}", resident());
    for writers in [1, 64] {
        writes(&store, writers).await;
    }
    println!("resident after writing: {}", resident());
}

/// One name in a thousand holds `xyz`, one in ten `qvw`.
fn numbered(number: u64) -> Account {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let rare = if number.is_multiple_of(1000) { "xyz" } else { "" };
    let frequent = if number.is_multiple_of(10) { "qvw" } else { "" };
    let mut account = account(&format!("user{rare}{frequent}{mixed:016x}"));
    let mut id = [0x60; 12];
    id[4..].copy_from_slice(&number.to_be_bytes());
    account.user.id = UserId::from_bytes(id);
    account.user.email = email(&format!("user{mixed:016x}@example.com"));
    account.password_hash = hash("$2b$12$WApznUOJfkEGSmYRfnkrPOr466oFDCaj4b6HY3EXGvfxm43seywhm");
    account
}

async fn fill(store: &SqliteStore, from: u64, to: u64) {
    let start = Instant::now();
    for first in (from..to).step_by(1000) {
        let batch: Vec<_> = (first..to.min(first + BATCH)).map(numbered).collect();
        store.write(&batch, &change()).await.unwrap();
    }
    println!("filled with {} accounts in {:.0?}", to - from, start.elapsed());
}

fn query(term: Option<&str>, number: u64) -> UserQuery {
    UserQuery { search: term.map(search_term), page: page(number, 10) }
}

async fn pages(store: &SqliteStore, total: u64) {
    let last = |matches: u64| matches.div_ceil(10);
    let queries = [
        ("first page", None, 1),
        ("page 100", None, 100),
        ("middle page", None, last(total) / 2),
        ("last page", None, last(total)),
        ("1 in 1,000, first page", Some("xyz"), 1),
        ("1 in 1,000, last page", Some("xyz"), last(total / 1000)),
        ("1 in 10, first page", Some("qvw"), 1),
        ("1 in 10, middle page", Some("qvw"), last(total / 10) / 2),
        ("1 in 10, last page", Some("qvw"), last(total / 10)),
        ("one letter in all, first page", Some("s"), 1),
        ("one letter in 1 in 1,000, first page", Some("y"), 1),
    ];
    for (name, term, number) in queries {
        let query = query(term, number);
        let mut times = Vec::new();
        let mut found = 0;
        for _ in 0..50 {
            let start = Instant::now();
            found = store.list(&query).await.unwrap().total;
            times.push(start.elapsed());
        }
        times.sort_unstable();
        println!(
            "{name} of {found}: p50 {:.2?}, worst {:.2?}",
            times[times.len() / 2],
            times[times.len() - 1]
        );
    }
}

async fn look_ups(store: &SqliteStore) {
    let ids: Vec<_> =
        store.read(None, 10_000).await.unwrap().into_iter().map(|account| account.user.id).collect();
    let start = Instant::now();
    let mut found = 0_u32;
    for user_id in ids.iter().cycle().take(200_000) {
        let answer = store.caller(Caller { user_id: *user_id, session: None }, None).await.unwrap();
        found += u32::from(answer.caller.is_some());
    }
    println!("caller: {:.2?} each, one thread", start.elapsed() / found);
}

async fn writes(store: &Arc<SqliteStore>, writers: usize) {
    const TIME: Duration = Duration::from_secs(5);
    let acknowledged = Arc::new(AtomicU32::new(0));
    let run = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..writers {
        let (store, acknowledged) = (Arc::clone(store), Arc::clone(&acknowledged));
        tasks.spawn(async move {
            while run.elapsed() < TIME {
                let number = acknowledged.fetch_add(1, Ordering::Relaxed);
                let user = new_user(&format!("w{}-{writers}-{number}", std::process::id()));
                store.create(&user, &change()).await.unwrap();
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    let rate = f64::from(acknowledged.load(Ordering::Relaxed)) / run.elapsed().as_secs_f64();
    println!("sign-ups by {writers} at once: {rate:.0} a second");
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("unknown").trim().to_owned()
}
