use async_trait::async_trait;
use roster_domain::entities::{Change, MAX_SESSIONS};
use roster_domain::ports::{Credentials, FailedLogIn, OpenSession, SessionState, Sessions, Unavailable};
use roster_domain::values::{ClientAddress, Email, SessionId, UserId};

use super::MemoryStore;

#[async_trait]
impl Sessions for MemoryStore {
    async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, Unavailable> {
        let key = email.key();
        let state = self.lock();
        let account = state
            .accounts
            .values()
            .find(|account| account.trash.is_none() && account.user.email.key() == key);
        Ok(account.map(|account| Credentials {
            user_id: account.user.id,
            password_hash: account.password_hash.clone(),
            epoch: account.epoch,
            log_ins: state.log_ins.get(&account.user.id).cloned().unwrap_or_default(),
        }))
    }

    async fn open(&self, open: &OpenSession, change: &Change) -> Result<bool, Unavailable> {
        let mut state = self.lock();
        let Some(account) = state.live_mut(open.user_id).filter(|account| account.epoch == open.epoch) else {
            return Ok(false);
        };
        account.sessions.push(open.started_by(change));
        let ended = account.sessions.len().saturating_sub(MAX_SESSIONS);
        account.sessions.drain(..ended);
        if let Some(rehash) = &open.rehash
            && account.password_hash == rehash.old
        {
            account.password_hash = rehash.new.clone();
        }
        let client = change.request.client.map(ClientAddress::client);
        state.log_ins.entry(open.user_id).or_default().succeeded(client);
        Ok(true)
    }

    async fn log_in_failed(&self, failed: &FailedLogIn, change: &Change) -> Result<(), Unavailable> {
        let mut state = self.lock();
        if state.live(failed.user_id).is_some() {
            state.log_ins.entry(failed.user_id).or_default().failed(failed.by_stranger, change.at);
        }
        Ok(())
    }

    async fn dearest_hash(&self, cost: u32) -> Result<u32, Unavailable> {
        let mut state = self.lock();
        state.dearest_hash = state.dearest_hash.max(cost);
        Ok(state.dearest_hash)
    }

    async fn state(
        &self,
        user: UserId,
        session: Option<SessionId>,
    ) -> Result<Option<SessionState>, Unavailable> {
        let state = self.lock();
        Ok(state.live(user).map(|account| SessionState {
            epoch: account.epoch,
            refresh_token: session
                .and_then(|id| account.sessions.iter().find(|session| session.id == id))
                .map(|session| session.refresh_token),
        }))
    }
}
