use std::collections::HashSet;
use std::ops::Bound;

use async_trait::async_trait;
use roster_domain::entities::Account;
use roster_domain::ports::{AccountArchive, ImportError, Unavailable};
use roster_domain::values::{Role, UserId};

use super::MemoryStore;

#[async_trait]
impl AccountArchive for MemoryStore {
    async fn read(&self, after: Option<UserId>, limit: usize) -> Result<Vec<Account>, Unavailable> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let state = self.lock();
        let accounts = state.accounts.range((from, Bound::Unbounded));
        Ok(accounts.take(limit).map(|(_, account)| account.clone()).collect())
    }

    async fn write(&self, accounts: &[Account]) -> Result<(), ImportError> {
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
        written.extend(accounts.iter().map(|account| (account.user.id, account.clone())));
        state.accounts = written;
        state.has_had_admin |= accounts.iter().any(|account| account.user.role == Role::Admin);
        Ok(())
    }
}
