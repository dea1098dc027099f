use roster_domain::ports::{ProfileImages as _, Trash as _};
use roster_domain::values::{ImageRef, StoreName};
use roster_domain_testkit::fixtures::{START, change, image_key, image_of, next_user_id, page};
use tempfile::TempDir;

use crate::program::run;
use crate::stores::{accounts, fill, fill_folder, images, sqlite};

#[tokio::test]
async fn old_trash_and_images_that_nobody_has_go_at_once_and_are_counted() {
    let folder = TempDir::new().unwrap();
    let mut everybody = accounts(20);
    // Those in the trash have been there for long.
    for account in &mut everybody {
        if account.trash.is_some() {
            account.user.profile_image = Some(image_of(account.user.id).into());
        }
    }
    let store = sqlite(folder.path(), "data/roster.db");
    fill(&store, &everybody).await;
    fill_folder(&folder.path().join("data/images"), &everybody).await;
    let owner = next_user_id();
    let elsewhere = ImageRef { store: StoreName::new("s3://gone"), key: image_key(owner) };
    store.reserve(owner, &elsewhere, START, &change()).await.unwrap();

    // The store stays open meanwhile, as that of a running service.
    let said = run(folder.path(), &["purge"], &[]).done();
    assert_eq!(
        said,
        "purging data/roster.db\n2 users deleted for good, who were in the trash for too long\n2 images removed\n\
         images in s3://gone wait to be removed: it is not configured\n"
    );
    assert_eq!(store.list(page(1, 10)).await.unwrap().total, 0);
    let left = images(&everybody).len() - 2;
    let folders = folder.path().join("data/images").read_dir().unwrap();
    assert_eq!(folders.filter(|entry| entry.as_ref().unwrap().file_name() != ".tmp").count(), left);

    let said = run(folder.path(), &["purge"], &[]).done();
    assert!(said.starts_with("purging data/roster.db\n0 users") && said.contains("\n0 images"), "{said}");
}

#[tokio::test]
async fn what_was_done_before_a_store_failed_is_told() {
    let folder = TempDir::new().unwrap();
    let mut everybody = accounts(1_500);
    everybody.retain(|account| account.trash.is_some());
    let store = sqlite(folder.path(), "data/roster.db");
    fill(&store, &everybody).await;
    // Somebody behind the first hundred can't be deleted.
    let stuck = everybody[120].user.id;
    let database = rusqlite::Connection::open(folder.path().join("data/roster.db")).unwrap();
    let trigger = format!(
        "CREATE TRIGGER stuck BEFORE DELETE ON users WHEN old.id = x'{stuck}'
         BEGIN SELECT RAISE(ABORT, 'stuck'); END"
    );
    database.execute_batch(&trigger).unwrap();
    let ended = run(folder.path(), &["purge"], &[]);
    assert_eq!(
        ended.stdout,
        "purging data/roster.db\n100 users deleted for good, who were in the trash for too long\n"
    );
    ended.failed(1);
    assert_eq!(store.list(page(1, 10)).await.unwrap().total, 50);

    database.execute_batch("DROP TRIGGER stuck").unwrap();
    let images: Vec<_> = (0..2).map(|_| next_user_id()).map(|owner| (owner, image_key(owner))).collect();
    for (owner, key) in &images {
        let image = ImageRef { store: StoreName::new("file"), key: key.clone() };
        store.reserve(*owner, &image, START, &change()).await.unwrap();
    }
    // A folder stands where this one's file should be.
    std::fs::create_dir_all(folder.path().join("data/images").join(images[0].1.as_str())).unwrap();
    let ended = run(folder.path(), &["purge"], &[]);
    assert_eq!(
        ended.stdout,
        "purging data/roster.db\n50 users deleted for good, who were in the trash for too long\n1 images removed\n"
    );
    ended.failed(1);
}

#[test]
fn a_database_that_is_not_there_is_not_made() {
    let folder = TempDir::new().unwrap();
    let why = run(folder.path(), &["purge"], &[]).failed(2);
    assert!(why.contains("no users in data/roster.db"), "{why}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}
