//! Builds the use cases over their adapters. No other file names an adapter.

use std::collections::HashMap;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use roster_adapter_crypto::key_file::{self, KeyFileError};
use roster_adapter_crypto::{BcryptHasher, HasherConfig, JwtTokens};
use roster_adapter_fs::FolderImages;
use roster_adapter_image::{Limits, Processor};
pub(crate) use roster_adapter_mongo::Found;
use roster_adapter_mongo::{ConnectError, MongoSource, MongoStore, SWEEP_INTERVAL};
use roster_adapter_s3::{Connection, Credentials, S3Images};
use roster_adapter_sqlite::{SqliteSource, SqliteStore};
use roster_adapter_system::{RandomIds, SystemClock};
use roster_domain::ports::{
    AccountArchive, AccountSource, Accounts, Clock, Directory, Expired, Ids, ImageStore, ProfileImages,
    Sessions, StoreObserver, Trash, Unavailable,
};
use roster_domain::values::StoreName;
use roster_domain::{Chain, Ports, Roster, Rules};
use roster_jobs::Upkeep;
use roster_settings::{Bucket, Database, Images, S3Keys, S3Settings, SecretKey, Settings};
use roster_telemetry::{Outages, Probe};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, sleep};

/// How long a MongoDB may take to be there at the start, and how long to wait between two tries.
const PATIENCE: Duration = Duration::from_secs(30);
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// Whom the stores tell of their calls, if anybody.
type Observer = Option<Arc<dyn StoreObserver>>;

/// The use cases, and what else the server needs of what stands behind them.
pub(crate) struct Composition {
    pub(crate) roster: Arc<Roster>,
    pub(crate) ids: Arc<dyn Ids>,
    /// The file of the signing key, where it is not one of the settings.
    pub(crate) secret_key_file: Option<PathBuf>,
    pub(crate) upkeep: Option<Upkeep>,
    /// What stands before an image's key in its public address, for the stores whose images have one.
    pub(crate) image_addresses: HashMap<StoreName, String>,
    /// Tells in the log which image stores are out of reach. Nobody has to wait for it.
    pub(crate) probe: BoxFuture<'static, ()>,
    /// Every store that requests need.
    pub(crate) probes: Vec<Probe>,
    /// What the stores tell of their calls.
    pub(crate) outages: Arc<Outages>,
}

