use std::collections::HashSet;
use std::ops::Bound;

use async_trait::async_trait;
use roster_domain::entities::{Account, Change};
use roster_domain::ports::{
    ARRIVAL_GRACE, AccountArchive, AccountSource, Expired, ImportError, PendingRemoval, Unavailable,
};
use roster_domain::values::{ImageRef, ProfileImage, Role, Timestamp, UserId};

use super::MemoryStore;

#[async_trait]
impl AccountArchive for MemoryStore {
    async fn read(&self, after: Option<UserId>, limit: usize) -> Result<Vec<Account>, Unavailable> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let state = self.lock();
        let accounts = state.accounts.range((from, Bound::Unbounded));
        Ok(accounts.take(limit).map(|(_, account)| account.clone()).collect())
    }

    async fn write(&self, accounts: &[Account], change: &Change) -> Result<(), ImportError> {
        let mut state = self.lock();
        let mut written = state.accounts.clone();
        for account in accounts {
            written.remove(&account.user.id);
        }
        let mut emails: HashSet<_> = written.values().map(|account| account.user.email.key()).collect();
        let mut usernames: HashSet<_> = written.values().map(|account| account.user.username.key()).collect();
        for Account { user, .. } in accounts {
            if !emails.insert(user.email.key()) || !usernames.insert(user.username.key()) {
                return Err(ImportError::NameTaken { user: user.id });
            }
        }
        for account in accounts {
            let before = state.accounts.get(&account.user.id).and_then(stored_image).cloned();
            if let Some(before) = before.filter(|before| stored_image(account) != Some(before)) {
                state.leave_to_removals(account.user.id, before, change.at);
            }
        }
        written.extend(accounts.iter().map(|account| (account.user.id, account.clone())));
        state.accounts = written;
        for account in accounts {
            if account.trash.is_some() {
                state.spared.insert(account.user.id, change.at.plus(ARRIVAL_GRACE));
            } else {
                state.spared.remove(&account.user.id);
            }
        }
        state.dearest_hash = state.dearest_hash.max(Account::dearest_hash(accounts).unwrap_or_default());
        state.has_had_admin |= accounts.iter().any(|account| account.user.role == Role::Admin);
        Ok(())
    }
}

#[async_trait]
impl AccountSource for MemoryStore {
    async fn count(&self) -> Result<u64, Unavailable> {
        Ok(self.lock().accounts.len() as u64)
    }

    async fn read(&self, after: Option<UserId>, limit: usize) -> Result<Vec<Account>, Unavailable> {
        AccountArchive::read(self, after, limit).await
    }

    async fn removals(
        &self,
        after: Option<PendingRemoval>,
        limit: usize,
    ) -> Result<Vec<PendingRemoval>, Unavailable> {
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.image));
        let state = self.lock();
        let removals = state.removals.range((from, Bound::Unbounded)).take(limit);
        let removals = removals.map(|(image, removal)| PendingRemoval {
            owner: removal.owner,
            image: image.clone(),
            due: removal.due,
        });
        Ok(removals.collect())
    }

    async fn has_had_admin(&self) -> Result<bool, Unavailable> {
        Ok(self.lock().has_had_admin)
    }

    async fn expired(&self, cutoff: Timestamp, now: Timestamp) -> Result<Expired, Unavailable> {
        Ok(self.lock().expired(cutoff, now))
    }
}

/// The account's image, where it is one of ours.
fn stored_image(account: &Account) -> Option<&ImageRef> {
    account.user.profile_image.as_ref().and_then(ProfileImage::stored)
}
