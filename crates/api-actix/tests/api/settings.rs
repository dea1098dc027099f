//! Settings: what is refused, and where they come from.

use std::fs;
use std::path::Path;

use rstest::rstest;

use crate::harness::{SECRET_KEY, Setup, TestApp, mode, not_authenticated, refused_start};
use serde_json::json;

/// Must refuse to start, with one line on stderr that names this variable; returns that line.
async fn refuses(setup: Setup, variable: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    refuses_in(folder.path(), setup, variable).await
}

async fn refuses_in(folder: &Path, setup: Setup, variable: &str) -> String {
    let (code, errors, all) = refused_start(folder, &setup).await;
    assert_eq!(code, Some(2), "{all:#?}");
    assert_eq!(errors.len(), 1, "one line says what is wrong: {errors:#?}");
    assert!(errors[0].contains(variable), "{variable} is not named: {}", errors[0]);
    errors[0].clone()
}

#[rstest]
#[case("HOST", "not a host")]
#[case("HOST", "127.0.0.1:8000")]
#[case("PORT", "http")]
#[case("PORT", "65536")]
#[case("PORT", "-1")]
#[case("DATABASE_URL", "mysql://localhost/roster")]
#[case("DATABASE_URL", "data/roster.db")]
#[case("DATABASE_URL", "sqlite://")]
#[case("IMAGES_URL", "ftp://localhost/images")]
#[case("IMAGES_URL", "images")]
#[case("IMAGES_URL", "file://")]
#[case("ALGORITHM", "RS256")]
#[case("ALGORITHM", "none")]
#[case("ADMIN_SIGNUP", "maybe")]
#[case("CORS_ORIGINS", "app.example.org")]
#[case("CORS_ORIGINS", "*")]
#[case("CORS_ORIGINS", "https://app.example.org/path")]
#[case("CORS_ORIGINS", "https://app.example.org,nonsense")]
#[case("BCRYPT_COST", "3")]
#[case("BCRYPT_COST", "17")]
#[case("BCRYPT_COST", "ten")]
#[case("HASH_QUEUE", "many")]
#[case("HASH_QUEUE", "-1")]
#[case("HASH_DEADLINE_SECONDS", "0")]
#[case("HASH_DEADLINE_SECONDS", "soon")]
#[case("TRASH_RETENTION_DAYS", "0")]
#[case("TRASH_RETENTION_DAYS", "-1")]
#[case("TRASH_RETENTION_DAYS", "1.5")]
#[case("TRASH_RETENTION_DAYS", "99999999999999999999")]
#[case("LOG_LEVEL", "loud")]
#[case("LOG_FORMAT", "xml")]
#[tokio::test]
async fn a_setting_that_cannot_be_right_stops_the_start_with_its_name(
    #[case] variable: &str,
    #[case] value: &str,
) {
    let line = refuses(Setup::new().set(variable, value), variable).await;
    assert!(line.len() > variable.len() + 20, "it says what would be right: {line}");
}

#[tokio::test]
async fn what_is_no_mongodb_url_is_refused_in_plain_words_without_its_password() {
    for url in ["mongodb://admin:s3cret@", "mongodb://admin:s3cret@localhost:notaport/"] {
        let line = refuses(Setup::new().set("DATABASE_URL", url), "DATABASE_URL").await;
        assert!(line.contains("MongoDB") && !line.contains("s3cret"), "{line}");
    }
}

#[tokio::test]
async fn on_a_mongodb_a_key_has_to_be_given() {
    let setup = Setup::new().set("DATABASE_URL", "mongodb://localhost/").set("SECRET_KEY", "");
    let line = refuses(setup, "SECRET_KEY").await;
    assert!(line.contains("same key"), "{line}");
}

#[tokio::test]
async fn s3_on_aws_wants_a_region_and_no_metadata_service_is_asked_for_it() {
    for name in ["S3_BUCKET", "IMAGES_URL"] {
        let value = if name == "S3_BUCKET" { "bucket" } else { "s3://bucket/prefix" };
        let line = refuses(Setup::new().set(name, value), "AWS_REGION").await;
        assert!(line.contains("eu-central-1"), "{line}");
    }
}

