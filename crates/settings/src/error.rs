use std::fmt;

/// A setting that cannot be right. Its text is one line: which setting, what is wrong, what would be right. It holds no
/// secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} {wrong}")]
pub struct SettingsError {
    place: String,
    wrong: WrongValue,
}

impl SettingsError {
    /// What is wrong: a variable, or a place in a file.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// A variable that is wrong.
    pub(crate) fn variable(name: &'static str, wrong: WrongValue) -> Self {
        Self { place: name.to_owned(), wrong }
    }

    /// A `.env` file that can't be read as a whole.
    pub(crate) fn file(wrong: WrongValue) -> Self {
        Self { place: ".env".to_owned(), wrong }
    }

    /// A line of `.env`, counted from 1.
    pub(crate) fn line(number: usize, wrong: WrongValue) -> Self {
        Self { place: format!(".env, line {number},"), wrong }
    }
}

/// What is wrong, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WrongValue {
    problem: String,
    remedy: String,
}

impl WrongValue {
    pub(crate) fn new(problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { problem: problem.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for WrongValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.problem, self.remedy)
    }
}

/// A value as an error may show it: quoted, on one line, not too long.
pub(crate) fn shown(value: &str) -> String {
    const LONGEST: usize = 80;
    match value.char_indices().nth(LONGEST) {
        None => format!("{value:?}"),
        Some((end, _)) => format!("{:?}…", &value[..end]),
    }
}
