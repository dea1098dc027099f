//! Where users are kept, as a URL names it.

use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::error::{WrongValue, shown};
use crate::location::{plain_path, unknown_scheme};

/// The schemes of databases, and what each names.
const SCHEMES: &[(&str, Kind)] =
    &[("sqlite", Kind::File), ("mongodb", Kind::Server("MongoDB")), ("mongodb+srv", Kind::Server("MongoDB"))];

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A file on this machine.
    File,
    /// A server of that product, which has databases by name.
    Server(&'static str),
}

/// A database's URL, which chooses an adapter by its scheme, and what else opens it.
#[derive(Debug, Clone)]
pub struct DatabaseUrl {
    /// It may hold a password.
    url: SecretString,
    kind: Kind,
    name: String,
    compare_every: Option<Duration>,
}

impl DatabaseUrl {
    /// Parses a URL, whose scheme has to be one of those that name a database.
    pub(crate) fn read(url: &str) -> Result<Self, WrongValue> {
        let remedy = "give sqlite:// and a file's path, such as sqlite://data/roster.db or sqlite:///var/lib/roster.db, or a \
             mongodb:// URL";
        let split = url.split_once("://");
        let known = |(scheme, _): (&str, _)| SCHEMES.iter().find(|(known, _)| *known == scheme);
        let (Some((_, path)), Some((_, kind))) = (split, split.and_then(known)) else {
            return Err(unknown_scheme(split, remedy));
        };
        if matches!(kind, Kind::File) {
            file(url, path, remedy)?;
        }
        Ok(Self { url: SecretString::from(url), kind: *kind, name: String::new(), compare_every: None })
    }

    /// The same; on a server, the database of that name.
    pub(crate) fn named(self, name: String) -> Self {
        Self { name, ..self }
    }

    /// The schemes of all URLs that there can be.
    pub fn schemes() -> impl Iterator<Item = &'static str> {
        SCHEMES.iter().map(|(scheme, _)| *scheme)
    }

    pub(crate) fn compared_every(self, compare_every: Option<Duration>) -> Self {
        Self { compare_every, ..self }
    }

    /// All of it.
    #[must_use]
    pub const fn url(&self) -> &SecretString {
        &self.url
    }

    /// What stands before `://`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.split().0
    }

    /// The file, where it is one on this machine.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        matches!(self.kind, Kind::File).then(|| Path::new(self.split().1))
    }

    /// The database's name, on a server.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How often all its users are compared with what is kept of them, if ever, where others write to it as well.
    #[must_use]
    pub const fn compare_every(&self) -> Option<Duration> {
        self.compare_every
    }

    /// Where it is, in words, without a password.
    #[must_use]
    pub fn place(&self) -> String {
        match self.kind {
            Kind::File => self.split().1.to_owned(),
            Kind::Server(product) => format!("the {product} database {}", self.name),
        }
    }

    fn split(&self) -> (&str, &str) {
        self.url.expose_secret().split_once("://").unwrap_or_default()
    }
}

fn file(url: &str, path: &str, remedy: &str) -> Result<(), WrongValue> {
    if path == ":memory:" || path.starts_with("file:") {
        return Err(WrongValue::new(format!("is {}, which names no file", shown(url)), remedy));
    }
    let is_folder = path.is_empty() || path == "." || ["/", "/.", ".."].iter().any(|end| path.ends_with(end));
    if is_folder {
        return Err(WrongValue::new(format!("is {}, which names a folder, not a file", shown(url)), remedy));
    }
    plain_path(url, path, remedy).map(drop)
}

/// A database's name, as MongoDB takes it on every system.
pub(crate) fn name(text: &str) -> Result<String, WrongValue> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if text.len() <= 63 && text.chars().all(is_name) {
        Ok(text.to_owned())
    } else {
        let problem = format!("is {}, which can't be the name of a MongoDB database", shown(text));
        Err(WrongValue::new(problem, "give at most 63 letters, digits, - and _, such as fast_api_db"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("sqlite://data/roster.db", "data/roster.db")]
    #[case("sqlite://roster.db", "roster.db")]
    #[case("sqlite://./a b/roster.db", "./a b/roster.db")]
    #[case("sqlite:///var/lib/roster.db", "/var/lib/roster.db")]
    fn a_database_is_a_relative_or_absolute_path(#[case] text: &str, #[case] path: &str) {
        assert_eq!(DatabaseUrl::read(text).unwrap().file(), Some(Path::new(path)));
    }

    #[rstest::rstest]
    #[case("sqlite://")]
    #[case("sqlite:///")]
    #[case("sqlite://data/")]
    #[case("sqlite://.")]
    #[case("sqlite://data/..")]
    #[case("sqlite::memory:")]
    #[case("sqlite://:memory:")]
    #[case("sqlite://file:roster.db")]
    #[case("sqlite://data/roster.db?mode=ro")]
    #[case("sqlite://data/my%20roster.db")]
    #[case("sqlite:data/roster.db")]
    #[case("SQLITE://data/roster.db")]
    #[case("data/roster.db")]
    #[case("postgres://me:hunter2@db/roster")]
    fn any_other_database_is_refused_without_telling_its_password(#[case] text: &str) {
        let fault = DatabaseUrl::read(text).unwrap_err().to_string();
        assert!(fault.contains("sqlite://data/roster.db"), "{fault}");
        assert!(!fault.contains("hunter2"), "{fault}");
    }

    #[test]
    fn a_mongodb_is_a_url_that_debug_does_not_show() {
        for text in ["mongodb://me:hunter2@db/?replicaSet=rs0", "mongodb+srv://me:hunter2@db"] {
            let database = DatabaseUrl::read(text).unwrap();
            assert!(!format!("{database:?}").contains("hunter2"));
            assert_eq!((database.url().expose_secret(), database.file()), (text, None));
        }
    }
}
