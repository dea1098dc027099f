use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;

use roster_adapter_sqlite::SqliteStore;
use roster_test_s3::TestS3;
use tempfile::TempDir;

use crate::harness::Setup;
use crate::program::{Ended, run};

/// What it says, of any free port where none is given.
fn check(folder: &TempDir, variables: &[(&str, &str)]) -> Ended {
    run(folder.path(), &["check"], &[&[("PORT", "0")], variables].concat())
}

/// The line on that thing.
#[track_caller]
fn line<'a>(ended: &'a Ended, what: &str) -> &'a str {
    let found = ended.stdout.lines().find(|line| line[7..].starts_with(&format!("{what}: ")));
    found.unwrap_or_else(|| panic!("{what} is missing in {ended:?}"))
}

#[test]
fn out_of_the_box_nothing_is_wrong_and_nothing_is_made() {
    let folder = TempDir::new().unwrap();
    let ended = check(&folder, &[]);
    for what in ["database", "images", "signing key"] {
        assert!(line(&ended, what).starts_with("good ") && line(&ended, what).contains("not there yet"));
    }
    assert!(line(&ended, "admins").starts_with("good ") && line(&ended, "admins").contains("bootstrap"));
    assert!(line(&ended, "clients").contains("TRUSTED_PROXIES"));
    ended.done();
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn where_the_service_has_run_it_says_what_is_there() {
    let folder = TempDir::new().unwrap();
    drop(SqliteStore::open(&folder.path().join("data/roster.db")).unwrap());
    let ended = check(&folder, &[("ADMIN_SIGNUP", "closed")]);
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
    let ended = check(&folder, &variables);
    assert!(line(&ended, "database").starts_with("wrong  database: can't open"), "{ended:?}");
    assert!(line(&ended, "images").starts_with("wrong "), "{ended:?}");
    assert!(line(&ended, "uploads to S3").starts_with("wrong "), "{ended:?}");
    let why = ended.failed(1);
    assert!(why.contains("3 of 8 are wrong"), "{why}");
}

#[test]
fn a_bucket_that_is_there_is_good_and_one_that_is_not_is_wrong() {
    let folder = TempDir::new().unwrap();
    for path in ["", "/storage/v1"] {
        let s3 = TestS3::start_below(path);
        let (config, url) = (s3.config(), s3.url());
        let variables = [
            ("IMAGES_URL", "s3://images/faces"),
            ("AWS_ENDPOINT_URL_S3", url.as_str()),
            ("AWS_ACCESS_KEY_ID", config.access_key_id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", config.secret_access_key.as_str()),
        ];
        let ended = check(&folder, &variables);
        let good = format!("good   images: s3://images/faces at {url}");
        assert_eq!(line(&ended, "images"), good);
        ended.done();
        assert!(s3.objects().is_empty());
        s3.remove_bucket();
        let ended = check(&folder, &variables);
        let line = line(&ended, "images");
        assert!(line.starts_with("wrong ") && line.contains("NoSuchBucket"), "{line}");
        ended.failed(1);
    }
}

#[test]
fn a_setting_that_can_not_be_right_is_exit_code_2() {
    let folder = TempDir::new().unwrap();
    let ended = check(&folder, &[("HOST", "0.0.0.0"), ("SECRET_KEY", "secret")]);
    assert!(line(&ended, "settings").contains("SECRET_KEY"), "{ended:?}");
    ended.failed(2);
    let mongodb = [("DATABASE_URL", "mongodb://localhost:99999/"), ("SECRET_KEY", "a key of the tests")];
    let ended = check(&folder, &mongodb);
    assert!(line(&ended, "database").starts_with("wrong "), "{ended:?}");
    ended.failed(2);
}

#[test]
fn every_setting_that_can_not_be_right_is_told() {
    let folder = TempDir::new().unwrap();
    let variables = [
        ("PORT", "many"),
        ("DATABASE_URL", "postgres://localhost"),
        ("S3_BUCKET", "NO/bucket"),
        ("S3_PUBLIC_URL", "https://cdn.example"),
        ("BCRYPT_COST", "99"),
        ("LOG_FORMAT", "xml"),
        // Right by itself.
        ("ADMIN_SIGNUP", "closed"),
    ];
    let ended = run(folder.path(), &["check"], &variables);
    let told: Vec<_> = ended.stdout.lines().collect();
    let wrong = ["PORT", "DATABASE_URL", "S3_BUCKET", "BCRYPT_COST", "LOG_FORMAT"];
    for name in wrong {
        assert!(
            told.iter().any(|line| line.starts_with(&format!("wrong  settings: {name} "))),
            "{name}: {told:#?}"
        );
    }
    assert_eq!(told.len(), wrong.len(), "{told:#?}");
    ended.failed(2);
}

#[test]
fn a_name_in_the_file_of_settings_that_is_none_is_told() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join(".env"), "ADMIN_SIGNUP=closed\nADMIN_SIGN_UP=open\nS3BUCKET=images\n")
        .unwrap();
    let ended = check(&folder, &[]);
    let line = line(&ended, "settings");
    assert!(line.starts_with("risky ") && line.ends_with(": ADMIN_SIGN_UP, S3BUCKET"), "{line}");
    ended.done();
}

