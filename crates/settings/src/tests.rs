use std::cell::RefCell;
use std::net::Ipv4Addr;
use std::path::Path;

use roster_domain::Rate;

use super::*;

const GOOD_KEY: &str = "kR7-vq9ZpX2mWcL4tYh8bN6sD3fGj1aE";

fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::read(|name| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
    })
}

#[test]
fn without_variables_the_defaults_hold() {
    let settings = read(&[]).unwrap();
    assert_eq!(settings.host, Host::Address(Ipv4Addr::LOCALHOST.into()));
    assert_eq!(settings.port, 8000);
    assert_eq!(settings.database.file(), Some(Path::new("data/roster.db")));
    assert_eq!(settings.database.name(), "fast_api_db");
    assert!(
        matches!(&settings.images, Images::Folder { folder, s3: None } if folder == Path::new("data/images"))
    );
    assert!(matches!(&settings.secret_key, SecretKey::KeptIn(folder) if folder == Path::new("data")));
    assert!(settings.secret_key_previous.is_none());
    assert_eq!(settings.admin_sign_up, AdminSignUp::Bootstrap);
    assert!(settings.trusted_proxies.is_empty());
    let limits = RateLimits {
        log_in_failures_per_client: Some(Rate { at_once: 20, every: Duration::from_secs(6) }),
        log_in_failures_per_account: Some(100),
        sign_ups_per_client: Some(Rate { at_once: 60, every: Duration::from_mins(1) }),
    };
    assert_eq!(settings.limits, limits);
    assert!(settings.cors_origins.is_empty());
    assert_eq!(settings.bcrypt_cost, 12);
    assert_eq!(settings.hash_queue, 128);
    assert_eq!(settings.image_memory, 96 << 20);
    assert_eq!(settings.upload_spool, 256 << 20);
    assert_eq!(settings.hash_deadline, Duration::from_secs(20));
    assert_eq!(settings.trash_retention, Duration::from_hours(30 * 24));
    assert_eq!(settings.database.compare_every(), Some(Duration::from_hours(1)));
    assert_eq!((settings.stop_delay, settings.metrics), (Duration::ZERO, None));
    assert_eq!(settings.log, LogSettings { level: tracing::Level::INFO, format: None });
}

#[test]
fn every_variable_sets_its_setting() {
    let settings = read(&[
        ("HOST", "0.0.0.0"),
        ("PORT", " 0 "),
        ("DATABASE_URL", "sqlite:///srv/a.db"),
        ("IMAGES_URL", "file:///srv/images"),
        ("SECRET_KEY", GOOD_KEY),
        ("ALGORITHM", "HS256"),
        ("SECRET_KEY_PREVIOUS", " old "),
        ("ADMIN_SIGNUP", "open"),
        ("TRUSTED_PROXIES", "10.0.0.0/8"),
        ("LOGIN_FAILURES_PER_CLIENT", "3,60"),
        ("LOGIN_FAILURES_PER_ACCOUNT", "off"),
        ("SIGNUPS_PER_CLIENT", "2,3600"),
        ("CORS_ORIGINS", "https://a.example"),
        ("BCRYPT_COST", "4"),
        ("HASH_QUEUE", "7"),
        ("IMAGE_MEMORY_MB", "32"),
        ("UPLOAD_SPOOL_MB", "20"),
        ("HASH_DEADLINE_SECONDS", "3"),
        ("TRASH_RETENTION_DAYS", "1"),
        ("MONGODB_COMPARE_MINUTES", "0"),
        ("STOP_DELAY_SECONDS", "5"),
        ("METRICS_ADDRESS", "[::1]:9464"),
        ("LOG_LEVEL", "Debug"),
        ("LOG_FORMAT", "json"),
    ])
    .unwrap();
    assert_eq!(settings.host.to_string(), "0.0.0.0");
    assert_eq!(settings.port, 0);
    assert_eq!(settings.database.file(), Some(Path::new("/srv/a.db")));
    assert!(matches!(&settings.images, Images::Folder { folder, .. } if folder == Path::new("/srv/images")));
    assert!(matches!(settings.secret_key, SecretKey::Given(key) if key.expose_secret() == GOOD_KEY));
    assert_eq!(settings.secret_key_previous.unwrap().expose_secret(), " old ");
    assert_eq!(settings.admin_sign_up, AdminSignUp::Open);
    assert_eq!(settings.trusted_proxies.len(), 1);
    let second = Duration::from_secs(1);
    let limits = RateLimits {
        log_in_failures_per_client: Some(Rate { at_once: 3, every: second }),
        log_in_failures_per_account: None,
        sign_ups_per_client: Some(Rate { at_once: 2, every: second }),
    };
    assert_eq!(settings.limits, limits);
    assert_eq!(settings.cors_origins, ["https://a.example"]);
    assert_eq!(settings.bcrypt_cost, 4);
    assert_eq!(settings.hash_queue, 7);
    assert_eq!(settings.image_memory, 32 << 20);
    assert_eq!(settings.upload_spool, 20 << 20);
    assert_eq!(settings.hash_deadline, Duration::from_secs(3));
    assert_eq!(settings.trash_retention, Duration::from_hours(24));
    assert_eq!(settings.database.compare_every(), None);
    assert_eq!(settings.stop_delay, Duration::from_secs(5));
    assert_eq!(settings.metrics.unwrap().to_string(), "[::1]:9464");
    let log = LogSettings { level: tracing::Level::DEBUG, format: Some(LogFormat::Json) };
    assert_eq!(settings.log, log);
}