#[tokio::test]
async fn half_a_key_of_s3_is_refused_without_being_shown() {
    let setup = Setup::new().set("S3_BUCKET", "bucket").set("AWS_REGION", "eu-central-1");
    let line = refuses(setup.set("AWS_SECRET_ACCESS_KEY", "hunter2"), "AWS_ACCESS_KEY_ID").await;
    assert!(!line.contains("hunter2"), "{line}");
}

#[tokio::test]
async fn on_every_address_the_first_admin_alone_needs_nobody() {
    for host in ["127.0.0.1", "0.0.0.0"] {
        let app = Setup::new().set("HOST", host).unset("ADMIN_SIGNUP").start().await;
        app.post("/api/v1/auth/admin/signup")
            .json(&json!({"email": "ann@example.org", "username": "ann", "password": "x"}))
            .await
            .has(201);
        app.post("/api/v1/auth/admin/signup")
            .json(&json!({"email": "bob@example.org", "username": "bob", "password": "x"}))
            .await
            .has(401);
    }
}

#[rstest]
#[case("testsecretkey")]
#[case("secret")]
#[case("0123456789012345678901234567890")]
#[tokio::test]
async fn on_every_address_it_wants_a_key_that_cannot_be_guessed(#[case] key: &str) {
    let setup = Setup::new().set("HOST", "0.0.0.0").set("ADMIN_SIGNUP", "closed").set("SECRET_KEY", key);
    let line = refuses(setup, "SECRET_KEY").await;
    assert!(!line.contains(key), "the key is shown: {line}");
}

#[tokio::test]
async fn on_every_address_it_starts_with_a_good_key_and_a_policy() {
    let app = Setup::new().set("HOST", "0.0.0.0").set("ADMIN_SIGNUP", "closed").start().await;
    assert_ne!(app.address().port(), 0);
    app.sign_up("ann").await;
}

#[tokio::test]
async fn on_loopback_a_weak_key_is_taken_with_a_warning() {
    let app = Setup::new().set("SECRET_KEY", "testsecretkey").start().await;
    app.sign_up("ann").await;
    let warned =
        app.log().events().any(|event| event["level"] == "WARN" && event.to_string().contains("SECRET_KEY"));
    assert!(warned, "{:#?}", app.log().lines);
    assert!(!app.log().lines.iter().any(|line| line.contains("testsecretkey")), "{:#?}", app.log().lines);
}

#[tokio::test]
async fn it_listens_on_loopback_alone_out_of_the_box() {
    let app = TestApp::start().await;
    assert!(app.address().ip().is_loopback());
}

#[tokio::test]
async fn the_address_is_a_field_of_the_log_line_that_tells_it() {
    let app = TestApp::start().await;
    let address = format!("http://{}", app.address());
    let log = app.log();
    let event = log.events().find(|event| event.to_string().contains("listening on")).unwrap();
    let field = event.get("address").or_else(|| event["fields"].get("address")).unwrap();
    assert!(field == &json!(address) || field == &json!(app.address().to_string()), "{event}");
}

#[tokio::test]
async fn a_port_that_is_taken_stops_the_start_in_one_line() {
    let first = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup::new().set("PORT", &first.address().port().to_string());
    let (code, errors, all) = refused_start(folder.path(), &setup).await;
    assert!(code.is_some_and(|code| code != 0), "{all:#?}");
    assert!(
        all.iter().any(|line| line.contains("PORT") || line.contains(&first.address().port().to_string())),
        "{errors:#?}"
    );
    assert!(!all.iter().any(|line| line.contains("panicked")), "{all:#?}");
}

#[tokio::test]
async fn an_empty_variable_is_one_that_is_not_set() {
    let names = [
        "HOST",
        "DATABASE_URL",
        "DB_NAME",
        "IMAGES_URL",
        "S3_BUCKET",
        "S3_PUBLIC_URL",
        "ALGORITHM",
        "SECRET_KEY",
        "SECRET_KEY_PREVIOUS",
        "ADMIN_SIGNUP",
        "CORS_ORIGINS",
        "HASH_QUEUE",
        "HASH_DEADLINE_SECONDS",
        "TRASH_RETENTION_DAYS",
        "LOG_LEVEL",
        "TEST_DATABASE_URL",
        "AWS_REGION",
    ];
    let setup = names.into_iter().fold(Setup::new().on_sqlite(), |setup, name| setup.set(name, ""));
    setup.start().await.sign_up("ann").await;
}