#[test]
fn what_the_service_warns_of_at_its_start_is_risky() {
    let folder = TempDir::new().unwrap();
    let variables = [
        ("HOST", "0.0.0.0"),
        ("METRICS_ADDRESS", "0.0.0.0:0"),
        ("ADMIN_SIGNUP", "open"),
        ("PUBLIC_IMAGES", "on"),
        ("S3_BUCKET", "images"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("SECRET_KEY", "kR7-vq9ZpX2mWcL4tYh8bN6sD3fGj1aE"),
    ];
    let ended = check(&folder, &variables);
    for what in ["reach", "metrics", "admins", "public images"] {
        assert!(line(&ended, what).starts_with("risky "), "{what}: {ended:?}");
    }
}

#[test]
fn an_address_that_another_program_has_is_wrong() {
    let folder = TempDir::new().unwrap();
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [service, metrics] = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    // Whoever asks there gets no answer.
    let [asked, _metrics] = listeners;
    thread::spawn(move || asked.incoming().for_each(drop));
    let port = service.port().to_string();
    let ended = check(&folder, &[("PORT", &port), ("METRICS_ADDRESS", &metrics.to_string())]);
    for what in ["reach", "metrics"] {
        let line = line(&ended, what);
        assert!(line.starts_with("wrong ") && line.contains("Address already in use"), "{ended:?}");
    }
    ended.failed(1);

    let ended = check(&folder, &[("HOST", "192.0.2.1"), ("ADMIN_SIGNUP", "closed")]);
    assert!(line(&ended, "reach").contains("can't listen there"), "{ended:?}");
    ended.failed(1);
}

#[tokio::test]
async fn the_addresses_of_a_service_that_runs_are_good() {
    let app = Setup::new().start().await;
    let folder = TempDir::new().unwrap();
    let port = app.address().port().to_string();
    let ended = check(&folder, &[("PORT", &port)]);
    let said = format!("good   reach: this machine alone, at 127.0.0.1, port {port}; a service runs there");
    assert_eq!(line(&ended, "reach"), said);
    ended.done();
}

#[test]
fn a_previous_key_that_can_be_guessed_is_told_without_showing_it() {
    let folder = TempDir::new().unwrap();
    for (key, risk) in [
        ("sh0rt-0ne", "others may forge tokens: SECRET_KEY_PREVIOUS has 9 bytes of the 32 that it needs"),
        ("kR7-vq9ZpX2mWcL4tYh8bN6sD3fGj1aE", "SECRET_KEY_PREVIOUS is accepted too"),
    ] {
        let ended = check(&folder, &[("SECRET_KEY_PREVIOUS", key)]);
        let line = line(&ended, "previous key");
        assert!(line.starts_with("risky ") && line.contains(risk) && !line.contains(key), "{line}");
        ended.done();
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn files_that_others_may_read_are_told() {
    let folder = TempDir::new().unwrap();
    set_mode(folder.path(), 0o755);
    let data = folder.path().join("data");
    let (file, log, key) = (data.join("roster.db"), data.join("roster.db-wal"), data.join("secret_key"));
    // It stays open, so that there is a log.
    let store = SqliteStore::open(&file).unwrap();
    set_mode(&data, 0o755);
    let is_told = |path: &Path, line: &str| line.contains(&format!("{}`", path.display()));
    let found = |what| line(&check(&folder, &[]), what).to_owned();
    assert_eq!(found("database"), "good   database: data/roster.db");

    set_mode(&log, 0o640);
    let line = found("database");
    assert!(line.starts_with("risky ") && line.contains("other users") && is_told(&log, &line), "{line}");
    set_mode(&log, 0o600);
    set_mode(&file, 0o604);
    let line = found("database");
    assert!(line.starts_with("risky ") && is_told(&file, &line), "{line}");
    // Whose folder they may not enter they can't read.
    set_mode(&data, 0o700);
    assert_eq!(found("database"), "good   database: data/roster.db");
    drop(store);

    // The service would not start with it.
    fs::write(&key, "kR7-vq9ZpX2mWcL4tYh8bN6sD3fGj1aE\n").unwrap();
    set_mode(&key, 0o640);
    let line = found("signing key");
    assert!(line.starts_with("wrong ") && line.contains("others may read the signing key"), "{line}");
}
