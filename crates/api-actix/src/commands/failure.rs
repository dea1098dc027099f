use roster_domain::values::Username;
use roster_domain::{Chain, Error};
use roster_settings::SettingsError;

use crate::server::StartError;

/// Why the program ended. Its text is one line.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A setting cannot be right.
    #[error("{0}")]
    Settings(#[from] SettingsError),
    /// The settings may be right, but the machine did not give what they ask for.
    #[error("{}", Chain(.0))]
    Start(#[from] StartError),
    /// The server stopped by itself.
    #[error("the server stopped: {0}")]
    Stopped(std::io::Error),
    /// A use case refused, or a store did not answer.
    #[error("{}", refusal(.0))]
    Refused(#[from] Error),
    /// The password could not be read, or is none that one may sign up with.
    #[error("the password {0}")]
    Password(String),
    /// So many findings of `roster check` are wrong.
    #[error("{wrong} of {checked} are wrong")]
    Checked {
        /// How many.
        wrong: usize,
        /// How many were looked at.
        checked: usize,
        /// Whether it takes other settings.
        blames_a_setting: bool,
    },
    /// An argument cannot be right.
    #[error("{0}")]
    Usage(String),
    /// Accounts or images were not moved, or not all of them.
    #[error("{0}")]
    Migration(String),
    /// What a command has to say could not be written.
    #[error("can't write to standard output: {0}")]
    Output(std::io::Error),
    /// The service does not answer as it should.
    #[error("the service at http://{address} is not healthy: {why}")]
    Unhealthy {
        /// Where it was asked.
        address: String,
        /// What happened.
        why: String,
    },
}

/// What was refused, and why, on one line.
fn refusal(error: &Error) -> String {
    let mut text = Chain(error).to_string();
    if let Error::UsernameTaken { suggestions } = error
        && !suggestions.is_empty()
    {
        let names: Vec<_> = suggestions.iter().map(Username::as_str).collect();
        text = format!("{text}; free are {}", names.join(", "));
    }
    text
}

impl Failure {
    /// What the process says to the one who started it: 2 asks for other settings, 1 is anything else.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_)
            | Self::Usage(_)
            | Self::Password(_)
            | Self::Checked { blames_a_setting: true, .. } => 2,
            Self::Start(StartError::Composition(error)) if error.blames_a_setting() => 2,
            _ => 1,
        }
    }
}
