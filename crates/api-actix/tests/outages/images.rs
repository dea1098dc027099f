//! The folder of images, and the one for temporary files.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

use crate::harness::{PATIENCE, Setup, TestApp, User, eventually, jpeg};
use crate::{SignUps, disk, in_time, nothing_panicked, told};

fn folder() -> TempDir {
    tempfile::Builder::new().prefix("roster-outage-").tempdir().unwrap()
}

async fn upload(app: &TestApp, user: &User) -> u16 {
    in_time(app.post("/api/v1/profile-upload/").by(user).file("image", "me.jpg", &jpeg())).await.status
}

/// Users go on without images; and with them once the cause has gone.
async fn only_uploads_are_refused(app: &TestApp, ann: &User) {
    for _ in 0..3 {
        assert_eq!(upload(app, ann).await, 503);
    }
    let mut people = SignUps::default();
    assert_eq!(people.more(app, 5).await, 0);
}

async fn uploads_come_back(app: &TestApp, ann: &User) {
    let back = timeout(PATIENCE, async { while upload(app, ann).await != 200 {} }).await;
    assert!(back.is_ok(), "the cause has gone, and no image is taken");
    nothing_panicked(app);
}

#[tokio::test]
async fn a_full_folder_of_images_refuses_uploads_alone_and_keeps_no_halves() {
    if !disk::can_be_had() {
        return;
    }
    let folder = folder();
    let images = folder.path().join("images");
    let setup = Setup::new().set("IMAGES_URL", &format!("file://{}", images.display()));
    let app = disk::small(setup, "1m", &images).start_in(folder).await;
    let ann = app.sign_up("ann").await;
    assert_eq!(upload(&app, &ann).await, 200);

    disk::fill(app.pid(), &images);
    only_uploads_are_refused(&app, &ann).await;
    assert_eq!(disk::files(&app, &images.join(".tmp")), "", "a half image is left");
    disk::free(app.pid(), &images);
    uploads_come_back(&app, &ann).await;
}

#[tokio::test]
async fn a_full_folder_for_temporary_files_refuses_uploads_alone() {
    if !disk::can_be_had() {
        return;
    }
    let folder = folder();
    let temporary = folder.path().join("temporary");
    let setup = Setup::new().set("TMPDIR", temporary.to_str().unwrap());
    let app = disk::small(setup, "1m", &temporary).start_in(folder).await;
    let ann = app.sign_up("ann").await;
    disk::fill(app.pid(), &temporary);
    only_uploads_are_refused(&app, &ann).await;
    disk::free(app.pid(), &temporary);
    uploads_come_back(&app, &ann).await;
}

#[tokio::test]
async fn a_folder_of_images_that_is_gone_refuses_uploads_and_forgets_no_removal_until_it_is_back() {
    let app = TestApp::start().await;
    let (root, ann, ben) = (app.admin().await, app.sign_up("ann").await, app.sign_up("ben").await);
    assert_eq!((upload(&app, &ann).await, upload(&app, &ben).await), (200, 200));
    let (place, elsewhere) = (app.folder().join("data/images"), app.folder().join("elsewhere"));

    std::fs::rename(&place, &elsewhere).unwrap();
    only_uploads_are_refused(&app, &ann).await;
    app.trash(&root, &[&ben]).await;
    in_time(app.delete(&ben.purge_path()).by(&root)).await.has(204);
    assert!(!place.exists(), "another is not made: what is put into it would be hidden by the old one");

    copy(&elsewhere, &place);
    uploads_come_back(&app, &ann).await;
    eventually("the purged user's image is gone", || !place.join(&ben.id).exists()).await;
    assert_eq!(app.images().len(), 1, "{:?}", app.images());
}

#[tokio::test]
async fn an_outage_of_images_is_told_once_and_is_over_by_images_alone() {
    /// For how long nothing has to have failed before an outage can be over, and a little more.
    const QUIET: Duration = Duration::from_secs(11);
    let app = TestApp::start().await;
    let ann = app.sign_up("ann").await;
    let (place, elsewhere) = (app.folder().join("data/images"), app.folder().join("elsewhere"));
    std::fs::rename(&place, &elsewhere).unwrap();
    assert_eq!(upload(&app, &ann).await, 503);
    let failed = Instant::now();
    let mut people = SignUps::default();
    while failed.elapsed() < QUIET {
        assert_eq!(people.more(&app, 1).await, 0);
        in_time(app.get(&ann.path()).by(&ann)).await.has(200);
    }
    assert_eq!(upload(&app, &ann).await, 503);

    std::fs::rename(&elsewhere, &place).unwrap();
    let over = async {
        while told(&app, "outage over").is_empty() {
            assert_eq!(upload(&app, &ann).await, 200);
        }
    };
    assert!(timeout(PATIENCE, over).await.is_ok(), "the cause has gone, and nothing says so");
    let (begun, over) = (told(&app, "outage begins"), told(&app, "outage over"));
    assert_eq!((begun.len(), over.len()), (1, 1), "{begun:#?} {over:#?}");
    assert_eq!((&over[0]["cause"], &over[0]["failures"]), (&json!("image folder"), &json!(2)));
    assert!(over[0]["seconds"].as_u64().unwrap() >= 2 * QUIET.as_secs() - 2, "{over:#?}");
}

/// As from a backup: the same files, but others.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
