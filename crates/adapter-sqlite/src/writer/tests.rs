use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use roster_domain::ports::Unavailable;
use tokio::task::JoinHandle;

use super::*;

const LONG: Duration = Duration::from_mins(1);

impl Writer {
    /// What was done, without whether it was written.
    async fn run<T, E, W>(&self, work: W) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Unavailable> + Send + 'static,
        W: FnOnce(&Connection) -> Result<T, WriteError<E>> + Send + 'static,
    {
        self.send(work).await.unwrap_or_else(|fault| Err(E::from(fault.into()))).map(|done| done.value)
    }
}

/// A table of numbers, each of which may stand in it once.
fn numbers() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE numbers (number INTEGER PRIMARY KEY)").unwrap();
    connection
}

fn start(capacity: usize, deadline: Duration) -> Arc<Writer> {
    Arc::new(Writer::start(numbers(), Home::default(), capacity, deadline).unwrap())
}

/// Why a number was not written.
#[derive(Debug)]
enum Refusal {
    Odd,
    Unavailable(Unavailable),
}

impl From<Unavailable> for Refusal {
    fn from(error: Unavailable) -> Self {
        Self::Unavailable(error)
    }
}

impl Refusal {
    fn fault(&self) -> Option<&SqliteFault> {
        match self {
            Self::Odd => None,
            Self::Unavailable(error) => error.source.downcast_ref(),
        }
    }
}

fn write_number(connection: &Connection, number: i64) -> rusqlite::Result<usize> {
    connection.execute("INSERT INTO numbers VALUES (?1)", [number])
}

async fn insert(writer: &Writer, number: i64) -> Result<(), Refusal> {
    writer
        .run(move |connection| {
            write_number(connection, number)?;
            if number % 2 == 0 { Ok(()) } else { Err(WriteError::Refused(Refusal::Odd)) }
        })
        .await
}

async fn stored(writer: &Writer) -> Vec<i64> {
    let read = |connection: &Connection| -> rusqlite::Result<Vec<i64>> {
        let mut statement = connection.prepare("SELECT number FROM numbers ORDER BY number")?;
        statement.query_map([], |row| row.get(0))?.collect()
    };
    let numbers: Result<_, Unavailable> = writer.run(move |connection| Ok(read(connection)?)).await;
    numbers.unwrap()
}

/// A write that has begun, and goes on until the returned sender is dropped.
async fn blocked(writer: &Arc<Writer>) -> (mpsc::Sender<()>, JoinHandle<Result<(), Refusal>>) {
    let (go_on, held): (_, Receiver<()>) = mpsc::channel();
    let (begun, begins) = oneshot::channel();
    let writer = Arc::clone(writer);
    let task = tokio::spawn(async move {
        writer
            .run(move |_| {
                begun.send(()).unwrap();
                held.recv().unwrap_err();
                Ok(())
            })
            .await
    });
    begins.await.unwrap();
    (go_on, task)
}

fn spawn_insert(writer: &Arc<Writer>, number: i64) -> JoinHandle<Result<(), Refusal>> {
    let writer = Arc::clone(writer);
    tokio::spawn(async move { insert(&writer, number).await })
}

