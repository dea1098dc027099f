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
        let remedy = &remedy();
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

    /// The product whose server has it, where a server has it.
    pub(crate) const fn product(&self) -> Option<&'static str> {
        match self.kind {
            Kind::File => None,
            Kind::Server(product) => Some(product),
        }
    }

    /// The database's name in the URL's path, where it is on a server and its URL names one.
    pub(crate) fn name_in_url(&self) -> Option<&str> {
        self.product()?;
        let (_, path) = self.split().1.split('?').next()?.split_once('/')?;
        (!path.is_empty()).then_some(path)
    }

    /// Whether the same servers of the same product have both, whoever logs in to them.
    pub(crate) fn is_on_server_of(&self, other: &Self) -> bool {
        self.product().is_some() && self.product() == other.product() && self.servers() == other.servers()
    }

    /// The servers in the URL, without the user.
    fn servers(&self) -> &str {
        let servers = self.split().1.split(['/', '?']).next().unwrap_or_default();
        servers.rsplit('@').next().unwrap_or_default()
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

/// What would be right: a URL of each kind of database.
fn remedy() -> String {
    let mut servers: Vec<_> = SCHEMES
        .iter()
        .filter_map(|(scheme, kind)| match kind {
            Kind::File => None,
            Kind::Server(product) => Some((*product, format!("a {scheme}:// URL"))),
        })
        .collect();
    servers.dedup_by_key(|(product, _)| *product);
    let servers: Vec<_> = servers.into_iter().map(|(_, url)| url).collect();
    format!(
        "give sqlite:// and a file's path, such as sqlite://data/roster.db or sqlite:///var/lib/roster.db, or {}",
        servers.join(" or ")
    )
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

/// A database's name, as the server of every product takes it on every system.
pub(crate) fn name(text: &str) -> Result<String, WrongValue> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if text.len() <= 63 && text.chars().all(is_name) {
        Ok(text.to_owned())
    } else {
        let problem = format!("is {}, which can't be the name of a database", shown(text));
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
        let wrong = DatabaseUrl::read(text).unwrap_err().to_string();
        assert!(wrong.contains("sqlite://data/roster.db"), "{wrong}");
        assert!(!wrong.contains("hunter2"), "{wrong}");
    }

    #[test]
    fn a_mongodb_is_a_url_that_debug_does_not_show() {
        for text in ["mongodb://me:hunter2@db/?replicaSet=rs0", "mongodb+srv://me:hunter2@db"] {
            let database = DatabaseUrl::read(text).unwrap();
            assert!(!format!("{database:?}").contains("hunter2"));
            assert_eq!((database.url().expose_secret(), database.file()), (text, None));
        }
    }

    #[test]
    fn a_server_is_the_same_whoever_logs_in_and_another_where_it_is_of_another_product() {
        let read = |url| DatabaseUrl::read(url).unwrap();
        let one = read("mongodb://me:hunter2@db:27017/roster?w=1");
        assert!(one.is_on_server_of(&read("mongodb://db:27017/other")));
        assert!(!one.is_on_server_of(&read("mongodb://db:27018/roster")));
        let of_another_product = DatabaseUrl { kind: Kind::Server("another"), ..one.clone() };
        assert!(!one.is_on_server_of(&of_another_product));
        assert!(!read("sqlite://db").is_on_server_of(&read("sqlite://db")));
    }

    #[rstest::rstest]
    #[case("mongodb://me:hunter2@db/roster?w=1", Some("roster"))]
    #[case("mongodb://db/?w=1", None)]
    #[case("mongodb+srv://db", None)]
    #[case("sqlite://data/roster.db", None)]
    fn a_url_names_a_database_of_a_server_in_its_path(#[case] url: &str, #[case] name: Option<&str>) {
        assert_eq!(DatabaseUrl::read(url).unwrap().name_in_url(), name);
    }
}
