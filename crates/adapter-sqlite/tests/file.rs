//! The file itself: how it is made, refused, opened again and shared.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Barrier};

use roster_adapter_sqlite::{OpenError, SqliteStore};
use roster_domain::ports::{Accounts, CreateError, Directory, Sessions, Store as _, UserQuery};
use roster_domain_testkit::fixtures::{change, new_user, page};
use tokio::task::JoinSet;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

async fn total(store: &SqliteStore) -> u64 {
    store.list(&UserQuery { search: None, page: page(1, 10) }).await.expect("a page").total
}

#[tokio::test]
async fn folder_and_files_are_made_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("var/data");
    let store = SqliteStore::open(&data.join("roster.db")).unwrap();
    store.create(&new_user("ann"), &change()).await.unwrap();
    assert_eq!((mode(&folder.path().join("var")), mode(&data)), (0o700, 0o700));
    for file in ["roster.db", "roster.db-wal", "roster.db-shm"] {
        assert_eq!(mode(&data.join(file)), 0o600, "{file}");
    }
}

#[tokio::test]
async fn what_was_written_is_there_when_the_file_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roster.db");
    let ann = new_user("ann");
    let store = SqliteStore::open(&file).unwrap();
    store.create(&ann, &change()).await.unwrap();
    drop(store);
    assert!(!folder.path().join("roster.db-wal").exists(), "closing folds the log into the file");

    let store = SqliteStore::open(&file).unwrap();
    let credentials = store.credentials(&ann.email).await.unwrap().unwrap();
    assert_eq!((credentials.user_id, total(&store).await), (ann.id, 1));
}

#[tokio::test]
async fn a_probe_tells_a_file_that_was_moved_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (file, elsewhere) = (folder.path().join("roster.db"), folder.path().join("elsewhere"));
    let store = SqliteStore::open(&file).unwrap();
    store.probe().await.unwrap();
    std::fs::rename(&file, &elsewhere).unwrap();
    let cause = store.probe().await.unwrap_err().source.to_string();
    assert!(cause.contains("was deleted or replaced"), "{cause}");
    std::fs::rename(&elsewhere, &file).unwrap();
    store.probe().await.unwrap();
}

#[test]
fn a_folder_that_can_not_be_made_is_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data"), "a file").unwrap();
    let data = folder.path().join("data/deep");
    let error = SqliteStore::open(&data.join("roster.db")).err().unwrap();
    assert!(matches!(&error, OpenError::Folder { folder, .. } if *folder == data), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("can't make the folder {}: ", data.display())), "{text}");
}

#[test]
fn a_folder_in_the_place_of_the_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let error = SqliteStore::open(folder.path()).err().unwrap();
    assert!(matches!(error, OpenError::File { .. }), "{error:?}");
}

#[test]
fn a_file_that_is_no_database_is_told_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    let notes = "Remember the milk. ".repeat(1000);
    std::fs::write(&file, &notes).unwrap();
    let error = SqliteStore::open(&file).err().unwrap();
    assert!(matches!(error, OpenError::NotOurs { .. }), "{error:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), notes);
}

#[tokio::test]
async fn processes_that_make_the_file_at_once_share_it() {
    const PROCESSES: usize = 8;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roster.db");
    let start = Arc::new(Barrier::new(PROCESSES));
    let openers: Vec<_> = (0..PROCESSES)
        .map(|_| {
            let (start, file) = (Arc::clone(&start), file.clone());
            std::thread::spawn(move || {
                start.wait();
                SqliteStore::open(&file).unwrap()
            })
        })
        .collect();
    let stores: Vec<_> = openers.into_iter().map(|opener| opener.join().unwrap()).collect();
    for (number, store) in stores.iter().enumerate() {
        store.create(&new_user(&format!("user{number}")), &change()).await.unwrap();
    }
    for store in &stores {
        assert_eq!(total(store).await, PROCESSES as u64);
    }
}

#[tokio::test]
async fn two_processes_that_write_at_once_lose_nothing_and_agree_on_names() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roster.db");
    let stores = [(); 2].map(|()| Arc::new(SqliteStore::open(&file).unwrap()));
    let mut writes = JoinSet::new();
    for number in 0..100 {
        for store in &stores {
            // Both ask for the same name, under ids that interleave.
            let (store, user) = (Arc::clone(store), new_user(&format!("user{number}")));
            writes.spawn(async move { (user.id, store.create(&user, &change()).await) });
        }
    }
    let mut created = BTreeSet::new();
    while let Some(write) = writes.join_next().await {
        match write.unwrap() {
            (id, Ok(())) => assert!(created.insert(id)),
            (_, Err(CreateError::EmailTaken)) => {}
            (_, Err(error)) => panic!("{error:?}"),
        }
    }
    assert_eq!(created.len(), 100);
    let created: Vec<_> = created.into_iter().collect();
    for store in &stores {
        let listed = store.list(&UserQuery { search: None, page: page(1, 100) }).await.unwrap();
        assert_eq!(listed.total, 100);
        assert_eq!(listed.items.iter().map(|user| user.id).collect::<Vec<_>>(), created);
    }
}

#[tokio::test]
async fn a_file_that_was_moved_or_replaced_is_not_written_to_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["roster.db", "roster.db-wal"] {
        let store = SqliteStore::open(&folder.path().join("roster.db")).unwrap();
        let (ann, ben) = (new_user(&format!("ann of {name}")), new_user(&format!("ben of {name}")));
        store.create(&ann, &change()).await.unwrap();
        let (place, elsewhere) = (folder.path().join(name), folder.path().join("elsewhere"));

        std::fs::rename(&place, &elsewhere).unwrap();
        let gone = store.create(&ben, &change()).await.unwrap_err();
        assert!(matches!(gone, CreateError::Unavailable(_)), "{gone:?}");
        std::fs::copy(&elsewhere, &place).unwrap();
        let another = store.create(&ben, &change()).await.unwrap_err();
        assert!(matches!(another, CreateError::Unavailable(_)), "{another:?}");

        std::fs::rename(&elsewhere, &place).unwrap();
        store.create(&ben, &change()).await.unwrap();
        drop(store);
        let store = SqliteStore::open(&folder.path().join("roster.db")).unwrap();
        for user in [&ann, &ben] {
            assert!(store.credentials(&user.email).await.unwrap().is_some(), "{}", user.username.as_str());
        }
    }
}

#[tokio::test]
async fn an_examination_tells_what_an_opening_would_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("roster.db");
    assert!(matches!(SqliteStore::examine(&file), Err(OpenError::File { .. })));
    assert!(!file.exists());

    std::fs::write(&file, "no database at all, but a text that is long enough to have a header").unwrap();
    assert!(matches!(SqliteStore::examine(&file), Err(OpenError::NotOurs { .. })));
    std::fs::remove_file(&file).unwrap();

    std::fs::write(&file, "").unwrap();
    assert!(!SqliteStore::examine(&file).unwrap());
    assert_eq!(std::fs::read(&file).unwrap(), b"");

    let store = SqliteStore::open(&file).unwrap();
    assert!(!SqliteStore::examine(&file).unwrap());
    store.create(&new_user("ann"), &change()).await.unwrap();
    drop(store);
    let before = std::fs::read(&file).unwrap();
    assert!(SqliteStore::examine(&file).unwrap());
    assert!(std::fs::read(&file).unwrap() == before);
}
