//! The settings of Roster: the environment as one checked value.
//!
//! Settings are environment variables, also read from `.env`, which they override. An empty variable is not set. A
//! setting that can't be right is a [`SettingsError`], whose text is one line: the variable, what is wrong, what would
//! be right.
//!
//! `docs/configuration.md` explains them and `.env_example` lists them; a test keeps the three alike.

mod bucket;
mod database;
mod environment;
mod error;
mod host;
mod limits;
mod location;
mod migration;
mod origins;
mod proxies;
mod reader;
mod s3;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use roster_domain::values::{SHORTEST_KEY, Weakness, weakness};
use roster_domain::{AdminSignUp, RateLimits};
use secrecy::{ExposeSecret, SecretString};

use self::environment::Environment;
use self::error::WrongValue;
use self::reader::Reader;

pub use self::bucket::Bucket;
pub use self::database::DatabaseUrl;
pub use self::error::SettingsError;
pub use self::host::Host;
pub use self::migration::{MigrationSettings, Place};
pub use self::s3::{Images, S3Keys, S3Settings};

/// Every variable that Roster knows, in the order of `docs/configuration.md`.
pub const VARIABLES: &[&str] = &[
    "HOST",
    "PORT",
    "DATABASE_URL",
    "DB_NAME",
    "IMAGES_URL",
    "PUBLIC_IMAGES",
    "S3_BUCKET",
    "S3_PUBLIC_URL",
    "AWS_REGION",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "SECRET_KEY",
    "ALGORITHM",
    "SECRET_KEY_PREVIOUS",
    "ADMIN_SIGNUP",
    "CORS_ORIGINS",
    "TRUSTED_PROXIES",
    "BCRYPT_COST",
    "HASH_QUEUE",
    "HASH_DEADLINE_SECONDS",
    "RATE_LIMITS",
    "LOGIN_FAILURES_PER_CLIENT",
    "LOGIN_FAILURES_PER_ACCOUNT",
    "SIGNUPS_PER_CLIENT",
    "IMAGE_MEMORY_MB",
    "UPLOAD_SPOOL_MB",
    "TRASH_RETENTION_DAYS",
    "MONGODB_COMPARE_MINUTES",
    "STOP_DELAY_SECONDS",
    "METRICS_ADDRESS",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "TEST_DATABASE_URL",
];

/// All settings, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen.
    pub host: Host,
    /// At which port; 0 is any free one.
    pub port: u16,
    /// Where users are kept.
    pub database: DatabaseUrl,
    /// Where images are stored.
    pub images: Images,
    /// Whether anybody may read an image in S3 whose address they know.
    pub public_images: bool,
    /// What signs tokens.
    pub secret_key: SecretKey,
    /// What may have signed tokens too.
    pub secret_key_previous: Option<SecretString>,
    /// Who may sign up as an admin.
    pub admin_sign_up: AdminSignUp,
    /// The origins that browsers may call from, as they write them.
    pub cors_origins: Vec<String>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The cost of new password hashes.
    pub bcrypt_cost: u32,
    /// How many passwords may wait to be hashed.
    pub hash_queue: usize,
    /// For how long they may wait.
    pub hash_deadline: Duration,
    /// Who may ask how often.
    pub limits: RateLimits,
    /// How many bytes all uploads that are being decoded may take together.
    pub image_memory: u64,
    /// How many bytes all uploads that are not stored yet may take on disk together.
    pub upload_spool: u64,
    /// How long a user stays in the trash.
    pub trash_retention: Duration,
    /// How long it goes on serving after it was told to stop, while it says that it is not ready.
    pub stop_delay: Duration,
    /// Where metrics are served, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// What is logged, and how.
    pub log: LogSettings,
}

/// Where the service listens: all that one needs to know who asks it something. The other settings may be wrong or missing.
#[derive(Debug, Clone)]
pub struct ServiceAddress {
    /// `HOST`.
    pub host: Host,
    /// `PORT`.
    pub port: u16,
}

impl ServiceAddress {
    /// Reads it from the settings of this process, as [`Settings::load`] does.
    pub fn load() -> Result<Self, SettingsError> {
        let environment = Environment::new(|name| std::env::var_os(name), &environment::file()?)?;
        let lookup = |name: &str| environment.get(name);
        let (host, port) = listening(&Reader::new(&lookup))?;
        if port == 0 {
            let wrong =
                WrongValue::new("is 0, any free port, so that nobody knows where to ask", "give the port");
            return Err(SettingsError::variable("PORT", wrong));
        }
        Ok(Self { host, port })
    }
}

