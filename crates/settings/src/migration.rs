use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::database::{self, DatabaseUrl};
use crate::environment::{self, Environment};
use crate::error::{SettingsError, WrongValue};
use crate::location;
use crate::reader::Reader;
use crate::{Images, LogSettings};

/// From where to where accounts are moved, and images where they are moved too.
#[derive(Debug)]
pub struct MigrationSettings {
    /// From where.
    pub from: Place,
    /// To where.
    pub to: Place,
    /// From where and to where images are moved.
    pub images: Option<(Images, Images)>,
    /// What is logged, and how.
    pub log: LogSettings,
}

/// A database.
#[derive(Debug)]
pub struct Place {
    /// Which argument names it.
    pub argument: &'static str,
    /// Where it is.
    pub database: DatabaseUrl,
}

impl MigrationSettings {
    /// Reads what the arguments name, and the rest from the settings of this process: `DB_NAME`, those of S3 and of the log.
    pub fn load(from: &str, to: &str, images: Option<(&str, &str)>) -> Result<Self, SettingsError> {
        let environment = Environment::new(|name| std::env::var_os(name), &environment::file()?)?;
        let lookup = |name: &str| environment.get(name);
        Self::read(&Reader::new(&lookup), from, to, images)
    }

    fn read(
        reader: &Reader<'_>,
        from: &str,
        to: &str,
        images: Option<(&str, &str)>,
    ) -> Result<Self, SettingsError> {
        let settings = Self {
            from: Place::read(reader, "--from", from)?,
            to: Place::read(reader, "--to", to)?,
            images: images
                .map(|(from, to)| {
                    let from_place = images_at(reader, "--images-from", from)?;
                    let to_place = images_at(reader, "--images-to", to)?;
                    if is_same_place(&from_place, &to_place) {
                        return Err(same("--images-to", "--images-from"));
                    }
                    Ok((from_place, to_place))
                })
                .transpose()?,
            log: LogSettings::read(reader)?,
        };
        if settings.from.is(&settings.to) {
            return Err(settings.same());
        }
        Ok(settings)
    }

    /// That both name one database.
    #[must_use]
    pub fn same(&self) -> SettingsError {
        same(self.to.argument, self.from.argument)
    }
}

impl Place {
    fn read(reader: &Reader<'_>, argument: &'static str, url: &str) -> Result<Self, SettingsError> {
        let refused = |wrong| SettingsError::variable(argument, wrong);
        let database = DatabaseUrl::read(url).map_err(refused)?;
        let name = match database.name_in_url() {
            // What follows a password that holds a slash would be told as the name.
            Some(name) if name.contains('@') => {
                return Err(refused(WrongValue::new(
                    "has a slash before its host",
                    "write / as %2F in a user and a password",
                )));
            }
            Some(name) => database::name(name).map_err(refused)?,
            None => reader.value("DB_NAME", "fast_api_db", database::name)?,
        };
        Ok(Self { argument, database: database.named(name) })
    }

    /// Whether it is the same, as far as that can be told without asking a server.
    fn is(&self, other: &Self) -> bool {
        let (one, other) = (&self.database, &other.database);
        match (one.file(), other.file()) {
            (Some(one), Some(other)) => is_same_path(one, other),
            _ => one.is_on_server_of(other) && one.name() == other.name(),
        }
    }
}

fn images_at(reader: &Reader<'_>, argument: &'static str, url: &str) -> Result<Images, SettingsError> {
    let url = location::images(url).map_err(|wrong| SettingsError::variable(argument, wrong))?;
    Images::only(reader, url)
}

fn is_same_place(one: &Images, other: &Images) -> bool {
    match (one, other) {
        (Images::Folder { folder: one, .. }, Images::Folder { folder: other, .. }) => {
            is_same_path(one, other)
        }
        (Images::S3 { bucket: one, .. }, Images::S3 { bucket: other, .. }) => one == other,
        _ => false,
    }
}

/// Whether it is one file or folder, where both are there: by a path of another spelling, or by a link of either kind.
fn is_same_path(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| path.metadata().map(|found| (found.dev(), found.ino()));
    one == other || matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

fn same(argument: &'static str, as_what: &str) -> SettingsError {
    let problem = format!("is the same as {as_what}");
    SettingsError::variable(argument, WrongValue::new(problem, "give the place that it is to be moved to"))
}
