//! What is told of calls.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use roster_domain::ports::{CallOutcome, Store as _, StoreCall, StoreObserver, Unavailable};
use rusqlite::Connection;

use super::store;
use crate::clock::now;
use crate::fault::WriteError;

#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl StoreObserver for Told {
    fn now(&self) -> Instant {
        now()
    }

    fn ended(&self, call: &StoreCall<'_>, outcome: CallOutcome<'_>) {
        let outcome = match outcome {
            CallOutcome::Failed(_) => "failed".to_owned(),
            outcome => format!("{outcome:?}"),
        };
        self.0.lock().unwrap().push(format!("{} {} {outcome}", call.store, call.operation));
    }
}

type Written = Result<usize, WriteError<Unavailable>>;

#[tokio::test]
async fn a_call_tells_what_it_shows_to_work_and_one_that_wrote_nothing_shows_no_writing() {
    let (told, (store, _folder)) = (Arc::new(Told::default()), store());
    let run =
        |sql: &'static str| move |connection: &Connection| -> Written { Ok(connection.execute(sql, [])?) };
    store.write("table", run("CREATE TABLE numbers (number INTEGER)")).await.unwrap();
    let store = store.observed_by(Some(Arc::clone(&told) as _));
    store.write("some", run("INSERT INTO numbers VALUES (1)")).await.unwrap();
    store.write("none", run("DELETE FROM numbers WHERE number = 2")).await.unwrap();
    store.write("wrong", run("DELETE FROM nowhere")).await.unwrap_err();
    let refuse = |_: &Connection| -> Written { Err(WriteError::Refused(Unavailable::new("a rule", "no"))) };
    store.write("against a rule", refuse).await.unwrap_err();
    store.look_up("look", |_| Ok(())).unwrap();
    store.page("page", |connection| connection.execute("DELETE FROM users", [])).await.unwrap_err();
    store.probe().await.unwrap();
    let expected = [
        "SQLite some Done(Write)",
        "SQLite none Done(Read)",
        "SQLite wrong failed",
        "SQLite against a rule Refused",
        "SQLite look Done(Read)",
        "SQLite page failed",
        "SQLite probe Done(Read)",
    ];
    assert_eq!(*told.0.lock().unwrap(), expected);
}