/// Where to listen.
fn listening(reader: &Reader<'_>) -> Result<(Host, u16), SettingsError> {
    let host = reader.value("HOST", "127.0.0.1", Host::parse)?;
    let port = reader.value("PORT", "8000", |text| {
        let wrong =
            |problem| WrongValue::new(problem, "give a number from 0 (any free port) to 65535, such as 8000");
        text.parse().map_err(|_| wrong(format!("is {}, which is no port", error::shown(text))))
    })?;
    Ok((host, port))
}

/// What signs tokens.
#[derive(Debug, Clone)]
pub enum SecretKey {
    /// This key.
    Given(SecretString),
    /// The key that is made and kept in this folder, beside the database.
    KeptIn(PathBuf),
}

impl SecretKey {
    fn of(given: Option<SecretString>, database: &DatabaseUrl) -> Result<Self, SettingsError> {
        if let Some(key) = given {
            return Ok(Self::Given(key));
        }
        if let Some(product) = database.product() {
            let wrong = WrongValue::new(
                format!("is not set, but all instances on a {product} have to sign with the same key"),
                format!("give {SHORTEST_KEY} random bytes or more, such as `openssl rand -hex 32` prints"),
            );
            return Err(SettingsError::variable("SECRET_KEY", wrong));
        }
        let folder = database.file().and_then(Path::parent);
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        Ok(Self::KeptIn(folder.unwrap_or(Path::new(".")).to_owned()))
    }

    /// Why the key can be guessed, where it can.
    #[must_use]
    pub fn weakness(&self) -> Option<Weakness> {
        match self {
            Self::Given(key) => weakness(key.expose_secret()),
            Self::KeptIn(_) => None,
        }
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// The least important level that is logged.
    pub level: tracing::Level,
    /// How; `None` is text on a terminal and JSON elsewhere.
    pub format: Option<LogFormat>,
}

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogSettings {
    fn read(reader: &Reader<'_>) -> Result<Self, SettingsError> {
        Ok(Self {
            level: reader.choice(
                "LOG_LEVEL",
                "info",
                &[
                    ("error", tracing::Level::ERROR),
                    ("warn", tracing::Level::WARN),
                    ("info", tracing::Level::INFO),
                    ("debug", tracing::Level::DEBUG),
                    ("trace", tracing::Level::TRACE),
                ],
            )?,
            format: reader
                .optional_choice("LOG_FORMAT", &[("text", LogFormat::Text), ("json", LogFormat::Json)])?,
        })
    }
}

/// The settings of this process, looked at as a whole.
#[derive(Debug)]
pub struct Examined {
    /// The settings.
    pub settings: Settings,
    /// Names that `.env` sets and that are no setting.
    pub unknown: Vec<String>,
}

/// What a wrong variable is taken to be while the others are looked at, where nothing would be wrong too.
const STAND_INS: &[(&str, &str)] = &[
    ("SECRET_KEY", "kR7-vq9ZpX2mWcL4tYh8bN6sD3fGj1aE"),
    ("S3_BUCKET", "bucket"),
    ("AWS_REGION", "us-east-1"),
    ("AWS_ACCESS_KEY_ID", "id"),
    ("AWS_SECRET_ACCESS_KEY", "secret"),
];

impl Settings {
    /// Reads the settings of this process as [`load`](Self::load) does, and tells everything that is wrong with them.
    pub fn examine() -> Result<Examined, Vec<SettingsError>> {
        let file = environment::file().map_err(|error| vec![error])?;
        Self::examine_over(|name| std::env::var_os(name), &file)
    }

    /// Looks at what [`read_over`](Self::read_over) reads.
    pub fn examine_over(
        lookup: impl Fn(&str) -> Option<OsString>,
        file: &[u8],
    ) -> Result<Examined, Vec<SettingsError>> {
        let environment = Environment::new(lookup, file).map_err(|error| vec![error])?;
        let mut wrong = Vec::<SettingsError>::new();
        loop {
            let is_wrong = |name: &str| wrong.iter().any(|error| error.place() == name);
            let read = Self::read(|name| {
                let stand_in = STAND_INS.iter().find(|(variable, _)| *variable == name);
                let stand_in = stand_in.map(|(_, value)| (*value).into());
                if is_wrong(name) {
                    stand_in
                } else if is_wrong("S3_BUCKET") && name.starts_with("AWS_") {
                    // Nobody knows whether S3 was meant, and with which keys.
                    environment.get(name).or(stand_in)
                } else {
                    environment.get(name)
                }
            });
            match read {
                Ok(settings) if wrong.is_empty() => {
                    return Ok(Examined { settings, unknown: environment.unknown(VARIABLES) });
                }
                Ok(_) => return Err(wrong),
                // It is wrong whatever the variable is.
                Err(error) if wrong.iter().any(|known| known.place() == error.place()) => return Err(wrong),
                Err(error) => wrong.push(error),
            }
        }
    }

    /// Reads the settings of this process: its environment, and `.env` in its working directory.
    pub fn load() -> Result<Self, SettingsError> {
        Self::read_over(|name| std::env::var_os(name), &environment::file()?)
    }

