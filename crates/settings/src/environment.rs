use std::cell::Cell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};

use crate::error::{SettingsError, WrongValue};

/// The content of `.env` in the working directory; nothing where there is none.
pub(crate) fn file() -> Result<Vec<u8>, SettingsError> {
    match fs::read(".env") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(|error| {
            let wrong =
                WrongValue::new(format!("can't be read ({error})"), "make it a readable file, or remove it");
            SettingsError::file(wrong)
        }),
    }
}

/// Where the settings come from: the process's environment, and a `.env` file for what stands there alone.
pub(crate) struct Environment<P> {
    process: P,
    file: HashMap<String, String>,
}

impl<P: Fn(&str) -> Option<OsString>> Environment<P> {
    /// What `process` knows of a variable, over a file of that content.
    pub(crate) fn new(process: P, file: &[u8]) -> Result<Self, SettingsError> {
        Ok(Self { process, file: parse(file)? })
    }

    /// The variable's value; an empty one in the process's environment hides none of the file.
    pub(crate) fn get(&self, name: &str) -> Option<OsString> {
        (self.process)(name)
            .filter(|value| !value.is_empty())
            .or_else(|| self.file.get(name).map(OsString::from))
    }

    /// Names that the file sets and that are none of these, in order.
    pub(crate) fn unknown(&self, known: &[&str]) -> Vec<String> {
        let mut unknown: Vec<_> =
            self.file.keys().filter(|name| !known.contains(&name.as_str())).cloned().collect();
        unknown.sort_unstable();
        unknown
    }
}

/// Reads a `.env` file. Where a name stands twice, the last one counts.
pub(crate) fn parse(content: &[u8]) -> Result<HashMap<String, String>, SettingsError> {
    let content = content.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(content);
    let text = str::from_utf8(content).map_err(|error| {
        let line = content[..error.valid_up_to()].split(|byte| *byte == b'\n').count();
        SettingsError::line(line, WrongValue::new("is not UTF-8", "save the file as UTF-8"))
    })?;
    let lines = Cell::new(0);
    // dotenvy takes a blank at the very end for an unfinished value.
    let source = LineByLine { rest: text.as_bytes(), lines: &lines }.chain(&b"\n"[..]);
    let mut values = HashMap::new();
    for item in dotenvy::from_read_iter(source) {
        let (name, value) = item.map_err(|error| malformed(&error, lines.get()))?;
        values.insert(name, value);
    }
    Ok(values)
}

/// Says where, but not what stands there: it may be a secret.
fn malformed(error: &dotenvy::Error, last_line: usize) -> SettingsError {
    let further_lines = match error {
        dotenvy::Error::LineParse(text, _) => text.trim_end_matches(['\r', '\n']).matches('\n').count(),
        _ => 0,
    };
    let wrong = WrongValue::new(
        "is not NAME=value",
        "put a value with blanks, quotes, # or $ between single quotes, and close what is opened",
    );
    SettingsError::line(last_line.saturating_sub(further_lines).max(1), wrong)
}

/// Gives one line a time, so that whoever reads it with a buffer is never ahead of the count.
struct LineByLine<'a> {
    rest: &'a [u8],
    lines: &'a Cell<usize>,
}

impl Read for LineByLine<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let line = self.rest.iter().position(|byte| *byte == b'\n').map_or(self.rest.len(), |end| end + 1);
        let count = line.min(buffer.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        if count == line && count > 0 {
            self.lines.set(self.lines.get() + 1);
        }
        self.rest = &self.rest[count..];
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(content: &str) -> Option<String> {
        parse(content.as_bytes()).unwrap().remove("NAME")
    }

    #[rstest::rstest]
    #[case("NAME=value", "value")]
    #[case("NAME=value \r\n", "value")]
    #[case("NAME=value ", "value")]
    #[case("export NAME='a $secret # of \"mine\"'\n", "a $secret # of \"mine\"")]
    #[case("\u{feff}NAME=value\n", "value")]
    #[case("NAME=first\nNAME=second\n", "second")]
    #[case("# a comment\n\nNAME=value # why\n", "value")]
    fn a_line_of_the_file_sets_a_variable(#[case] content: &str, #[case] value: &str) {
        assert_eq!(value_of(content).as_deref(), Some(value));
    }

    #[test]
    fn a_comment_sets_nothing() {
        assert_eq!(value_of("#NAME=value\n"), None);
    }

    #[rstest::rstest]
    #[case("two words", 1)]
    #[case("# one\n\nHOST=127.0.0.1\nPORT 8000\nDB_NAME=x\n", 4)]
    #[case("A=1\nSECRET_KEY='hunter2\nB=2\nC=3\n", 2)]
    #[case("A='one\ntwo'\nSECRET_KEY=hunter2 hunter2\n", 3)]
    #[case("A='one\ntwo'x y\nB=1\n", 1)]
    fn a_malformed_line_is_named_by_its_number_and_not_shown(#[case] content: &str, #[case] line: usize) {
        let error = parse(content.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(&format!(".env, line {line}, ")), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }

    #[test]
    fn a_long_line_counts_as_one() {
        let content = format!("A={}\nPORT 8000\n", "a".repeat(100_000));
        let error = parse(content.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(".env, line 2, "), "{error}");
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_named_by_their_line() {
        let error = parse(b"A=1\nB=\xff\n").unwrap_err().to_string();
        assert!(error.starts_with(".env, line 2, is not UTF-8"), "{error}");
    }

    #[test]
    fn the_environment_overrides_the_file_and_an_empty_value_is_none() {
        let process: fn(&str) -> Option<OsString> = |name| match name {
            "BOTH" => Some("process".into()),
            "EMPTY" => Some("".into()),
            _ => None,
        };
        let environment = Environment::new(process, b"BOTH=file\nEMPTY=file\nFILE=file\n").unwrap();
        assert_eq!(environment.get("BOTH"), Some("process".into()));
        assert_eq!(environment.get("EMPTY"), Some("file".into()));
        assert_eq!(environment.get("FILE"), Some("file".into()));
        assert_eq!(environment.get("NEITHER"), None);
    }
}
