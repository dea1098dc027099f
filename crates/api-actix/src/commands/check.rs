use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use roster_domain::ports::{Clock, Database, Occupancy};
use roster_domain::values::weakness;
use roster_domain::{AdminSignUp, Chain};
use roster_jobs::told_of_expired;
use roster_settings::{Bucket, Examined, Images, S3Settings, SecretKey, Settings};
use rustix::fs::{Access, access};
use secrecy::{ExposeSecret as _, SecretString};

use super::{Failure, health, say, waiting};
use crate::composition::{
    self, CompositionError, System, examine_bucket, examine_folder, examine_signing_key, refuse_lost,
};
use crate::listen::listen;

/// What there is to say of one thing.
enum Finding {
    Good(String),
    /// It works, but somebody should know.
    Risky(String),
    Wrong {
        why: String,
        blames_a_setting: bool,
    },
}

/// Looks at everything that the settings name, and changes nothing.
pub(super) fn run() -> Result<(), Failure> {
    let mut report = Report::default();
    let Examined { settings, unknown } = match Settings::examine() {
        Ok(examined) => examined,
        Err(errors) => {
            for error in errors {
                report.add("settings", Finding::Wrong { why: error.to_string(), blames_a_setting: true })?;
            }
            return report.ended();
        }
    };
    waiting(settings.log, async {
        report.add("settings", self::settings(&unknown))?;
        report.add("reach", reach(&settings).await)?;
        report.add("clients", clients(&settings))?;
        report.add("admins", admins(settings.admin_sign_up))?;
        report.add("signing key", signing_key(&settings))?;
        if let Some(previous) = &settings.secret_key_previous {
            report.add("previous key", previous_key(previous))?;
        }
        let system = System::new();
        match composition::database(&settings.database, &system) {
            Ok(named) => {
                let found = database(&settings, named.as_ref()).await;
                let is_usable = !matches!(found, Finding::Wrong { .. });
                report.add("database", found)?;
                let expired = trash(&settings, named.as_ref(), system.clock.as_ref());
                if is_usable && let Some(expired) = expired.await {
                    report.add("trash", expired)?;
                }
            }
            Err(error) => report.add("database", failed(&error))?,
        }
        match &settings.images {
            Images::Folder { folder, s3 } => {
                report.add("images", images_in(folder))?;
                if let Some(s3) = s3 {
                    report.add("uploads to S3", bucket(s3, &s3.uploads).await)?;
                }
            }
            Images::S3 { bucket: images, s3 } => {
                report.add("images", bucket(s3, images).await)?;
                if *images != s3.uploads {
                    report.add("uploads to S3", bucket(s3, &s3.uploads).await)?;
                }
            }
        }
        if settings.public_images {
            report.add("public images", public_images())?;
        }
        if let Some(address) = settings.metrics {
            report.add("metrics", metrics(address, &settings).await)?;
        }
        report.ended()
    })
}

#[derive(Default)]
struct Report {
    checked: usize,
    wrong: usize,
    blames_a_setting: bool,
}

impl Report {
    fn add(&mut self, what: &str, finding: Finding) -> Result<(), Failure> {
        self.checked += 1;
        match finding {
            Finding::Good(text) => say(&format!("good   {what}: {text}")),
            Finding::Risky(text) => say(&format!("risky  {what}: {text}")),
            Finding::Wrong { why, blames_a_setting } => {
                self.wrong += 1;
                self.blames_a_setting |= blames_a_setting;
                say(&format!("wrong  {what}: {why}"))
            }
        }
    }

    fn ended(self) -> Result<(), Failure> {
        let Self { checked, wrong, blames_a_setting } = self;
        if wrong == 0 { Ok(()) } else { Err(Failure::Checked { wrong, checked, blames_a_setting }) }
    }
}

fn settings(unknown: &[String]) -> Finding {
    if unknown.is_empty() {
        Finding::Good("each can be read".to_owned())
    } else {
        Finding::Risky(format!("each can be read, but .env sets what is no setting: {}", unknown.join(", ")))
    }
}

async fn reach(settings: &Settings) -> Finding {
    let (host, port) = (&settings.host, settings.port);
    let is_private = host.is_loopback();
    let who = if is_private { "this machine alone" } else { "other machines too" };
    let place = format!("{who}, at {host}, port {port}");
    match listen(host, port).await {
        Ok(_) => reached(place, is_private),
        Err(error) => taken(place, &error, is_private, settings).await,
    }
}

/// The service warns of what other machines can reach, too.
fn reached(place: String, is_private: bool) -> Finding {
    if is_private { Finding::Good(place) } else { Finding::Risky(place) }
}

/// By whose word it goes who asks.
fn clients(settings: &Settings) -> Finding {
    let proxies: Vec<_> = settings.trusted_proxies.iter().map(ToString::to_string).collect();
    if !proxies.is_empty() {
        return Finding::Good(format!(
            "X-Forwarded-For is believed of {} (TRUSTED_PROXIES)",
            proxies.join(", ")
        ));
    }
    let text = "known by the address that connects; X-Forwarded-For is ignored (TRUSTED_PROXIES is not set)";
    if settings.host.is_loopback() {
        // Where that machine has a proxy, all clients are one.
        Finding::Good(format!("{text}: give TRUSTED_PROXIES=127.0.0.1 where a proxy stands before it"))
    } else {
        Finding::Good(text.to_owned())
    }
}

async fn metrics(address: SocketAddr, settings: &Settings) -> Finding {
    let is_private = address.ip().is_loopback();
    let who = if is_private { "" } else { "other machines too read them: " };
    let place = format!("{who}read at {address}");
    match TcpListener::bind(address) {
        Ok(_) => reached(place, is_private),
        Err(error) => taken(place, &error, is_private, settings).await,
    }
}