fn folder_with_env(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".env"), text).unwrap();
    folder
}

#[tokio::test]
async fn settings_are_read_from_a_file() {
    let folder = folder_with_env("# a comment\nADMIN_SIGNUP=closed\nTRASH_RETENTION_DAYS=\"7\"\n");
    let app = Setup::new().unset("ADMIN_SIGNUP").start_in(folder).await;
    app.post("/api/v1/auth/admin/signup").json(&json!({})).await.is(401, not_authenticated());
}

#[tokio::test]
async fn a_variable_overrides_the_file() {
    let folder = folder_with_env("ADMIN_SIGNUP=closed\nBCRYPT_COST=99\n");
    let app = Setup::new().set("ADMIN_SIGNUP", "open").start_in(folder).await;
    app.admin().await;
}

#[tokio::test]
async fn a_wrong_setting_in_the_file_stops_the_start_as_well() {
    let folder = folder_with_env("TRASH_RETENTION_DAYS=never\n");
    refuses_in(folder.path(), Setup::new(), "TRASH_RETENTION_DAYS").await;
}

#[tokio::test]
async fn the_example_file_starts_as_it_is() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.env_example");
    let folder = tempfile::tempdir().unwrap();
    fs::copy(example, folder.path().join(".env")).unwrap();
    // Nothing but a port of its own, so that it can run beside others.
    let setup = Setup::new().on_sqlite().unset("BCRYPT_COST").unset("SECRET_KEY");
    let app = setup.start_in(folder).await;
    app.admin().await;
}

#[tokio::test]
async fn without_a_key_it_makes_one_beside_its_data_and_keeps_it() {
    let app = Setup::new().on_sqlite().unset("SECRET_KEY").start().await;
    let ann = app.sign_up("ann").await;
    let path = app.folder().join("data/secret_key");
    let key = fs::read(&path).unwrap();
    assert!(key.len() >= 32, "{} bytes", key.len());
    assert_eq!(mode(&path), 0o600);
    let text = String::from_utf8_lossy(&key).trim().to_owned();
    assert!(!app.log().lines.iter().any(|line| line.contains(&text)));
    let app = app.restart().await;
    assert_eq!(fs::read(&path).unwrap(), key);
    assert!(app.takes(&ann.access, &ann.id).await);
    let other = Setup::new().on_sqlite().unset("SECRET_KEY").start().await;
    assert_ne!(fs::read(other.folder().join("data/secret_key")).unwrap(), key);
}

#[tokio::test]
async fn a_key_that_is_set_is_used_and_written_nowhere() {
    let app = TestApp::start().await;
    app.sign_up("ann").await;
    for entry in fs::read_dir(app.folder().join("data")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let content = fs::read(&path).unwrap();
            let key = SECRET_KEY.as_bytes();
            assert!(!content.windows(key.len()).any(|window| window == key), "{}", path.display());
        }
    }
}

#[tokio::test]
async fn the_database_is_readable_for_the_service_alone() {
    let app = TestApp::start().await;
    app.sign_up("ann").await;
    for entry in fs::read_dir(app.folder().join("data")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
        }
    }
}

#[tokio::test]
async fn the_levels_and_formats_of_the_log_can_be_chosen() {
    // Above these nobody would be told the address.
    for level in ["trace", "debug", "info"] {
        Setup::new().set("LOG_LEVEL", level).start().await.get("/health").await.has(200);
    }
    let app = Setup::new().set("LOG_FORMAT", "text").start().await;
    assert_eq!(app.log().events().count(), 0, "{:#?}", app.log().lines);
    let app = Setup::new().unset("LOG_FORMAT").start().await;
    assert_ne!(app.log().events().count(), 0, "json where there is no terminal: {:#?}", app.log().lines);
}
