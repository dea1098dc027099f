//! The embedded database.

use std::path::{Path, PathBuf};

use futures_util::future::{join, join_all};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Setup, TestApp, User, jpeg, refused_start};
use crate::{SignUps, disk, in_time, was_told_once};

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("roster-outage-").tempdir().unwrap()
}

fn file(app: &TestApp) -> PathBuf {
    app.folder().join("data/roster.db")
}

/// What only reads goes on: the program, one's own account, the list.
async fn reads_go_on(app: &TestApp, root: &User) {
    for path in ["/health", &root.path(), "/api/v1/auth/users", "/api/v1/trash/"] {
        in_time(app.get(path).by(root)).await.has(200);
    }
}

/// What writes is refused, whatever it is.
async fn writes_are_refused(app: &TestApp, root: &User, ann: &User) {
    let edit = app.put(&ann.path()).by(ann).json(&json!({"username": "anna"}));
    let log_in = app.post("/api/v1/auth/login");
    let log_in = log_in.json(&json!({"email": ann.email, "password": ann.password}));
    let upload = app.post("/api/v1/profile-upload/").by(ann).file("image", "me.jpg", &jpeg());
    let calls = [edit, log_in, upload, app.delete(&ann.delete_path()).by(root)];
    for answer in join_all(calls.map(in_time)).await {
        answer.has(503);
    }
}

#[tokio::test]
async fn a_full_disk_refuses_what_it_can_not_hold_until_there_is_room_again() {
    if !disk::can_be_had() {
        return;
    }
    let folder = folder();
    let data = folder.path().join("data");
    let app = disk::small(Setup::new(), "8m", &data).start_in(folder).await;
    let root = app.admin().await;
    let mut people = SignUps::default();
    people.more(&app, 20).await;
    assert_eq!(people.refused, 0);

    for _ in 0..2 {
        disk::fill(app.pid(), &data);
        // What the log has room for already is taken.
        while people.more(&app, 20).await < 20 {
            assert!(people.bodies.len() < 5_000, "the disk is full, and all are taken in");
        }
        reads_go_on(&app, &root).await;
        disk::free(app.pid(), &data);
        people.come_back(&app).await;
    }
    people.are_kept(&app).await;
}

#[tokio::test]
async fn a_disk_that_takes_no_writes_any_more_is_read_from_until_it_does_again() {
    let app = disk::refusable(Setup::new()).start().await;
    let (root, ann) = (app.admin().await, app.sign_up("ann").await);
    let mut people = SignUps::default();
    people.more(&app, 5).await;
    assert_eq!(people.refused, 0);

    for _ in 0..2 {
        disk::refuse_writes(&app, true);
        assert_eq!(people.more(&app, 64).await, 64);
        writes_are_refused(&app, &root, &ann).await;
        reads_go_on(&app, &root).await;
        disk::refuse_writes(&app, false);
        people.come_back(&app).await;
    }
    assert!(app.takes(&ann.access, &ann.id).await, "a refused deletion ended a session");
    people.are_kept(&app).await;
    people.are_kept(&app.crash_and_restart().await).await;
}

#[tokio::test]
async fn on_a_disk_that_hangs_writes_are_503_in_time_and_reads_go_on_until_it_works_again() {
    if !disk::can_hang() {
        return;
    }
    let folder = folder();
    let (file, data) = (folder.path().join("disk"), folder.path().join("data"));
    let app = disk::hangable(Setup::new(), &file, &data).start_in(folder).await;
    let (root, ann) = (app.admin().await, app.sign_up("ann").await);
    let mut people = SignUps::default();
    for _ in 0..2 {
        assert_eq!(people.more(&app, 5).await, 0);
        let hanging = disk::Hanging::from_now(&app, &data);
        let (refused, ()) = join(people.more(&app, 64), reads_go_on(&app, &root)).await;
        assert_eq!(refused, 64);
        writes_are_refused(&app, &root, &ann).await;
        reads_go_on(&app, &root).await;

        drop(hanging);
        people.come_back(&app).await;
    }
    was_told_once(&app);
    assert!(app.takes(&ann.access, &ann.id).await, "a refused deletion ended a session");
    people.are_kept(&app).await;
    people.are_kept(&app.crash_and_restart().await).await;
}

