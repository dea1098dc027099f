//! The URLs that choose an adapter by their scheme.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::bucket::{self, Bucket};
use crate::error::{Fault, shown};

/// Where users are kept.
#[derive(Debug, Clone)]
pub enum Database {
    /// In this file.
    Sqlite(PathBuf),
    /// On the MongoDB that this URL names, which may hold a password.
    MongoDb(SecretString),
}

/// What `IMAGES_URL` names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ImagesUrl {
    Folder(PathBuf),
    S3(Bucket),
}

/// What a `sqlite://` or `mongodb://` URL names.
pub(crate) fn database(text: &str) -> Result<Database, Fault> {
    let remedy = "give sqlite:// and a file's path, such as sqlite://data/roster.db or sqlite:///var/lib/roster.db, or a \
         mongodb:// URL";
    match text.split_once("://") {
        Some(("sqlite", path)) => {
            if path == ":memory:" || path.starts_with("file:") {
                return Err(Fault::new(format!("is {}, which names no file", shown(text)), remedy));
            }
            if path.is_empty()
                || path.ends_with('/')
                || path.ends_with("/.")
                || path.ends_with("..")
                || path == "."
            {
                return Err(Fault::new(
                    format!("is {}, which names a folder, not a file", shown(text)),
                    remedy,
                ));
            }
            plain_path(text, path, remedy).map(Database::Sqlite)
        }
        Some(("mongodb" | "mongodb+srv", _)) => Ok(Database::MongoDb(SecretString::from(text))),
        other => Err(unknown_scheme(other, remedy)),
    }
}

/// A database's name, as MongoDB takes it on every system.
pub(crate) fn database_name(text: &str) -> Result<String, Fault> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if text.len() <= 63 && text.chars().all(is_name) {
        Ok(text.to_owned())
    } else {
        let problem = format!("is {}, which can't be the name of a MongoDB database", shown(text));
        Err(Fault::new(problem, "give at most 63 letters, digits, - and _, such as fast_api_db"))
    }
}

/// What a `file://` or `s3://` URL names.
pub(crate) fn images(text: &str) -> Result<ImagesUrl, Fault> {
    let remedy = "give file:// and a folder's path, such as file://data/images or file:///var/lib/roster/images, or \
         s3://bucket/prefix";
    match text.split_once("://") {
        Some(("file", "")) => Err(Fault::new("is \"file://\", without a path", remedy)),
        Some(("file", path)) => plain_path(text, path, remedy).map(ImagesUrl::Folder),
        Some(("s3", place)) => bucket::parse(place).map(ImagesUrl::S3),
        other => Err(unknown_scheme(other, remedy)),
    }
}

/// The path is taken as it is written, so whatever asks for more than that is refused.
fn plain_path(text: &str, path: &str, remedy: &str) -> Result<PathBuf, Fault> {
    if path.contains(['?', '#', '%', '\0']) {
        let problem = format!("is {}, which has more than a plain path (none of ?, # and %)", shown(text));
        return Err(Fault::new(problem, remedy));
    }
    Ok(PathBuf::from(path))
}

/// Shows the scheme alone: what follows may hold a password.
fn unknown_scheme(split: Option<(&str, &str)>, remedy: &str) -> Fault {
    match split {
        Some((scheme, _)) => Fault::new(format!("starts with {}, which is not known", shown(scheme)), remedy),
        None => Fault::new("is not a URL with ://", remedy),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use secrecy::ExposeSecret;

    use super::*;

    #[rstest::rstest]
    #[case("sqlite://data/roster.db", "data/roster.db")]
    #[case("sqlite://roster.db", "roster.db")]
    #[case("sqlite://./a b/roster.db", "./a b/roster.db")]
    #[case("sqlite:///var/lib/roster.db", "/var/lib/roster.db")]
    fn a_database_is_a_relative_or_absolute_path(#[case] text: &str, #[case] path: &str) {
        assert!(matches!(database(text).unwrap(), Database::Sqlite(file) if file == Path::new(path)));
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
        let fault = database(text).unwrap_err().to_string();
        assert!(fault.contains("sqlite://data/roster.db"), "{fault}");
        assert!(!fault.contains("hunter2"), "{fault}");
    }

    #[test]
    fn a_mongodb_is_a_url_that_debug_does_not_show() {
        for text in ["mongodb://me:hunter2@db/?replicaSet=rs0", "mongodb+srv://me:hunter2@db"] {
            let database = database(text).unwrap();
            assert!(!format!("{database:?}").contains("hunter2"));
            assert!(matches!(database, Database::MongoDb(url) if url.expose_secret() == text));
        }
    }

    #[rstest::rstest]
    #[case("file://data/images", "data/images")]
    #[case("file:///var/images/", "/var/images/")]
    fn an_image_folder_is_a_relative_or_absolute_path(#[case] text: &str, #[case] path: &str) {
        assert_eq!(images(text).unwrap(), ImagesUrl::Folder(path.into()));
    }

    #[test]
    fn a_bucket_may_have_a_prefix() {
        let bucket = Bucket { name: "faces".to_owned(), prefix: "a/b".to_owned() };
        assert_eq!(images("s3://faces/a/b").unwrap(), ImagesUrl::S3(bucket));
    }

    #[rstest::rstest]
    #[case("file://", "without a path")]
    #[case("file://data?x", "plain path")]
    #[case("https://me:hunter2@example.com", "\"https\"")]
    #[case("data/images", "not a URL")]
    fn any_other_image_store_is_refused(#[case] text: &str, #[case] why: &str) {
        let fault = images(text).unwrap_err().to_string();
        assert!(fault.contains(why) && fault.contains("file://data/images"), "{fault}");
        assert!(!fault.contains("hunter2"), "{fault}");
    }
}
