//! Bulk writes: many statements in one command, or in a few where they are large. Each statement is atomic.

use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};

use crate::server::{Server, ServerFailure, Written};
use crate::told;

/// A command is full at so many bytes. The server takes 16 MiB, and all ends of one long name are up to three.
const FULL: usize = 8 << 20;

/// What became of a command of many updates.
pub(crate) struct Outcome {
    /// Which updates failed, by their place in the command.
    pub(crate) failed: Vec<Failed>,
    has_written: bool,
}

impl Written for Outcome {
    fn has_written(&self) -> bool {
        self.has_written
    }
}

pub(crate) struct Failed {
    pub(crate) place: usize,
    pub(crate) is_duplicate_key: bool,
    /// As it may be told.
    pub(crate) message: String,
}

/// An update of one document by a pipeline.
pub(crate) fn update(filter: Document, pipeline: Vec<Document>, upsert: bool) -> Document {
    doc! { "q": filter, "u": pipeline, "upsert": upsert }
}

impl Server {
    /// Runs updates of `users`, in any order; one that fails holds up no other.
    pub(crate) async fn update_all(
        &self,
        updates: impl Iterator<Item = Document> + Send,
        deadline: Duration,
    ) -> Result<Outcome, ServerFailure> {
        self.run_all(["update", "updates"], updates, deadline).await
    }

    /// Inserts documents into `users`, in any order; one that fails holds up no other.
    pub(crate) async fn insert_all(
        &self,
        documents: impl Iterator<Item = Document> + Send,
        deadline: Duration,
    ) -> Result<Outcome, ServerFailure> {
        self.run_all(["insert", "documents"], documents, deadline).await
    }

    /// Makes statements as they are needed: a command of them is held at a time.
    async fn run_all(
        &self,
        names: [&'static str; 2],
        mut statements: impl Iterator<Item = Document> + Send,
        deadline: Duration,
    ) -> Result<Outcome, ServerFailure> {
        let (mut all, mut done) = (Vec::new(), 0);
        loop {
            let some = next_command(&mut statements)?;
            if some.is_empty() {
                return Ok(Outcome { has_written: done > all.len(), failed: all });
            }
            let count = some.len();
            for failed in self.run_some(names, some, deadline).await?.failed {
                all.push(Failed { place: failed.place.saturating_add(done), ..failed });
            }
            done += count;
        }
    }

    async fn run_some(
        &self,
        [name, of]: [&'static str; 2],
        statements: Vec<Document>,
        deadline: Duration,
    ) -> Result<Outcome, ServerFailure> {
        let count = statements.len();
        let command = doc! {
            name: "users",
            of: statements,
            "ordered": false,
            "writeConcern": { "w": "majority", "j": true, "wtimeout": i64::try_from(deadline.as_millis()).unwrap_or(0) },
        };
        let database = self.writes.database.clone();
        let run = async move { outcome(&database.run_command(command).await?, count) };
        self.writes.run_within(deadline, name, run).await
    }
}

/// What became of so many statements, by the server's answer.
fn outcome(answer: &Document, count: usize) -> Result<Outcome, ServerFailure> {
    if let Some(error) = answer.get("writeConcernError").and_then(Bson::as_document) {
        let Failed { message, .. } = failed(error);
        return Err(ServerFailure::Unexpected(format!(
            "the write was not acknowledged by a majority: {message}"
        )));
    }
    let errors = answer.get_array("writeErrors").map(Vec::as_slice).unwrap_or_default();
    let failed: Vec<_> = errors.iter().filter_map(Bson::as_document).map(failed).collect();
    Ok(Outcome { has_written: failed.len() < count, failed })
}

/// The next statements, until they fill a command.
fn next_command(statements: &mut impl Iterator<Item = Document>) -> Result<Vec<Document>, ServerFailure> {
    let (mut command, mut bytes) = (Vec::new(), 0);
    while bytes < FULL
        && let Some(statement) = statements.next()
    {
        bytes += statement.to_vec().map_err(mongodb::error::Error::from)?.len();
        command.push(statement);
    }
    Ok(command)
}

fn failed(error: &Document) -> Failed {
    let number = |field| match error.get(field) {
        Some(Bson::Int32(number)) => i64::from(*number),
        Some(Bson::Int64(number)) => *number,
        _ => -1,
    };
    let text = |field| error.get_str(field).unwrap_or_default();
    let code = i32::try_from(number("code")).unwrap_or(-1);
    Failed {
        place: usize::try_from(number("index")).unwrap_or(usize::MAX),
        is_duplicate_key: code == 11000,
        message: told::answer(code, text("codeName"), text("errmsg")),
    }
}
