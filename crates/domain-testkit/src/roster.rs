use std::sync::Arc;
use std::time::Duration;

use roster_domain::values::ImageFormat;
use roster_domain::{AdminSignUp, Ports, RateLimits, Roster, Rules};

use crate::fakes::{AcceptingProcessor, CountingIds, ManualClock, PlainHasher, PlainTokens};
use crate::fixtures::START;
use crate::memory::{MemoryImages, MemoryStore};

/// Makes a [`Roster`] over memory, with a clock that stands at [`START`].
pub struct RosterBuilder {
    rules: Rules,
    s3_images: bool,
}

/// A [`Roster`] over memory, and what stands behind it.
#[derive(Clone)]
pub struct TestRoster {
    /// The use cases.
    pub roster: Arc<Roster>,
    /// What the use cases reach the world through, to make another [`Roster`] with one port exchanged.
    pub ports: Ports,
    /// By which rules.
    pub rules: Rules,
    /// Its accounts, sessions, profile images and trash.
    pub store: MemoryStore,
    /// Its images, in a store named `file`.
    pub images: MemoryImages,
    /// Its images in S3, in a store named `s3://bucket`, where it has any.
    pub s3_images: Option<MemoryImages>,
    /// Its clock.
    pub clock: ManualClock,
}

impl Default for RosterBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl RosterBuilder {
    /// Open to admins, with 30 days of trash and without S3.
    #[must_use]
    pub fn new() -> Self {
        let trash_retention = Duration::from_hours(30 * 24);
        let rules = Rules {
            admin_sign_up: AdminSignUp::Open,
            trash_retention,
            public_images: false,
            limits: RateLimits::default(),
        };
        Self { rules, s3_images: false }
    }

    /// Who may sign up as an admin.
    #[must_use]
    pub fn admin_sign_up(mut self, policy: AdminSignUp) -> Self {
        self.rules.admin_sign_up = policy;
        self
    }

    /// How long a user stays in the trash.
    #[must_use]
    pub fn trash_retention(mut self, retention: Duration) -> Self {
        self.rules.trash_retention = retention;
        self
    }

    /// With a store for `/profile-upload-s3/`.
    #[must_use]
    pub fn with_s3_images(mut self) -> Self {
        self.s3_images = true;
        self
    }

    /// Makes it, empty.
    #[must_use]
    pub fn build(self) -> TestRoster {
        let (store, images, clock) = (MemoryStore::new(), MemoryImages::new("file"), ManualClock::new(START));
        let s3_images = self.s3_images.then(|| MemoryImages::new("s3://bucket"));
        let stores = store.stores();
        let ports = Ports {
            accounts: stores.accounts,
            directory: stores.directory,
            sessions: stores.sessions,
            profile_images: stores.profile_images,
            trash: stores.trash,
            images: Arc::new(images.clone()),
            s3_images: s3_images.clone().map(|images| Arc::new(images) as _),
            processor: Arc::new(AcceptingProcessor(ImageFormat::Png)),
            hasher: Arc::new(PlainHasher),
            tokens: Arc::new(PlainTokens::new("key")),
            clock: Arc::new(clock.clone()),
            ids: Arc::new(CountingIds::new()),
        };
        let roster = Arc::new(Roster::new(ports.clone(), self.rules));
        TestRoster { roster, ports, rules: self.rules, store, images, s3_images, clock }
    }
}