fn public_images() -> Finding {
    Finding::Risky("anyone may read images in S3 by their addresses (PUBLIC_IMAGES is on)".to_owned())
}

/// An address that is not to be had: by the service itself, where that runs.
async fn taken(place: String, error: &io::Error, is_private: bool, settings: &Settings) -> Finding {
    let (host, port) = (&settings.host, settings.port);
    if error.kind() == io::ErrorKind::AddrInUse && health::ask(host, port).await.is_ok() {
        return reached(format!("{place}; a service runs there"), is_private);
    }
    Finding::Wrong { why: format!("{place}: can't listen there: {error}"), blames_a_setting: false }
}

fn admins(policy: AdminSignUp) -> Finding {
    match policy {
        AdminSignUp::Open => {
            Finding::Risky("anyone may sign up as an admin (ADMIN_SIGNUP is open)".to_owned())
        }
        AdminSignUp::Bootstrap => {
            let text = "the first admin signs up without a token, others with an admin's";
            Finding::Good(format!("{text} (ADMIN_SIGNUP is bootstrap)"))
        }
        AdminSignUp::Closed => {
            Finding::Good("only admins may sign up admins (ADMIN_SIGNUP is closed)".to_owned())
        }
    }
}

fn signing_key(settings: &Settings) -> Finding {
    let SecretKey::KeptIn(folder) = &settings.secret_key else {
        return match settings.secret_key.weakness() {
            Some(weakness) => Finding::Risky(format!("others may forge tokens: SECRET_KEY {weakness}")),
            None => Finding::Good("SECRET_KEY".to_owned()),
        };
    };
    match examine_signing_key(folder) {
        Ok((true, file)) => Finding::Good(format!("kept in {}", file.display())),
        Ok((false, file)) => to_be_made(&file),
        Err(error) => failed(&error),
    }
}

fn previous_key(key: &SecretString) -> Finding {
    let until = "remove it seven days after the change";
    Finding::Risky(match weakness(key.expose_secret()) {
        Some(weakness) => format!("others may forge tokens: SECRET_KEY_PREVIOUS {weakness}; {until}"),
        None => format!("SECRET_KEY_PREVIOUS is accepted too; {until}"),
    })
}

async fn database(settings: &Settings, database: &dyn Database) -> Finding {
    if let Err(error) = refuse_lost(settings) {
        return failed(&error);
    }
    if let Some(file) = settings.database.file().filter(|file| !file.exists()) {
        return to_be_made(file);
    }
    let place = settings.database.place();
    match database.examine().await {
        Ok(Occupancy::Nobody | Occupancy::Users) => seen_by_others(place, database),
        Ok(Occupancy::Unadopted) => {
            Finding::Good(format!("{place}; users of the FastAPI service will be taken over"))
        }
        Err(error) => failed(&CompositionError::Database(error)),
    }
}

/// Who is in the trash for too long, where anybody is.
async fn trash(settings: &Settings, database: &dyn Database, clock: &dyn Clock) -> Option<Finding> {
    let now = clock.now();
    match database.expired(now.minus(settings.trash_retention), now).await {
        Ok(expired) => told_of_expired(expired, "as soon as the service runs").map(Finding::Risky),
        Err(error) => Some(failed(&CompositionError::Database(error))),
    }
}

/// A database that is good but for who else may see it.
fn seen_by_others(place: String, database: &dyn Database) -> Finding {
    let exposed = match database.exposed_files() {
        Ok(exposed) => exposed,
        Err(error) => {
            return Finding::Wrong {
                why: format!("{place}: can't see who may read it: {error}"),
                blames_a_setting: false,
            };
        }
    };
    if exposed.is_empty() {
        return Finding::Good(place);
    }
    let files: Vec<_> = exposed.iter().map(|file| file.display().to_string()).collect();
    let files = files.join(" ");
    Finding::Risky(format!("{place}; other users of this machine may read or change it: `chmod 600 {files}`"))
}

fn images_in(folder: &Path) -> Finding {
    if !folder.exists() {
        return to_be_made(folder);
    }
    match examine_folder(folder) {
        Ok(()) => Finding::Good(folder.display().to_string()),
        Err(error) => failed(&error),
    }
}

async fn bucket(s3: &S3Settings, bucket: &Bucket) -> Finding {
    let place = s3.endpoint.as_ref().unwrap_or(&s3.region);
    match examine_bucket(s3, bucket).await {
        Ok(()) => Finding::Good(format!("{bucket} at {place}")),
        Err(error) => wrong(&error),
    }
}

/// What the service would make at its start, where it may.
fn to_be_made(path: &Path) -> Finding {
    let shown = path.display();
    match can_be_made(path) {
        Ok(()) => Finding::Good(format!("{shown} is not there yet; the service makes it")),
        Err((folder, error)) => Finding::Wrong {
            why: format!("{shown} can't be made in {}: {error}", folder.display()),
            blames_a_setting: false,
        },
    }
}

fn can_be_made(path: &Path) -> Result<(), (PathBuf, io::Error)> {
    let above = |path: &Path| if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() };
    let folder = path.ancestors().skip(1).map(above).find(|path| path.exists());
    let folder = folder.unwrap_or_else(|| PathBuf::from("/"));
    if !folder.is_dir() {
        return Err((folder, io::ErrorKind::NotADirectory.into()));
    }
    access(&folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| (folder, error.into()))
}

fn failed(error: &CompositionError) -> Finding {
    Finding::Wrong { why: Chain(error).to_string(), blames_a_setting: error.blames_a_setting() }
}

fn wrong(error: &(dyn std::error::Error + 'static)) -> Finding {
    Finding::Wrong { why: Chain(error).to_string(), blames_a_setting: false }
}
