use std::collections::HashSet;
use std::ops::Bound;

use async_trait::async_trait;
use roster_domain::entities::Account;
use roster_domain::ports::{AccountArchive, Unavailable};
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

    async fn write(&self, accounts: &[Account]) -> Result<(), Unavailable> {
        let mut state = self.lock();
        let mut written = state.accounts.clone();
        written.extend(accounts.iter().map(|account| (account.user.id, account.clone())));
        let (mut emails, mut usernames) = (HashSet::new(), HashSet::new());
        for account in written.values() {
            if !emails.insert(account.user.email.key()) || !usernames.insert(account.user.username.key()) {
                return Err(Unavailable::new("memory", "two accounts of one name"));
            }
        }
        state.accounts = written;
        state.has_had_admin |= accounts.iter().any(|account| account.user.role == Role::Admin);
        Ok(())
    }
}