/// What could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum CompositionError {
    /// The file that `DATABASE_URL` names.
    #[error("can't open the database of DATABASE_URL")]
    Sqlite(#[source] roster_adapter_sqlite::OpenError),
    /// The MongoDB that `DATABASE_URL` names.
    #[error("can't use the database of DATABASE_URL")]
    MongoDb(#[source] ConnectError),
    /// The database is gone, or empty, and what belonged to it is there yet.
    #[error(
        "the database {database} is missing or empty, but {remains} remains, which belongs to one: put the database back from a \
         backup (or set DATABASE_URL right); where an empty one is wanted, move {remains} away first"
    )]
    Lost {
        /// Which database.
        database: String,
        /// What remains of it.
        remains: String,
    },
    /// What remains of a database could not be looked for.
    #[error("can't look for images in {folder}")]
    Unseen {
        /// Where.
        folder: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The database did not answer once it was open.
    #[error("can't read the database of DATABASE_URL")]
    Store(#[source] Unavailable),
    /// The folder that `IMAGES_URL` names.
    #[error("can't open the image folder of IMAGES_URL")]
    Images(#[source] roster_adapter_fs::OpenError),
    /// The threads that hash passwords.
    #[error("can't start hashing")]
    Hasher(#[source] roster_adapter_crypto::StartError),
    /// The threads that make pictures.
    #[error("can't start the threads for images")]
    Processor(#[source] std::io::Error),
    /// The signing key that is kept beside the database.
    #[error(transparent)]
    SecretKey(#[from] KeyFileError),
}

impl CompositionError {
    /// Whether a setting can't be right, whatever the machine does.
    #[must_use]
    pub const fn blames_a_setting(&self) -> bool {
        matches!(self, Self::MongoDb(ConnectError::Url { .. }))
    }
}

/// Opens everything that the settings name.
pub(crate) async fn compose(settings: &Settings) -> Result<Composition, CompositionError> {
    let (clock, ids) = clock_and_ids();
    refuse_lost(settings)?;
    let outages = Arc::new(Outages::new(settings.metrics.is_some()));
    let observer = Some(Arc::clone(&outages) as _);
    let (database, name) = (&settings.database, &settings.database_name);
    let database = open_database(database, name, &clock, &ids, observer.clone()).await?;
    let Store { accounts, directory, sessions, profile_images, trash, mongodb, probe, .. } = database;
    let upkeep = mongodb.map(|store| upkeep_of(store, settings.mongodb_compare_every));
    let images = ImageStores::open(&settings.images, observer).await.map_err(CompositionError::Images)?;
    // After the database, whose folder is there by now.
    let (secret_key, secret_key_file) = match &settings.secret_key {
        SecretKey::Given(key) => (key.clone(), None),
        SecretKey::KeptIn(folder) => key_file::load_or_make(folder).map(|(key, file)| (key, Some(file)))?,
    };
    let dearest = sessions.dearest_hash(settings.bcrypt_cost).await.map_err(CompositionError::Store)?;
    let hasher = BcryptHasher::start(HasherConfig {
        cost: settings.bcrypt_cost,
        dearest,
        queue: settings.hash_queue,
        deadline: settings.hash_deadline,
        threads: thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
    })
    .map_err(CompositionError::Hasher)?;
    let limits = Limits { memory: settings.image_memory, ..Limits::default() };
    let processor = Processor::start(limits).map_err(CompositionError::Processor)?;
    let image_addresses = images.addresses();
    let mut probes = images.probes();
    probes.insert(0, probe);
    let ports = Ports {
        accounts,
        directory,
        sessions,
        profile_images,
        trash,
        images: images.default,
        s3_images: images.s3,
        processor: Arc::new(processor),
        hasher: Arc::new(hasher),
        tokens: Arc::new(JwtTokens::new(secret_key, settings.secret_key_previous.clone())),
        clock,
        ids: Arc::clone(&ids),
    };
    let rules = Rules {
        admin_sign_up: settings.admin_sign_up,
        trash_retention: settings.trash_retention,
        public_images: settings.public_images,
        limits: settings.limits,
    };
    Ok(Composition {
        roster: Arc::new(Roster::new(ports, rules)),
        ids,
        secret_key_file,
        upkeep,
        image_addresses,
        probe: Box::pin(try_buckets(images.buckets)),
        probes,
        outages,
    })
}

/// The system's.
pub(crate) fn clock_and_ids() -> (Arc<dyn Clock>, Arc<dyn Ids>) {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let ids = Arc::new(RandomIds::new(Arc::clone(&clock)));
    (clock, ids)
}

/// Looks for the signing key that is kept in the folder, and makes none. Answers whether there is one, and which file it is.
pub(crate) fn examine_signing_key(folder: &Path) -> Result<(bool, PathBuf), CompositionError> {
    Ok(key_file::examine(folder)?)
}

/// Refuses a file that is missing or empty beside what belonged to a database: an empty one in its place would lose everybody
/// without a word, and let the next stranger become an admin.
pub(crate) fn refuse_lost(settings: &Settings) -> Result<(), CompositionError> {
    let Database::Sqlite(file) = &settings.database else { return Ok(()) };
    // One with tables may well have nobody in it.
    if file.metadata().is_ok_and(|found| found.len() > 0) {
        return Ok(());
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let remains = match key_file::remains(folder) {
        Some(key) => Some(key),
        None => images_that_remain(settings)?,
    };
    remains.map_or(Ok(()), |remains| {
        let (database, remains) = (file.display().to_string(), remains.display().to_string());
        Err(CompositionError::Lost { database, remains })
    })
}

/// The folder of images, where any user's image lies in it.
fn images_that_remain(settings: &Settings) -> Result<Option<PathBuf>, CompositionError> {
    let Images::Folder { folder, .. } = &settings.images else { return Ok(None) };
    match FolderImages::has_images(folder) {
        Ok(has_images) => Ok(has_images.then(|| folder.clone())),
        Err(source) => Err(CompositionError::Unseen { folder: folder.display().to_string(), source }),
    }
}

/// Opens a database alone, as the service does. Its calls are told to that observer.
pub(crate) async fn open_database(
    database: &Database,
    name: &str,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn Ids>,
    observer: Observer,
) -> Result<Store, CompositionError> {
    Ok(match database {
        Database::Sqlite(file) => {
            let store = SqliteStore::open(file).map_err(CompositionError::Sqlite)?;
            let store = Arc::new(store.observed_by(observer));
            let probed = Arc::clone(&store);
            let probe = Probe::new(move || {
                let store = Arc::clone(&probed);
                async move { store.probe().await }
            });
            Store::new(&store, probe)
        }
        Database::MongoDb(url) => {
            let store = connect(url, name, clock, ids).await.map_err(CompositionError::MongoDb)?;
            let store = Arc::new(store.observed_by(observer));
            let probed = Arc::clone(&store);
            let probe = Probe::new(move || {
                let store = Arc::clone(&probed);
                async move { store.probe().await }
            });
            Store { mongodb: Some(Arc::clone(&store)), ..Store::new(&store, probe) }
        }
    })
}

/// Opens the place for images that `IMAGES_URL` would name alone.
pub(crate) async fn open_images(images: &Images) -> Result<Arc<dyn ImageStore>, CompositionError> {
    Ok(ImageStores::open(images, None).await.map_err(CompositionError::Images)?.default)
}

/// How long a server may take to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// It is asked once.
    No,
    /// As long as at the service's start.
    AsAtStart,
}

/// Looks who is in a database and whether it could be opened, and changes nothing: one that is not there is not made.
pub(crate) async fn examine_database(
    database: &Database,
    name: &str,
    wait: Wait,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn Ids>,
) -> Result<Found, CompositionError> {
    let url = match database {
        Database::Sqlite(file) if !file.exists() => return Ok(Found::Nobody),
        Database::Sqlite(file) => {
            let anybody = SqliteStore::examine(file).map_err(CompositionError::Sqlite)?;
            return Ok(if anybody { Found::Users } else { Found::Nobody });
        }
        Database::MongoDb(url) => url.expose_secret(),
    };
    let examine = || MongoStore::examine(url, name, Arc::clone(clock), Arc::clone(ids));
    let examined = if wait == Wait::No { examine().await } else { patiently(examine).await };
    examined.map_err(CompositionError::MongoDb)
}

/// Counts who is past the retention in a database that was examined, and changes nothing.
pub(crate) async fn expired_in(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn Ids>,
) -> Result<Expired, CompositionError> {
    let now = clock.now();
    let cutoff = now.minus(settings.trash_retention);
    match &settings.database {
        Database::Sqlite(file) => {
            SqliteStore::expired_in(file, cutoff, now).map_err(CompositionError::Sqlite)
        }
        Database::MongoDb(url) => {
            let (url, name) = (url.expose_secret(), &settings.database_name);
            let source = MongoSource::open(url, name, Arc::clone(clock), Arc::clone(ids)).await;
            let Some(source) = source.map_err(CompositionError::MongoDb)? else {
                return Ok(Expired::default());
            };
            source.expired(cutoff, now).await.map_err(CompositionError::Store)
        }
    }
}

/// A database that accounts are read from, and nothing is written to.
pub(crate) struct Source {
    pub(crate) accounts: Arc<dyn AccountSource>,
    mongodb: Option<Arc<MongoSource>>,
}

impl Source {
    /// Opens it; `None` where nobody is in it.
    pub(crate) async fn open(
        database: &Database,
        name: &str,
        clock: &Arc<dyn Clock>,
        ids: &Arc<dyn Ids>,
    ) -> Result<Option<Self>, CompositionError> {
        Ok(match database {
            Database::Sqlite(file) => {
                let source = SqliteSource::open(file).map_err(CompositionError::Sqlite)?;
                source.map(|source| Self { accounts: Arc::new(source), mongodb: None })
            }
            Database::MongoDb(url) => {
                let url = url.expose_secret();
                let open = || MongoSource::open(url, name, Arc::clone(clock), Arc::clone(ids));
                let source = patiently(open).await.map_err(CompositionError::MongoDb)?;
                source
                    .map(Arc::new)
                    .map(|source| Self { accounts: Arc::clone(&source) as _, mongodb: Some(source) })
            }
        })
    }

    /// Whether it is that database too, to which two URLs lead. That two files are not one is to be seen before they are opened.
    pub(crate) async fn is(&self, database: &Database, name: &str) -> Result<bool, CompositionError> {
        match (&self.mongodb, database) {
            (Some(source), Database::MongoDb(url)) => {
                source.is(url.expose_secret(), name).await.map_err(CompositionError::MongoDb)
            }
            _ => Ok(false),
        }
    }
}

/// Those files of a database that is there which others than their owner may read or change.
pub(crate) fn exposed_files(database: &Database) -> std::io::Result<Vec<PathBuf>> {
    match database {
        Database::Sqlite(file) => SqliteStore::exposed(file),
        Database::MongoDb(_) => Ok(Vec::new()),
    }
}

/// Tries that images can be kept in a folder that is there.
pub(crate) fn examine_folder(folder: &Path) -> Result<(), CompositionError> {
    FolderImages::open(folder).map(drop).map_err(CompositionError::Images)
}

/// Tries a bucket.
pub(crate) async fn examine_bucket(s3: &S3Settings, bucket: &Bucket) -> Result<(), Unavailable> {
    OpenBucket::new(&connect_to_s3(s3).await, s3, bucket, None).store.examine().await
}

/// Where images are stored.
struct ImageStores {
    default: Arc<dyn ImageStore>,
    s3: Option<Arc<dyn ImageStore>>,
    folder: Option<FolderImages>,
    buckets: Vec<OpenBucket>,
}

/// A bucket that is used, and what stands before an image's key in its address there.
struct OpenBucket {
    store: Arc<S3Images>,
    address: String,
}

impl ImageStores {
    async fn open(images: &Images, observer: Observer) -> Result<Self, roster_adapter_fs::OpenError> {
        match images {
            Images::Folder { folder, s3 } => {
                let folder = FolderImages::open(folder)?.observed_by(observer.clone());
                let (default, folder) = (Arc::new(folder.clone()), Some(folder));
                let Some(s3) = s3 else { return Ok(Self { default, s3: None, folder, buckets: Vec::new() }) };
                let uploads = OpenBucket::new(&connect_to_s3(s3).await, s3, &s3.uploads, observer);
                Ok(Self { default, s3: Some(uploads.store()), folder, buckets: vec![uploads] })
            }
            Images::S3 { bucket, s3 } => {
                let connection = connect_to_s3(s3).await;
                let default = OpenBucket::new(&connection, s3, bucket, observer.clone());
                if *bucket == s3.uploads {
                    let store = default.store();
                    let buckets = vec![default];
                    return Ok(Self { default: Arc::clone(&store), s3: Some(store), folder: None, buckets });
                }
                let uploads = OpenBucket::new(&connection, s3, &s3.uploads, observer);
                let (default_store, s3) = (default.store(), Some(uploads.store()));
                Ok(Self { default: default_store, s3, folder: None, buckets: vec![default, uploads] })
            }
        }
    }

    fn addresses(&self) -> HashMap<StoreName, String> {
        self.buckets.iter().map(|bucket| (bucket.store.name(), bucket.address.clone())).collect()
    }

    fn probes(&self) -> Vec<Probe> {
        let folder = self.folder.clone().map(|folder| {
            Probe::new(move || {
                let folder = folder.clone();
                async move { folder.probe().await }
            })
        });
        let buckets = self.buckets.iter().map(|bucket| {
            let store = Arc::clone(&bucket.store);
            Probe::new(move || {
                let store = Arc::clone(&store);
                async move { store.probe().await }
            })
        });
        folder.into_iter().chain(buckets).collect()
    }
}

impl OpenBucket {
    fn new(connection: &Connection, s3: &S3Settings, bucket: &Bucket, observer: Observer) -> Self {
        let public_url = s3.public_url(bucket);
        let store = S3Images::new(connection, &bucket.name, &bucket.prefix, &public_url);
        let store = Arc::new(store.observed_by(observer));
        Self { store, address: s3.address(bucket) }
    }

    fn store(&self) -> Arc<dyn ImageStore> {
        Arc::clone(&self.store) as _
    }
}

async fn connect_to_s3(s3: &S3Settings) -> Connection {
    let keys = s3.keys.clone().map(|S3Keys { id, secret, session_token }| Credentials {
        access_key_id: id,
        secret_access_key: secret,
        session_token,
    });
    Connection::new(s3.region.clone(), s3.endpoint.clone(), keys).await
}

/// Tries the buckets. Accounts work without them, so that they keep nobody from starting.
async fn try_buckets(buckets: Vec<OpenBucket>) {
    join_all(buckets.iter().map(|OpenBucket { store, .. }| async {
        let name = store.name();
        let name = name.as_str();
        match store.examine().await {
            Ok(()) => tracing::info!(event = "image store answers", store = name, "{name} answers"),
            Err(error) => {
                let error = Chain(&error);
                let event = "image store out of order";
                tracing::warn!(event, store = name, %error, "{name} is out of order: its images are 503");
            }
        }
    }))
    .await;
}

/// One store, as the ports that it is behind.
pub(crate) struct Store {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) sessions: Arc<dyn Sessions>,
    pub(crate) profile_images: Arc<dyn ProfileImages>,
    pub(crate) trash: Arc<dyn Trash>,
    pub(crate) archive: Arc<dyn AccountArchive>,
    mongodb: Option<Arc<MongoStore>>,
    probe: Probe,
}

impl Store {
    fn new<S>(store: &Arc<S>, probe: Probe) -> Self
    where
        S: Accounts + Directory + Sessions + ProfileImages + Trash + AccountArchive + 'static,
    {
        Self {
            accounts: Arc::clone(store) as _,
            directory: Arc::clone(store) as _,
            sessions: Arc::clone(store) as _,
            profile_images: Arc::clone(store) as _,
            trash: Arc::clone(store) as _,
            archive: Arc::clone(store) as _,
            mongodb: None,
            probe,
        }
    }
}

/// Opens the store on a MongoDB, which may still be starting itself.
async fn connect(
    url: &SecretString,
    name: &str,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn Ids>,
) -> Result<MongoStore, ConnectError> {
    let url = url.expose_secret();
    patiently(|| MongoStore::connect(url, name, Arc::clone(clock), Arc::clone(ids))).await
}

/// Tries again for a while, as long as that may help.
async fn patiently<T, F>(attempt: impl Fn() -> F) -> Result<T, ConnectError>
where
    F: Future<Output = Result<T, ConnectError>>,
{
    let end = Instant::now() + PATIENCE;
    let mut told = false;
    loop {
        match attempt().await {
            Err(error) if error.is_worth_retrying() && Instant::now() < end => {
                if !told {
                    let seconds = PATIENCE.as_secs();
                    tracing::warn!(event = "store not ready", %error, "trying for {seconds} seconds");
                }
                told = true;
                sleep(RETRY_EVERY).await;
            }
            outcome => return outcome,
        }
    }
}

fn upkeep_of(store: Arc<MongoStore>, compare_every: Option<Duration>) -> Upkeep {
    let run = move || {
        let store = Arc::clone(&store);
        Box::pin(async move { store.upkeep(compare_every).await }) as _
    };
    Upkeep { every: SWEEP_INTERVAL, run: Box::new(run) }
}
