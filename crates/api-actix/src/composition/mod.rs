//! Builds the use cases over their adapters. No other module names an adapter.

mod databases;
mod error;
mod images;
mod lost;
mod system;

use std::collections::HashMap;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use futures_util::future::BoxFuture;
use roster_adapter_crypto::key_file;
use roster_adapter_crypto::{BcryptHasher, HasherConfig, JwtTokens};
use roster_adapter_image::{Limits, Processor};
use roster_domain::ports::{Ids, PasswordHasher, Store};
use roster_domain::values::StoreName;
use roster_domain::{Ports, Roster, Rules};
use roster_settings::{SecretKey, Settings};
use roster_telemetry::{Outages, Probe};

pub(crate) use self::databases::{database, patiently};
pub use self::error::CompositionError;
pub(crate) use self::images::{examine_bucket, examine_folder, open_images};
pub(crate) use self::lost::refuse_lost;
pub(crate) use self::system::System;

use self::images::ImageStores;

/// The use cases, and what else the server needs of what stands behind them.
pub(crate) struct Composition {
    pub(crate) roster: Arc<Roster>,
    pub(crate) ids: Arc<dyn Ids>,
    /// The file of the signing key, where it is not one of the settings.
    pub(crate) secret_key_file: Option<PathBuf>,
    /// The database, for what is done there beside the requests.
    pub(crate) store: Arc<dyn Store>,
    /// What stands before an image's key in its public address, for the stores whose images have one.
    pub(crate) image_addresses: HashMap<StoreName, String>,
    /// Tells in the log which buckets are out of reach. Nobody has to wait for it.
    pub(crate) bucket_check: BoxFuture<'static, ()>,
    /// Every store that requests need.
    pub(crate) probes: Vec<Probe>,
    /// What the stores tell of their calls.
    pub(crate) outages: Arc<Outages>,
}

/// Opens everything that the settings name.
pub(crate) async fn compose(settings: &Settings) -> Result<Composition, CompositionError> {
    let system = System::new();
    refuse_lost(settings)?;
    let outages = Arc::new(Outages::new(settings.metrics.is_some()));
    let observer = Some(Arc::clone(&outages) as _);
    let database = database(&settings.database, &system)?;
    let store = patiently(async || database.open(observer.clone()).await).await?;
    let images = ImageStores::open(&settings.images, observer).await?;
    // After the database, whose folder is there by now.
    let (secret_key, secret_key_file) = match &settings.secret_key {
        SecretKey::Given(key) => (key.clone(), None),
        SecretKey::KeptIn(folder) => key_file::load_or_make(folder).map(|(key, file)| (key, Some(file)))?,
    };
    let hasher = hasher(settings, store.as_ref()).await?;
    let limits = Limits { memory: settings.image_memory, ..Limits::default() };
    let processor = Processor::start(limits).map_err(CompositionError::Processor)?;
    let System { clock, ids } = system;
    let ports = Ports {
        accounts: Arc::clone(&store) as _,
        directory: Arc::clone(&store) as _,
        sessions: Arc::clone(&store) as _,
        profile_images: Arc::clone(&store) as _,
        trash: Arc::clone(&store) as _,
        images: Arc::clone(&images.default),
        s3_images: images.s3.clone(),
        processor: Arc::new(processor),
        hasher,
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
    let probe = Probe::new(Arc::clone(&store), |store| async move { store.probe().await });
    Ok(Composition {
        roster: Arc::new(Roster::new(ports, rules)),
        ids,
        secret_key_file,
        image_addresses: images.addresses(),
        probes: [probe].into_iter().chain(images.probes()).collect(),
        bucket_check: Box::pin(images.check_buckets()),
        store,
        outages,
    })
}

async fn hasher(settings: &Settings, store: &dyn Store) -> Result<Arc<dyn PasswordHasher>, CompositionError> {
    let dearest = store.dearest_hash(settings.bcrypt_cost).await.map_err(CompositionError::Store)?;
    let hasher = BcryptHasher::start(HasherConfig {
        cost: settings.bcrypt_cost,
        dearest,
        queue: settings.hash_queue,
        deadline: settings.hash_deadline,
        threads: thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
    });
    Ok(Arc::new(hasher.map_err(CompositionError::Hasher)?))
}

/// Looks for the signing key that is kept in the folder, and makes none. Answers whether there is one, and which file it is.
pub(crate) fn examine_signing_key(folder: &Path) -> Result<(bool, PathBuf), CompositionError> {
    Ok(key_file::examine(folder)?)
}
