//! The databases beneath the API, read without Roster's own code.

mod mongodb;
mod sqlite;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use roster_test_mongo::Database;

/// Where the program under test keeps its users.
pub(crate) enum Store {
    Sqlite,
    MongoDb(Database),
}

/// What a database holds. Whoever made it has held it against itself: nothing in it is half there.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// Live users and those in the trash, by id.
    pub(crate) users: BTreeMap<String, StoredUser>,
    /// The keys of the images that are to be removed.
    pub(crate) removals: BTreeSet<String>,
    /// Users who are gone and wait for the removal of their images.
    pub(crate) tombstones: usize,
}

#[derive(Debug)]
pub(crate) struct StoredUser {
    pub(crate) username: String,
    pub(crate) email: String,
    pub(crate) in_trash: bool,
    /// The key of the profile image.
    pub(crate) image: Option<String>,
}

impl StoredUser {
    pub(crate) fn image_name(&self) -> Option<&str> {
        self.image.as_ref()?.split('/').next_back()
    }
}

impl Stored {
    /// The one user whose name begins so.
    pub(crate) fn user_called(&self, prefix: &str) -> Option<&StoredUser> {
        let mut found = self.users.values().filter(|user| user.username.starts_with(prefix));
        let user = found.next();
        assert!(found.next().is_none(), "two users are {prefix}: {self:#?}");
        user
    }
}

impl Store {
    /// All of it, of one moment.
    pub(crate) async fn read(&self, folder: &Path) -> Stored {
        let stored = match self {
            Self::Sqlite => sqlite::read(folder),
            Self::MongoDb(database) => mongodb::read(database).await,
        };
        for user in stored.users.values() {
            assert_eq!(user.email, format!("{}@example.org", user.username), "an edit changes both or none");
            let image = user.image.as_ref().filter(|key| stored.removals.contains(*key));
            assert_eq!(image, None, "a user's image is to be removed: {user:?}");
        }
        stored
    }

    /// Lets the time come at once in which images are to be removed.
    pub(crate) async fn make_removals_due(&self, folder: &Path) {
        match self {
            Self::Sqlite => sqlite::make_removals_due(folder),
            Self::MongoDb(database) => mongodb::make_removals_due(database).await,
        }
    }

    /// Waits until a database of its own process does nothing any more that a dead client had asked for.
    pub(crate) async fn forget_the_dead(&self) {
        if let Self::MongoDb(database) = self {
            mongodb::forget_the_dead(database).await;
        }
    }
}