#[test]
fn an_empty_variable_is_not_set() {
    let empty: Vec<_> = VARIABLES.iter().map(|name| (*name, "")).collect();
    assert_eq!(read(&empty).unwrap().port, 8000);
}

#[rstest::rstest]
#[case("HOST", "127.0.0.1:8000")]
#[case("PORT", "65536")]
#[case("PORT", "-1")]
#[case("PORT", "http")]
#[case("DATABASE_URL", "sqlite://")]
#[case("DB_NAME", "my.database")]
#[case("IMAGES_URL", "s3://")]
#[case("PUBLIC_IMAGES", "yes")]
#[case("PUBLIC_IMAGES", "on")]
#[case("S3_BUCKET", "My Bucket")]
#[case("S3_PUBLIC_URL", "https://images.example.com")]
#[case("ALGORITHM", "RS256")]
#[case("ALGORITHM", "none")]
#[case("ADMIN_SIGNUP", "yes")]
#[case("CORS_ORIGINS", "*")]
#[case("CORS_ORIGINS", "https://a.example/")]
#[case("TRUSTED_PROXIES", "proxy")]
#[case("TRUSTED_PROXIES", "0.0.0.0/0")]
#[case("RATE_LIMITS", "some")]
#[case("LOGIN_FAILURES_PER_CLIENT", "20")]
#[case("LOGIN_FAILURES_PER_ACCOUNT", "none")]
#[case("SIGNUPS_PER_CLIENT", "0,0")]
#[case("BCRYPT_COST", "3")]
#[case("BCRYPT_COST", "17")]
#[case("BCRYPT_COST", "12.5")]
#[case("HASH_QUEUE", "0")]
#[case("HASH_QUEUE", "many")]
#[case("IMAGE_MEMORY_MB", "31")]
#[case("UPLOAD_SPOOL_MB", "19")]
#[case("HASH_DEADLINE_SECONDS", "0")]
#[case("TRASH_RETENTION_DAYS", "0")]
#[case("TRASH_RETENTION_DAYS", "99999999999")]
#[case("MONGODB_COMPARE_MINUTES", "10081")]
#[case("STOP_DELAY_SECONDS", "301")]
#[case("METRICS_ADDRESS", "9464")]
#[case("METRICS_ADDRESS", "localhost:9464")]
#[case("LOG_LEVEL", "loud\nest")]
#[case("LOG_FORMAT", "xml")]
fn a_wrong_value_stops_with_one_line_that_names_its_variable(#[case] name: &str, #[case] value: &str) {
    let line = read(&[(name, value)]).unwrap_err().to_string();
    assert!(line.starts_with(&format!("{name} ")), "{line}");
    let says_what_to_do = [": give ", ": leave ", ": use "].iter().any(|what| line.contains(what));
    assert!(says_what_to_do, "it says what would be right: {line}");
    assert!(!line.contains('\n'), "{line}");
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_utf_8_is_named() {
    use std::os::unix::ffi::OsStringExt;
    let error =
        Settings::read(|name| (name == "SECRET_KEY").then(|| OsString::from_vec(vec![0xff]))).unwrap_err();
    assert!(error.to_string().starts_with("SECRET_KEY is not UTF-8"));
}

#[rstest::rstest]
#[case("testsecretkey")]
#[case("kR7-vq9ZpX2mWcL4tYh8bN6sD3fGj1a")]
#[case("testsecretkeytestsecretkeytestsecretkey")]
#[case("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
fn a_guessable_key_is_refused_where_others_can_reach_it_and_is_not_shown(#[case] key: &str) {
    for host in ["0.0.0.0", "::", "192.168.0.2", "roster.example.com"] {
        let error = read(&[("HOST", host), ("SECRET_KEY", key), ("ADMIN_SIGNUP", "closed")]).unwrap_err();
        let line = error.to_string();
        assert!(line.starts_with("SECRET_KEY ") && line.contains(host), "{line}");
        assert!(!line.contains(key), "{line}");
    }
}

#[test]
fn a_guessable_key_will_do_where_this_machine_alone_can_reach_it() {
    for host in ["127.0.0.1", "::1", "localhost"] {
        assert!(read(&[("HOST", host), ("SECRET_KEY", "testsecretkey")]).is_ok());
    }
}

#[test]
fn a_key_that_is_made_will_do_everywhere() {
    let settings = read(&[("HOST", "0.0.0.0"), ("ADMIN_SIGNUP", "open")]).unwrap();
    assert!(matches!(settings.secret_key, SecretKey::KeptIn(_)));
}

#[test]
fn only_the_first_admin_needs_nobody_wherever_it_listens() {
    for host in ["127.0.0.1", "0.0.0.0", "roster.example.com"] {
        let settings = read(&[("HOST", host), ("SECRET_KEY", GOOD_KEY)]).unwrap();
        assert_eq!(settings.admin_sign_up, AdminSignUp::Bootstrap);
    }
}

#[test]
fn rate_limits_are_turned_off_together() {
    let variables = [("RATE_LIMITS", "off"), ("LOGIN_FAILURES_PER_CLIENT", "3,60")];
    assert_eq!(read(&variables).unwrap().limits, RateLimits::default());
}

#[test]
fn debug_shows_no_key() {
    let settings = read(&[("SECRET_KEY", GOOD_KEY), ("SECRET_KEY_PREVIOUS", "previous one")]).unwrap();
    let shown = format!("{settings:?}");
    assert!(!shown.contains(GOOD_KEY) && !shown.contains("previous one"), "{shown}");
}

/// Not read by the server: it is for the tests.
const NOT_READ: &str = "TEST_DATABASE_URL";

#[test]
fn every_variable_is_known_and_read_in_that_order() {
    let asked = RefCell::new(Vec::new());
    Settings::read(|name| {
        asked.borrow_mut().push(name.to_owned());
        None
    })
    .unwrap();
    let expected: Vec<_> = VARIABLES.iter().copied().filter(|name| *name != NOT_READ).collect();
    assert_eq!(asked.into_inner(), expected);
}

#[test]
fn compose_passes_every_variable_on_or_sets_it_itself() {
    let compose = include_str!("../../../deploy/compose.yaml");
    let image = include_str!("../../../deploy/Dockerfile");
    // The port inside is the default, the bucket is that of IMAGES_URL, and its key has no token.
    let not_passed = ["PORT", "S3_BUCKET", "AWS_SESSION_TOKEN", NOT_READ];
    for name in VARIABLES.iter().copied().filter(|name| !not_passed.contains(name)) {
        let by_compose = compose.lines().any(|line| line.trim_start().starts_with(&format!("{name}: ")));
        // Made once, and read from a `.env` of its own.
        let as_secret = compose.contains(&format!("echo \"{name}="));
        let by_image = image.contains(&format!("\nENV {name}="));
        assert!(by_compose || as_secret || by_image, "deploy/compose.yaml does not pass {name} on");
    }
}

#[test]
fn the_example_lists_every_variable_in_that_order() {
    let example = include_str!("../../../.env_example");
    let listed: Vec<_> = example
        .lines()
        .filter_map(|line| line.strip_prefix('#').unwrap_or(line).split_once('='))
        .map(|(name, _)| name)
        .filter(|name| name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_')))
        .collect();
    assert_eq!(listed, VARIABLES);
}

#[test]
fn the_manual_explains_every_variable_in_that_order() {
    let manual = include_str!("../../../docs/configuration.md");
    let explained: Vec<_> = manual
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split(" | ").next())
        .flat_map(|cell| cell.split(',').map(|name| name.trim_matches(['`', ' '])))
        .collect();
    assert_eq!(explained, VARIABLES);
}

#[test]
fn the_example_starts_as_it_is_and_with_all_its_comments_removed() {
    let example = include_str!("../../../.env_example");
    let as_it_is = environment::parse(example.as_bytes()).unwrap();
    Settings::read(|name| as_it_is.get(name).map(OsString::from)).unwrap();

    let set: Vec<_> = example
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .filter(|line| VARIABLES.iter().any(|name| line.starts_with(&format!("{name}="))))
        .collect();
    let set = environment::parse(set.join("\n").as_bytes()).unwrap();
    let (as_set, by_default) =
        (Settings::read(|name| set.get(name).map(OsString::from)).unwrap(), read(&[]).unwrap());
    assert_eq!(format!("{as_set:?}"), format!("{by_default:?}"), "the values that it shows are the defaults");
}