/// Returns when so many writes wait.
async fn until_queued(writer: &Writer, count: usize) {
    while writer.queue.as_ref().unwrap().len() < count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn of_writes_that_share_a_commit_the_refused_and_the_failed_leave_nothing_and_the_others_stay() {
    let writer = start(100, LONG);
    let (go_on, blocked) = blocked(&writer).await;
    let numbered = [2, 3, 4, 4, 6].map(|number| spawn_insert(&writer, number));
    until_queued(&writer, 5).await;
    drop(go_on);
    blocked.await.unwrap().unwrap();
    let mut answers = Vec::new();
    for insert in numbered {
        answers.push(insert.await.unwrap());
    }
    let [Ok(()), Err(Refusal::Odd), Ok(()), Err(failed), Ok(())] = &answers[..] else {
        panic!("{answers:?}")
    };
    assert!(matches!(failed.fault(), Some(SqliteFault::Sqlite(_))), "{failed:?}");
    assert_eq!(stored(&writer).await, [2, 4, 6]);
}

#[tokio::test]
async fn a_write_that_panics_is_undone_and_the_next_goes_on() {
    let writer = start(100, LONG);
    let panicked: Result<(), Refusal> = writer
        .run(|connection| {
            write_number(connection, 8)?;
            panic!("on purpose");
        })
        .await;
    assert!(matches!(panicked.unwrap_err().fault(), Some(SqliteFault::Panicked)));
    insert(&writer, 2).await.unwrap();
    assert_eq!(stored(&writer).await, [2]);
}

#[tokio::test]
async fn a_write_by_itself_that_is_refused_or_fails_leaves_nothing_and_the_next_goes_on() {
    let writer = start(100, LONG);
    assert!(matches!(insert(&writer, 3).await, Err(Refusal::Odd)));
    insert(&writer, 2).await.unwrap();
    let failed = insert(&writer, 2).await.unwrap_err();
    assert!(matches!(failed.fault(), Some(SqliteFault::Sqlite(_))), "{failed:?}");
    insert(&writer, 4).await.unwrap();
    assert_eq!(stored(&writer).await, [2, 4]);
}

#[tokio::test]
async fn a_write_that_ends_the_whole_transaction_fails_all_that_share_it() {
    let writer = start(100, LONG);
    let (go_on, blocked) = blocked(&writer).await;
    let before = spawn_insert(&writer, 2);
    until_queued(&writer, 1).await;
    let ending = tokio::spawn({
        let writer = Arc::clone(&writer);
        async move {
            let ended: Result<(), Refusal> = writer
                .run(|connection| {
                    write_number(connection, 8)?;
                    // As a full disk may.
                    connection.execute("INSERT OR ROLLBACK INTO numbers VALUES (8)", [])?;
                    Ok(())
                })
                .await;
            ended
        }
    });
    until_queued(&writer, 2).await;
    let after = spawn_insert(&writer, 4);
    until_queued(&writer, 3).await;
    drop(go_on);
    // The one that had begun shares a commit with nobody.
    blocked.await.unwrap().unwrap();
    for task in [before, ending, after] {
        let failed = task.await.unwrap().unwrap_err();
        assert!(matches!(failed.fault(), Some(SqliteFault::Sqlite(_))), "{failed:?}");
    }
    assert_eq!(stored(&writer).await, [0; 0]);
    insert(&writer, 6).await.unwrap();
    assert_eq!(stored(&writer).await, [6]);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let writer = start(1, LONG);
    let (go_on, blocked) = blocked(&writer).await;
    let waiting = spawn_insert(&writer, 2);
    until_queued(&writer, 1).await;
    let refused = insert(&writer, 4).await.unwrap_err();
    assert!(matches!(refused.fault(), Some(SqliteFault::QueueFull)), "{refused:?}");
    drop(go_on);
    blocked.await.unwrap().unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(stored(&writer).await, [2]);
}

#[tokio::test]
async fn a_write_that_has_waited_too_long_does_not_begin() {
    let mut writer = Writer::start(numbers(), Home::default(), 100, Duration::ZERO).unwrap();
    let late = insert(&writer, 2).await.unwrap_err();
    assert!(matches!(late.fault(), Some(SqliteFault::TooLate)), "{late:?}");
    writer.deadline = LONG;
    assert_eq!(stored(&writer).await, [0; 0]);
}

#[tokio::test]
async fn a_caller_of_a_write_that_hangs_is_answered_in_bounded_time() {
    let writer = start(100, Duration::from_secs(1));
    let (go_on, blocked) = blocked(&writer).await;
    let hanging = blocked.await.unwrap().unwrap_err();
    assert!(matches!(hanging.fault(), Some(SqliteFault::TimedOut)), "{hanging:?}");
    drop(go_on);
}

#[tokio::test]
async fn a_write_whose_caller_has_gone_does_not_begin() {
    let writer = start(100, LONG);
    let (go_on, blocked) = blocked(&writer).await;
    let gone = spawn_insert(&writer, 2);
    until_queued(&writer, 1).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    drop(go_on);
    blocked.await.unwrap().unwrap();
    assert_eq!(stored(&writer).await, [0; 0]);
}

#[tokio::test]
async fn closing_finishes_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("numbers.db");
    let connection = Connection::open(&file).unwrap();
    connection.execute_batch("CREATE TABLE numbers (number INTEGER PRIMARY KEY)").unwrap();
    let writer = Writer::start(connection, Home::default(), 100, LONG).unwrap();
    let queue = writer.queue.clone().unwrap();
    let mut answers = Vec::new();
    for number in 0..10 {
        let (answer, answered) = oneshot::channel();
        let work = move |connection: &Connection| -> Result<usize, WriteError<Refusal>> {
            Ok(write_number(connection, number)?)
        };
        let task = Task { begin_by: now() + LONG, work: Some(work), outcome: None, answer };
        assert!(queue.try_send(Box::new(task)).is_ok());
        answers.push(answered);
    }
    drop(queue);
    drop(writer);
    for mut answer in answers {
        assert!(matches!(answer.try_recv(), Ok(Ok(Ok(Done { value: 1, .. })))));
    }
    let count: i64 = Connection::open(&file)
        .unwrap()
        .query_row("SELECT count(*) FROM numbers", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 10);
}
