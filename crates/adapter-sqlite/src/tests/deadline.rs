use std::sync::{Arc, mpsc};
use std::time::Duration;

use roster_domain::ports::Store as _;
use rusqlite::Connection;

use super::store;
use crate::fault::SqliteFault;
use crate::open;
use crate::readers::Readers;

/// Counts to `end`, which takes SQLite some steps for each number.
fn count_to(end: i64) -> impl FnOnce(&Connection) -> rusqlite::Result<i64> + Send + 'static {
    const COUNT: &str =
        "WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted LIMIT ?1)
                         SELECT max(n) FROM counted";
    move |connection| connection.query_row(COUNT, [end], |row| row.get(0))
}

#[tokio::test]
async fn a_page_that_takes_too_long_is_given_up() {
    let (_store, folder) = store();
    let readers = Arc::new(
        Readers::new(&folder.path().join("roster.db"), open::reader, Duration::from_millis(100)).unwrap(),
    );
    // More than there are threads for, so each has to become free again.
    for _ in 0..8 {
        match readers.page(count_to(i64::MAX)).await.unwrap_err() {
            // The thread had no processor in time to tell.
            SqliteFault::TimedOut => {}
            error => {
                let cause = std::error::Error::source(&error).unwrap().to_string();
                assert!(cause.contains("interrupted"), "{cause}");
            }
        }
    }
    let again = async { while readers.page(count_to(5)).await.is_err() {} };
    tokio::time::timeout(Duration::from_mins(1), again).await.unwrap();
}

#[tokio::test]
async fn the_deadline_of_a_page_ends_with_it() {
    let (_store, folder) = store();
    let readers =
        Arc::new(Readers::new(&folder.path().join("roster.db"), open::reader, Duration::ZERO).unwrap());
    // Too few steps for a look at the deadline.
    assert_eq!(readers.page(count_to(5)).await.unwrap(), 5);
    assert_eq!(readers.look_up(count_to(100_000)).unwrap(), 100_000);
}

/// Opening waits where the disk hangs, and look-ups run on the threads that serve.
#[tokio::test]
async fn look_ups_on_every_thread_at_once_open_no_connection() {
    fn nested(readers: &Readers, depth: usize) -> i64 {
        let look_up = readers.look_up(|connection| {
            let deeper = if depth > 0 { nested(readers, depth - 1) } else { 0 };
            count_to(5)(connection).map(|five| deeper + five)
        });
        look_up.unwrap()
    }
    let (store, folder) = store();
    let cores = std::thread::available_parallelism().unwrap().get();
    // From here on none can be opened.
    std::fs::rename(folder.path().join("roster.db"), folder.path().join("moved.db")).unwrap();
    for _ in 0..2 {
        assert_eq!(nested(&store.readers, 2 * cores), 5 * i64::try_from(2 * cores + 1).unwrap());
        store.readers.page(count_to(5)).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_look_up_that_finds_no_idle_connection_opens_another() {
    let (_store, folder) = store();
    let readers = Readers::new(&folder.path().join("roster.db"), open::reader, Duration::ZERO).unwrap();
    let nested = readers.look_up(|_| Ok(readers.look_up(count_to(5)).unwrap()));
    assert_eq!(nested.unwrap(), 5);
}

#[tokio::test]
async fn a_probe_does_not_wait_for_pages() {
    let (store, _folder) = store();
    let mut pages = tokio::task::JoinSet::new();
    // More than there are threads for, and none ends before its sender is gone.
    let go_on: Vec<_> = std::iter::repeat_with(|| {
        let (go_on, may_go_on) = mpsc::channel::<()>();
        let readers = Arc::clone(&store.readers);
        pages.spawn(async move { readers.page(move |_| Ok(may_go_on.recv())).await });
        go_on
    })
    .take(8)
    .collect();
    tokio::task::yield_now().await;
    store.probe().await.unwrap();
    drop(go_on);
    while let Some(page) = pages.join_next().await {
        assert!(page.unwrap().unwrap().is_err(), "its sender is gone");
    }
}
