//! Many updates in one command, each of them atomic for itself.

use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};

use crate::server::{Failure, Server};
use crate::told;

/// What became of a command of many updates.
pub(crate) struct Outcome {
    /// Which updates failed, by their place in the command.
    pub(crate) failed: Vec<Failed>,
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
        updates: Vec<Document>,
        deadline: Duration,
    ) -> Result<Outcome, Failure> {
        if updates.is_empty() {
            return Ok(Outcome { failed: Vec::new() });
        }
        let command = doc! {
            "update": "users",
            "updates": updates,
            "ordered": false,
            "writeConcern": { "w": "majority", "j": true, "wtimeout": i64::try_from(deadline.as_millis()).unwrap_or(0) },
        };
        let database = self.database.clone();
        let answer = self.run_within(deadline, async move { database.run_command(command).await }).await?;
        if let Some(error) = answer.get("writeConcernError").and_then(Bson::as_document) {
            let Failed { message, .. } = failed(error);
            return Err(Failure::Unexpected(format!(
                "the write was not acknowledged by a majority: {message}"
            )));
        }
        let errors = answer.get_array("writeErrors").map(Vec::as_slice).unwrap_or_default();
        Ok(Outcome { failed: errors.iter().filter_map(Bson::as_document).map(failed).collect() })
    }
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
