use async_trait::async_trait;
use roster_domain::entities::{Change, Page, TrashEntry, User};
use roster_domain::ports::{
    Expired, Interrupted, PurgeError, RestoreError, Trash, TrashError, Trashed, Unavailable,
};
use roster_domain::values::{OwnImage, PageRequest, ProfileImage, Reason, Timestamp, TrashEntryId, UserId};

use super::directory::page_of;
use super::{MemoryStore, State};

#[async_trait]
impl Trash for MemoryStore {
    async fn put(&self, user: UserId, entry: &Trashed, change: &Change) -> Result<(), TrashError> {
        self.lock().put(user, entry, change)
    }

    async fn put_many(
        &self,
        users: &[(UserId, TrashEntryId)],
        reason: &Reason,
        change: &Change,
    ) -> Result<Vec<UserId>, Interrupted> {
        let mut put = Vec::new();
        for (user, entry) in users {
            let entry = Trashed { entry: *entry, reason: reason.clone() };
            match self.lock().put(*user, &entry, change) {
                Ok(()) => put.push(*user),
                Err(TrashError::NotFound | TrashError::AlreadyThere) => {}
                Err(TrashError::Unavailable(unavailable)) => {
                    return Err(Interrupted { done: put, in_doubt: Vec::new(), unavailable });
                }
            }
        }
        Ok(put)
    }

    async fn list(&self, page: PageRequest) -> Result<Page<TrashEntry>, Unavailable> {
        let state = self.lock();
        let mut entries: Vec<&TrashEntry> = state.entries().collect();
        entries.sort_by_key(|entry| entry.id);
        Ok(page_of(&entries, page))
    }

    async fn restore(&self, user: UserId, _change: &Change) -> Result<User, RestoreError> {
        let mut state = self.lock();
        let account = state.accounts.get_mut(&user).ok_or(RestoreError::NotFound)?;
        account.trash.take().ok_or(RestoreError::NotInTrash)?;
        let restored = account.user.clone();
        state.spared.remove(&user);
        Ok(restored)
    }

    async fn purge(&self, user: UserId, change: &Change) -> Result<(), PurgeError> {
        self.lock().purge(user, change)
    }

    async fn expired(&self, cutoff: Timestamp, now: Timestamp) -> Result<Expired, Unavailable> {
        Ok(self.lock().expired(cutoff, now))
    }

    async fn purge_expired(
        &self,
        cutoff: Timestamp,
        limit: usize,
        change: &Change,
    ) -> Result<Vec<UserId>, Interrupted> {
        let mut state = self.lock();
        let mut expired: Vec<(Timestamp, UserId)> = state
            .entries()
            .filter(|entry| entry.deleted_at < cutoff && state.spared(entry, change.at).is_none())
            .map(|entry| (entry.deleted_at, entry.user_id))
            .collect();
        expired.sort_unstable();
        expired.truncate(limit);
        let mut purged = Vec::new();
        for (_, user) in expired {
            match state.purge(user, change) {
                Ok(()) => purged.push(user),
                Err(PurgeError::NotInTrash) => {}
                Err(PurgeError::Unavailable(unavailable)) => {
                    return Err(Interrupted { done: purged, in_doubt: Vec::new(), unavailable });
                }
            }
        }
        Ok(purged)
    }
}

impl State {
    fn entries(&self) -> impl Iterator<Item = &TrashEntry> {
        self.accounts.values().filter_map(|account| account.trash.as_ref())
    }

    /// Until when an entry is spared, where it is at that time.
    fn spared(&self, entry: &TrashEntry, now: Timestamp) -> Option<Timestamp> {
        self.spared.get(&entry.user_id).copied().filter(|until| *until > now)
    }

    pub(super) fn expired(&self, cutoff: Timestamp, now: Timestamp) -> Expired {
        let mut expired = Expired::default();
        for entry in self.entries().filter(|entry| entry.deleted_at < cutoff) {
            match self.spared(entry, now) {
                None => expired.due += 1,
                Some(until) => {
                    expired.spared += 1;
                    expired.spared_until = Some(expired.spared_until.map_or(until, |first| first.min(until)));
                }
            }
        }
        expired
    }

    fn check(&self, user: UserId) -> Result<(), Unavailable> {
        if self.broken.contains(&user) { Err(Unavailable::new("memory", "it is broken")) } else { Ok(()) }
    }

    fn put(&mut self, user: UserId, entry: &Trashed, change: &Change) -> Result<(), TrashError> {
        self.check(user)?;
        let account = self.accounts.get_mut(&user).ok_or(TrashError::NotFound)?;
        if account.trash.is_some() {
            return Err(TrashError::AlreadyThere);
        }
        account.sessions.clear();
        account.epoch = account.epoch.next();
        account.trash = Some(TrashEntry {
            id: entry.entry,
            user_id: user,
            // Nobody but a user deletes a user today.
            deleted_by: change.actor.unwrap_or(user),
            deleted_at: change.at,
            reason: entry.reason.clone(),
        });
        Ok(())
    }

    fn purge(&mut self, user: UserId, change: &Change) -> Result<(), PurgeError> {
        self.check(user)?;
        if self.accounts.get(&user).is_none_or(|account| account.trash.is_none()) {
            return Err(PurgeError::NotInTrash);
        }
        self.spared.remove(&user);
        let account = self.accounts.remove(&user);
        if let Some(ProfileImage::Stored(OwnImage { image, .. })) =
            account.and_then(|account| account.user.profile_image)
        {
            self.leave_to_removals(user, image, change.at);
        }
        Ok(())
    }
}
