//! What the unit tests share: a world of mocks, in which every call that a test does not expect is a failure.

use std::sync::Arc;
use std::time::Duration;

use super::{AdminSignUp, Ports, Roster, Rules};
use crate::entities::{Request, User};
use crate::limits::RateLimits;
use crate::ports::{
    AccessClaims, CallerAnswer, ImageStore, MockAccounts, MockClock, MockDirectory, MockIds,
    MockImageProcessor, MockImageStore, MockPasswordHasher, MockProfileImages, MockSessions, MockTokens,
    MockTrash, Spool, Unavailable,
};
use crate::values::{
    ClientAddress, Email, Epoch, ImageFormat, ImageKey, ImageRef, RequestId, Role, SessionId, StoreName,
    Timestamp, TokenId, TrashEntryId, UserId, Username,
};

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_739_182_939_096);
pub(super) const ANN: UserId = UserId::from_bytes([1; 12]);
pub(super) const BEN: UserId = UserId::from_bytes([2; 12]);
pub(super) const ENTRY: TrashEntryId = TrashEntryId::from_bytes([9; 12]);
pub(super) const SESSION: SessionId = SessionId::from_bytes([7; 16]);
pub(super) const REQUEST: Request =
    Request::of_client(RequestId::from_bytes([5; 16]), ClientAddress::UNKNOWN);
pub(super) const EPOCH: Epoch = Epoch::new(3);

/// Ann's token.
pub(super) const CLAIMS: AccessClaims = AccessClaims { user_id: ANN, session: Some(SESSION), epoch: EPOCH };

pub(super) struct World {
    pub(super) accounts: MockAccounts,
    pub(super) directory: MockDirectory,
    pub(super) sessions: MockSessions,
    pub(super) profile_images: MockProfileImages,
    pub(super) trash: MockTrash,
    pub(super) images: MockImageStore,
    pub(super) processor: MockImageProcessor,
    pub(super) hasher: MockPasswordHasher,
    pub(super) tokens: MockTokens,
    pub(super) ids: MockIds,
    pub(super) admin_sign_up: AdminSignUp,
    pub(super) limits: RateLimits,
    /// With the images in S3 too.
    pub(super) public_images: bool,
}

impl World {
    pub(super) fn new() -> Self {
        let mut ids = MockIds::new();
        ids.expect_user_id().return_const(BEN);
        ids.expect_trash_entry_id().return_const(ENTRY);
        ids.expect_session_id().return_const(SESSION);
        ids.expect_token_id().returning(|| TokenId([6; 16]));
        ids.expect_image_name().return_const([4; 16]);
        let mut images = MockImageStore::new();
        images.expect_name().returning(|| StoreName::new("file"));
        Self {
            accounts: MockAccounts::new(),
            directory: MockDirectory::new(),
            sessions: MockSessions::new(),
            profile_images: MockProfileImages::new(),
            trash: MockTrash::new(),
            images,
            processor: MockImageProcessor::new(),
            hasher: MockPasswordHasher::new(),
            tokens: MockTokens::new(),
            ids,
            admin_sign_up: AdminSignUp::Open,
            limits: RateLimits::default(),
            public_images: false,
        }
    }

    /// In which Ann is the caller, and live.
    pub(super) fn with_caller(role: Role) -> Self {
        let mut world = Self::new();
        world.accounts.expect_caller().returning(move |caller, named| {
            assert_eq!((caller.user_id, caller.session), (ANN, Some(SESSION)));
            Ok(CallerAnswer {
                caller: Some(user(ANN, role)),
                epoch: EPOCH,
                session_lives: true,
                named: named.filter(|id| *id == BEN).map(|id| user(id, Role::Regular)),
            })
        });
        world
    }

    pub(super) fn roster(self) -> Roster {
        let mut clock = MockClock::new();
        clock.expect_now().return_const(NOW);
        clock.expect_sleep().return_const(());
        let images: Arc<dyn ImageStore> = Arc::new(self.images);
        let ports = Ports {
            accounts: Arc::new(self.accounts),
            directory: Arc::new(self.directory),
            sessions: Arc::new(self.sessions),
            profile_images: Arc::new(self.profile_images),
            trash: Arc::new(self.trash),
            s3_images: self.public_images.then(|| Arc::clone(&images)),
            images,
            processor: Arc::new(self.processor),
            hasher: Arc::new(self.hasher),
            tokens: Arc::new(self.tokens),
            clock: Arc::new(clock),
            ids: Arc::new(self.ids),
        };
        Roster::new(
            ports,
            Rules {
                admin_sign_up: self.admin_sign_up,
                trash_retention: Duration::from_hours(30 * 24),
                public_images: self.public_images,
                limits: self.limits,
            },
        )
    }
}

pub(super) fn user(id: UserId, role: Role) -> User {
    User {
        id,
        email: Email::from_store(format!("{id}@example.com")),
        username: Username::from_store(format!("user{id}")),
        role,
        created_at: Some(NOW),
        updated_at: None,
        updated_by: None,
        profile_image: None,
    }
}

pub(super) fn image(name: u8) -> ImageRef {
    ImageRef { store: StoreName::new("file"), key: ImageKey::new(ANN, [name; 16], ImageFormat::Png) }
}

pub(super) fn unavailable() -> Unavailable {
    Unavailable::new("test store", "unplugged")
}

/// An empty upload.
pub(super) fn spool() -> Spool {
    Spool::new(|_, _| Ok(0), 0)
}