#[tokio::test]
async fn on_a_read_only_disk_it_does_not_start() {
    if !disk::can_be_had() {
        return;
    }
    let folder = folder();
    let data = folder.path().join("data");
    let setup = disk::small(Setup::new(), "8m,ro", &data);
    let (code, errors, _) = refused_start(folder.path(), &setup).await;
    assert_eq!((code, errors.len()), (Some(1), 1), "{errors:#?}");
    assert!(errors[0].contains("DATABASE_URL") && errors[0].contains("Read-only"), "{errors:#?}");
}

#[tokio::test]
async fn while_another_process_holds_the_database_writes_are_503_in_time_and_reads_go_on() {
    let app = Setup::new().start().await;
    let (root, ann) = (app.admin().await, app.sign_up("ann").await);
    let other = Connection::open(file(&app)).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut people = SignUps::default();
    // More than wait in one go: those behind must not wait for those before.
    let (refused, ()) = join(people.more(&app, 64), reads_go_on(&app, &root)).await;
    assert_eq!(refused, 64);
    writes_are_refused(&app, &root, &ann).await;
    reads_go_on(&app, &root).await;

    other.execute_batch("ROLLBACK").unwrap();
    people.come_back(&app).await;
    people.are_kept(&app).await;
}

/// Whoever deletes or replaces the file, what would be written then would be gone with the next start.
#[tokio::test]
async fn a_database_that_was_moved_or_replaced_is_not_written_to_until_it_is_back() {
    let app = Setup::new().start().await;
    let (root, ann) = (app.admin().await, app.sign_up("ann").await);
    let mut people = SignUps::default();
    people.more(&app, 5).await;
    assert_eq!(people.refused, 0);
    let (place, elsewhere) = (file(&app), app.folder().join("elsewhere.db"));

    std::fs::rename(&place, &elsewhere).unwrap();
    assert_eq!(people.more(&app, 20).await, 20);
    writes_are_refused(&app, &root, &ann).await;
    in_time(app.get("/health")).await.has(200);
    in_time(app.get("/health/ready")).await.has(503);
    std::fs::copy(&elsewhere, &place).unwrap();
    assert_eq!(people.more(&app, 20).await, 20, "it is another file");
    std::fs::rename(&elsewhere, &place).unwrap();

    people.come_back(&app).await;
    people.are_kept(&app).await;
    people.are_kept(&app.crash_and_restart().await).await;
}

#[tokio::test]
async fn a_log_that_was_deleted_under_it_costs_nothing_that_was_acknowledged() {
    let app = Setup::new().start().await;
    let mut people = SignUps::default();
    people.more(&app, 5).await;
    assert_eq!(people.refused, 0);
    std::fs::remove_file(with_suffix(&file(&app), "-wal")).unwrap();
    assert_eq!(people.more(&app, 5).await, 5);
    // It still has the log open, and folds it into the file where it stops in good order.
    let app = app.restart().await;
    people.come_back(&app).await;
    people.are_kept(&app).await;
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

#[tokio::test]
async fn a_newer_roster_that_comes_meanwhile_ends_all_writing_and_reads_go_on() {
    let app = Setup::new().on_sqlite().start().await;
    let (root, ann) = (app.admin().await, app.sign_up("ann").await);
    let newer = Connection::open(file(&app)).unwrap();
    let known: u32 =
        newer.query_row("SELECT user_version FROM pragma_user_version", [], |row| row.get(0)).unwrap();
    newer.pragma_update(None, "user_version", known + 1).unwrap();
    writes_are_refused(&app, &root, &ann).await;
    reads_go_on(&app, &root).await;
    app.get("/health/ready").await.has(503);
    was_told_once(&app);
    let error = "a newer Roster has brought the file to schema version";
    assert!(app.log().lines.iter().any(|line| line.contains("outage begins") && line.contains(error)));
}
