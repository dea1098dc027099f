//! Adapters that keep the contract and nothing after the process: for tests of what stands on the ports.

mod accounts;
mod archive;
mod directory;
mod images;
mod profile_images;
mod sessions;
mod trash;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use roster_domain::entities::{Account, LogIns};
use roster_domain::ports::{AccountSource, NameClash, Store, Unavailable};
use roster_domain::values::{Email, ImageRef, Timestamp, UserId, Username};

pub use images::MemoryImages;
pub(crate) use images::read_whole;

use crate::contract::{Failing, Sourced, Stores};

/// A store of accounts, sessions, profile images and trash in memory. Clones are the same store.
#[derive(Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
    upkeep_every: Option<Duration>,
}

#[derive(Default)]
struct State {
    /// Live and trashed users, in id order.
    accounts: BTreeMap<UserId, Account>,
    /// Until when those are spared who came into the trash from elsewhere.
    spared: BTreeMap<UserId, Timestamp>,
    removals: BTreeMap<ImageRef, Removal>,
    log_ins: BTreeMap<UserId, LogIns>,
    dearest_hash: u32,
    has_had_admin: bool,
    upkeeps: usize,
    /// Whose changes in the trash fail, as of a store that is broken.
    broken: BTreeSet<UserId>,
}

/// A duty to remove an image.
struct Removal {
    owner: UserId,
    due: Timestamp,
    /// Whether it was returned to somebody who may be carrying it out.
    returned: bool,
}

#[async_trait]
impl Store for MemoryStore {
    async fn probe(&self) -> Result<(), Unavailable> {
        Ok(())
    }

    fn upkeep_every(&self) -> Option<Duration> {
        self.upkeep_every
    }

    async fn upkeep(&self) -> Result<(), Unavailable> {
        self.lock().upkeeps += 1;
        Ok(())
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same store, which asks for an upkeep that often. It needs none: it only counts them.
    #[must_use]
    pub fn kept_up_every(self, every: Duration) -> Self {
        Self { upkeep_every: Some(every), ..self }
    }

    /// How many upkeeps there have been.
    #[must_use]
    pub fn upkeeps(&self) -> usize {
        self.lock().upkeeps
    }

    /// The store as its ports.
    #[must_use]
    pub fn stores(&self) -> Stores {
        Stores::of(&Arc::new(self.clone()))
    }

    /// The store, and the same as a source.
    #[must_use]
    pub fn sourced(&self) -> Sourced {
        let store = self.clone();
        let open = move || -> BoxFuture<'static, Option<Arc<dyn AccountSource>>> {
            let store = store.clone();
            let is_empty = store.lock().accounts.is_empty();
            Box::pin(async move { (!is_empty).then(|| Arc::new(store) as Arc<dyn AccountSource>) })
        };
        Sourced { stores: self.stores(), open: Arc::new(open) }
    }

    /// The store, and what breaks it for one user.
    #[must_use]
    pub fn failing(&self) -> Failing {
        let store = self.clone();
        let refuse = move |user| -> BoxFuture<'static, ()> {
            store.lock().broken.insert(user);
            Box::pin(std::future::ready(()))
        };
        Failing { stores: self.stores(), refuse: Arc::new(refuse) }
    }

    /// A panicking test leaves the state as whole as any other: every method checks first and then changes.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn live(&self, user: UserId) -> Option<&Account> {
        self.accounts.get(&user).filter(|account| account.trash.is_none())
    }

    fn live_mut(&mut self, user: UserId) -> Option<&mut Account> {
        self.accounts.get_mut(&user).filter(|account| account.trash.is_none())
    }

    /// Which name another user, live or in the trash, has. The email is looked for first.
    fn name_clash(
        &self,
        by: UserId,
        email: Option<&Email>,
        username: Option<&Username>,
    ) -> Option<NameClash> {
        let others = || self.accounts.values().map(|account| &account.user).filter(|user| user.id != by);
        if let Some(key) = email.map(Email::key)
            && others().any(|user| user.email.key() == key)
        {
            return Some(NameClash::Email);
        }
        if let Some(key) = username.map(Username::key)
            && others().any(|user| user.username.key() == key)
        {
            return Some(NameClash::Username);
        }
        None
    }

    fn leave_to_removals(&mut self, owner: UserId, image: ImageRef, due: Timestamp) {
        self.removals.insert(image, Removal { owner, due, returned: false });
    }
}
