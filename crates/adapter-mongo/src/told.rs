//! Driver errors as log lines: one short line each. The driver's own text holds the whole topology and the server's answer
//! in hexadecimal, which may repeat what a user sent.

use mongodb::error::{Error, ErrorKind, WriteFailure};

/// How much of a foreign text is told, in characters.
const MOST: usize = 200;

/// What went wrong.
pub(crate) fn reason(error: &Error) -> String {
    match error.kind.as_ref() {
        ErrorKind::ServerSelection { message, .. } => selection(message),
        ErrorKind::Io(error) => format!("the connection broke: {}", short(&error.to_string())),
        ErrorKind::ConnectionPoolCleared { message, .. } => {
            format!("the connection broke: {}", io_error(message).unwrap_or("another of that server did"))
        }
        ErrorKind::Command(error) => answer(error.code, &error.code_name, &error.message),
        ErrorKind::Write(WriteFailure::WriteError(error)) => {
            answer(error.code, error.code_name.as_deref().unwrap_or_default(), &error.message)
        }
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => {
            format!(
                "not acknowledged by a majority: {}",
                answer(error.code, &error.code_name, &error.message)
            )
        }
        kind => short(&kind.to_string()),
    }
}

/// Why no server was found that can take an operation: the driver's message lists the servers with what the system said
/// of each.
fn selection(message: &str) -> String {
    match io_error(message) {
        Some(reason) => format!("no server can be reached: {}", short(reason)),
        None if message.contains("ReplicaSetNoPrimary") => "the replica set has no primary".to_owned(),
        None => "no server answers".to_owned(),
    }
}

/// What the system said, in a message of the driver's.
pub(crate) fn io_error(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("I/O error: ")?;
    Some(rest.split_once(", labels:").map_or(rest, |(reason, _)| reason))
}

/// What the server said.
pub(crate) fn answer(code: i32, name: &str, message: &str) -> String {
    let error = format!("error {code} {name}");
    let (error, message) = (error.trim_end(), short(message));
    if message.is_empty() { error.to_owned() } else { format!("{error}: {message}") }
}

/// The start of a foreign text, on one line: behind a quote or a brace a user's value may stand.
fn short(text: &str) -> String {
    let text = text.split(['{', '"', '\'', '`', '\n', '\r']).next().unwrap_or_default();
    text.trim_end_matches([' ', ':', ',']).chars().take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{deserialize_from_document, doc};

    use super::*;

    #[test]
    fn a_server_that_is_gone_is_told_with_the_systems_reason() {
        let message = "Server selection timeout: No available servers. Topology: { Type: Single, Servers: [ { Address: \
                       127.0.0.1:1, Type: Unknown, Error: Kind: I/O error: Connection refused (os error 111), labels: {} }, ] }";
        assert_eq!(selection(message), "no server can be reached: Connection refused (os error 111)");
        assert_eq!(selection("Topology: { Type: ReplicaSetNoPrimary }"), "the replica set has no primary");
        let broken = Error::from(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        assert_eq!(reason(&broken), "the connection broke: connection reset");
    }

    #[test]
    fn an_answer_is_told_without_the_values_in_it() {
        let duplicate = doc! {
            "code": 11000,
            "codeName": "DuplicateKey",
            "errmsg": "E11000 duplicate key error index: roster_email_key dup key: { roster.email_key: \"ann@example.com\" }",
        };
        let error = Error::from(ErrorKind::Command(deserialize_from_document(duplicate).unwrap()));
        assert_eq!(
            reason(&error),
            "error 11000 DuplicateKey: E11000 duplicate key error index: roster_email_key dup key"
        );
        assert_eq!(answer(91, "ShutdownInProgress", ""), "error 91 ShutdownInProgress");
        assert_eq!(answer(121, "", "not valid: {}"), "error 121: not valid");
        assert_eq!(short(&"x".repeat(1_000)).len(), MOST);
    }
}
