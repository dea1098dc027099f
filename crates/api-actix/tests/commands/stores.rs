//! Stores, as the migration finds them and leaves them.

use std::path::Path;
use std::sync::Arc;

use roster_adapter_fs::FolderImages;
use roster_adapter_mongo::{MongoSource, MongoStore};
use roster_adapter_sqlite::SqliteStore;
use roster_domain::entities::{Account, TrashEntry};
use roster_domain::ports::{AccountArchive, ImageStore as _};
use roster_domain::values::{Epoch, ImageRef, Role};
use roster_domain_testkit::fakes::{CountingIds, ManualClock};
use roster_domain_testkit::fixtures::{
    START, account, at, change, image_of, next_trash_entry_id, next_user_id, original_image, reason, session,
    spool,
};
use roster_test_mongo::Database;
use tokio::time::timeout;

use crate::harness::PATIENCE;

/// A SQLite database in that folder.
pub(crate) fn sqlite(folder: &Path, name: &str) -> SqliteStore {
    SqliteStore::open(&folder.join(name)).unwrap()
}

/// The MongoDB database, tried as often as Roster itself would.
pub(crate) async fn mongodb(database: &Database) -> MongoStore {
    let connected = async {
        loop {
            let (clock, ids) = (Arc::new(ManualClock::new(START)), Arc::new(CountingIds::new()));
            match MongoStore::connect(database.url(), database.name(), clock, ids).await {
                Err(error) if error.is_worth_retrying() => {}
                connected => break connected.unwrap(),
            }
        }
    };
    timeout(PATIENCE, connected).await.expect("a server that answers")
}

/// The same as a source, which somebody is in.
pub(crate) async fn mongodb_source(database: &Database) -> MongoSource {
    let opened = async {
        loop {
            let (clock, ids) = (Arc::new(ManualClock::new(START)), Arc::new(CountingIds::new()));
            match MongoSource::open(database.url(), database.name(), clock, ids).await {
                Err(error) if error.is_worth_retrying() => {}
                opened => break opened.unwrap().unwrap(),
            }
        }
    };
    timeout(PATIENCE, opened).await.expect("a server that answers")
}

/// So many accounts, of every kind. Those at multiples of ten have an image of ours, those behind them one of the FastAPI
/// service's.
pub(crate) fn accounts(count: usize) -> Vec<Account> {
    let kind = |number: usize| {
        let mut account = account(&format!("Üser {number}\u{0}$"));
        let id = account.user.id;
        account.epoch = Epoch::new(u32::try_from(number).unwrap());
        match number % 10 {
            0 => account.user.profile_image = Some(image_of(id).into()),
            1 => account.user.profile_image = Some(original_image(&format!("me {number}.jpg")).into()),
            2 => account.user.role = Role::Admin,
            3 => account.sessions = (0..3).map(|seconds| session(at(seconds))).collect(),
            4 => {
                account.user.updated_at = Some(at(5));
                account.user.updated_by = Some(next_user_id());
            }
            5 => {
                account.trash = Some(TrashEntry {
                    id: next_trash_entry_id(),
                    user_id: id,
                    deleted_by: next_user_id(),
                    deleted_at: at(8),
                    reason: reason("spam"),
                });
            }
            _ => account.user.created_at = None,
        }
        account
    };
    (0..count).map(kind).collect()
}

/// Everybody in a store.
pub(crate) async fn everybody(archive: &dyn AccountArchive) -> Vec<Account> {
    archive.read(None, 100_000).await.unwrap()
}

/// Writes accounts as the migration's source has them.
pub(crate) async fn fill(archive: &dyn AccountArchive, accounts: &[Account]) {
    for batch in accounts.chunks(500) {
        archive.write(batch, &change()).await.unwrap();
    }
}

/// Those images of these accounts that are ours.
pub(crate) fn images(accounts: &[Account]) -> Vec<ImageRef> {
    let image = |account: &Account| Some(account.user.profile_image.as_ref()?.stored()?.clone());
    accounts.iter().filter_map(image).collect()
}

/// What lies under a key: something else under each.
pub(crate) fn content(image: &ImageRef) -> Vec<u8> {
    image.key.as_str().repeat(3_000).into_bytes()
}

/// Puts the images of these accounts into a folder.
pub(crate) async fn fill_folder(folder: &Path, accounts: &[Account]) {
    let store = FolderImages::open(folder).unwrap();
    for image in images(accounts) {
        store.put(&image.key, spool(&content(&image))).await.unwrap();
    }
}