    /// Reads the settings from whatever `lookup` knows of a variable, and those of which it knows nothing from a `.env` file
    /// of that content.
    pub fn read_over(lookup: impl Fn(&str) -> Option<OsString>, file: &[u8]) -> Result<Self, SettingsError> {
        let environment = Environment::new(lookup, file)?;
        Self::read(|name| environment.get(name))
    }

    /// Reads the settings from whatever `lookup` knows of a variable.
    pub fn read(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, SettingsError> {
        let reader = Reader::new(&lookup);
        let (host, port) = listening(&reader)?;
        let database = reader.value("DATABASE_URL", "sqlite://data/roster.db", DatabaseUrl::read)?;
        let database = database.named(reader.value("DB_NAME", "fast_api_db", database::name)?);
        let images_url = reader.value("IMAGES_URL", "file://data/images", location::images)?;
        let public_images = reader.choice("PUBLIC_IMAGES", "off", &[("on", true), ("off", false)])?;
        let images = Images::read(&reader, images_url, public_images)?;
        if public_images && images.s3().is_none() {
            let wrong = WrongValue::new("is on, but no bucket is set", "give S3_BUCKET too, or leave it out");
            return Err(SettingsError::variable("PUBLIC_IMAGES", wrong));
        }
        let secret_key = SecretKey::of(reader.secret("SECRET_KEY")?, &database)?;
        reader.choice("ALGORITHM", "HS256", &[("HS256", ())])?;
        let secret_key_previous = reader.secret("SECRET_KEY_PREVIOUS")?;
        let admin_sign_up = reader.choice(
            "ADMIN_SIGNUP",
            "bootstrap",
            &[
                ("open", AdminSignUp::Open),
                ("bootstrap", AdminSignUp::Bootstrap),
                ("closed", AdminSignUp::Closed),
            ],
        )?;
        let cors_origins = reader.value("CORS_ORIGINS", "", origins::parse)?;
        let trusted_proxies = reader.value("TRUSTED_PROXIES", "", proxies::parse)?;
        let bcrypt_cost = reader.number("BCRYPT_COST", 12, 4..=16)?;
        let hash_queue = reader.number("HASH_QUEUE", 128, 1..=100_000)?;
        let hash_deadline = reader.number("HASH_DEADLINE_SECONDS", 20, 1..=300)?;
        let limits = limits::read(&reader)?;
        let image_memory = reader.number("IMAGE_MEMORY_MB", 96, 32..=65_536)?;
        let upload_spool = reader.number("UPLOAD_SPOOL_MB", 256, 20..=1_048_576)?;
        let trash_retention_days = reader.number("TRASH_RETENTION_DAYS", 30, 1..=36_500)?;
        let mongodb_compare_minutes = reader.number("MONGODB_COMPARE_MINUTES", 60, 0..=10_080)?;
        let stop_delay = reader.number("STOP_DELAY_SECONDS", 0, 0..=300)?;
        let metrics = reader.optional("METRICS_ADDRESS", |text| {
            let wrong =
                |problem| WrongValue::new(problem, "give an IP address and a port, such as 127.0.0.1:9464");
            text.parse().map_err(|_| wrong(format!("is {}, which is no address", error::shown(text))))
        })?;
        let log = LogSettings::read(&reader)?;
        if !host.is_loopback() {
            check_reachable(&host, &secret_key)?;
        }
        Ok(Self {
            host,
            port,
            database: database.compared_every(
                (mongodb_compare_minutes > 0).then(|| Duration::from_mins(mongodb_compare_minutes.into())),
            ),
            images,
            public_images,
            secret_key,
            secret_key_previous,
            admin_sign_up,
            cors_origins,
            trusted_proxies,
            bcrypt_cost,
            hash_queue: usize::try_from(hash_queue).unwrap_or(usize::MAX),
            hash_deadline: Duration::from_secs(hash_deadline.into()),
            limits,
            image_memory: u64::from(image_memory) << 20,
            upload_spool: u64::from(upload_spool) << 20,
            trash_retention: Duration::from_hours(24 * u64::from(trash_retention_days)),
            stop_delay: Duration::from_secs(stop_delay.into()),
            metrics,
            log,
        })
    }
}

/// What must hold where others can reach the service. The key that is made where none is set is as good as any.
fn check_reachable(host: &Host, secret_key: &SecretKey) -> Result<(), SettingsError> {
    if let Some(weakness) = secret_key.weakness() {
        let wrong = WrongValue::new(
            format!("{weakness}, which is unsafe where others can reach the service (HOST is {host})"),
            format!("give {SHORTEST_KEY} random bytes or more, such as `openssl rand -hex 32` prints"),
        );
        return Err(SettingsError::variable("SECRET_KEY", wrong));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
