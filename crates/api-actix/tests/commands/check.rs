use std::fs;

use roster_adapter_sqlite::SqliteStore;
use roster_test_s3::TestS3;
use tempfile::TempDir;

use crate::program::{Ended, run};

/// The line on that thing.
#[track_caller]
fn line<'a>(ended: &'a Ended, what: &str) -> &'a str {
    let found = ended.stdout.lines().find(|line| line[7..].starts_with(&format!("{what}: ")));
    found.unwrap_or_else(|| panic!("{what} is missing in {ended:?}"))
}

#[test]
fn out_of_the_box_nothing_is_wrong_and_nothing_is_made() {
    let folder = TempDir::new().unwrap();
    let ended = run(folder.path(), &["check"], &[]);
    for what in ["database", "images", "signing key"] {
        assert!(line(&ended, what).starts_with("good ") && line(&ended, what).contains("not there yet"));
    }
    assert!(line(&ended, "admins").starts_with("risky "));
    ended.done();
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn where_the_service_has_run_it_says_what_is_there() {
    let folder = TempDir::new().unwrap();
    drop(SqliteStore::open(&folder.path().join("data/roster.db")).unwrap());
    let ended = run(folder.path(), &["check"], &[("ADMIN_SIGNUP", "closed")]);
    assert_eq!(line(&ended, "database"), "good   database: data/roster.db");
    assert!(line(&ended, "admins").starts_with("good "));
    ended.done();
}

#[test]
fn what_does_not_work_is_told_line_by_line_and_is_exit_code_1() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("file"), "not a database, and long enough to have a header").unwrap();
    let s3 = TestS3::start();
    let (config, url) = (s3.config(), s3.url());
    let variables = [
        ("DATABASE_URL", "sqlite://file"),
        ("IMAGES_URL", "file://file/images"),
        ("S3_BUCKET", "nowhere"),
        ("AWS_ENDPOINT_URL_S3", url.as_str()),
        ("AWS_ACCESS_KEY_ID", config.access_key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", config.secret_access_key.as_str()),
    ];
    let ended = run(folder.path(), &["check"], &variables);
    assert!(line(&ended, "database").starts_with("wrong  database: can't open"), "{ended:?}");
    assert!(line(&ended, "images").starts_with("wrong "), "{ended:?}");
    assert!(line(&ended, "uploads to S3").starts_with("wrong "), "{ended:?}");
    let why = ended.failed(1);
    assert!(why.contains("3 of 7 are wrong"), "{why}");
}

#[test]
fn a_bucket_that_is_there_is_good() {
    let folder = TempDir::new().unwrap();
    let s3 = TestS3::start();
    let (config, url) = (s3.config(), s3.url());
    let variables = [
        ("IMAGES_URL", "s3://images/faces"),
        ("AWS_ENDPOINT_URL_S3", url.as_str()),
        ("AWS_ACCESS_KEY_ID", config.access_key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", config.secret_access_key.as_str()),
    ];
    let ended = run(folder.path(), &["check"], &variables);
    assert!(line(&ended, "images").starts_with("good   images: s3://images/faces at http://"), "{ended:?}");
    ended.done();
    assert!(s3.objects().is_empty());
}

#[test]
fn a_setting_that_can_not_be_right_is_exit_code_2() {
    let folder = TempDir::new().unwrap();
    let why = run(folder.path(), &["check"], &[("HOST", "0.0.0.0")]).failed(2);
    assert!(why.contains("ADMIN_SIGNUP"), "{why}");
    let mongodb = [("DATABASE_URL", "mongodb://localhost:99999/"), ("SECRET_KEY", "a key of the tests")];
    let ended = run(folder.path(), &["check"], &mongodb);
    assert!(line(&ended, "database").starts_with("wrong "), "{ended:?}");
    ended.failed(2);
}
