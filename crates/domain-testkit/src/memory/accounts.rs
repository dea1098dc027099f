use async_trait::async_trait;
use roster_domain::entities::{Account, Change, Edit, NewUser, User};
use roster_domain::ports::{Accounts, Caller, CallerAnswer, CreateError, EditError, Unavailable};
use roster_domain::values::{Epoch, Role, SessionId, UserId, Username};

use super::{MemoryStore, State};

#[async_trait]
impl Accounts for MemoryStore {
    async fn create(&self, user: &NewUser, change: &Change) -> Result<(), CreateError> {
        self.lock().create(user, change)
    }

    async fn create_first_admin(&self, user: &NewUser, change: &Change) -> Result<(), CreateError> {
        let mut state = self.lock();
        if state.has_had_admin {
            return Err(CreateError::AdminExists);
        }
        state.create(user, change)
    }

    async fn has_had_admin(&self) -> Result<bool, Unavailable> {
        Ok(self.lock().has_had_admin)
    }

    async fn free_usernames(&self, candidates: &[Username]) -> Result<Vec<Username>, Unavailable> {
        let state = self.lock();
        let is_free = |name: &&Username| {
            let key = name.key();
            state.accounts.values().all(|account| account.user.username.key() != key)
        };
        Ok(candidates.iter().filter(is_free).cloned().collect())
    }

    async fn caller(&self, caller: Caller, named: Option<UserId>) -> Result<CallerAnswer, Unavailable> {
        let state = self.lock();
        let account = state.live(caller.user_id);
        let has_session = |id: SessionId| {
            account.is_some_and(|account| account.sessions.iter().any(|session| session.id == id))
        };
        Ok(CallerAnswer {
            caller: account.map(|account| account.user.clone()),
            epoch: account.map_or(Epoch::FIRST, |account| account.epoch),
            session_lives: caller.session.is_none_or(has_session),
            named: named.and_then(|id| state.live(id)).map(|account| account.user.clone()),
        })
    }

    async fn edit(&self, user: UserId, edit: &Edit, change: &Change) -> Result<User, EditError> {
        let mut state = self.lock();
        if state.live(user).is_none() {
            return Err(EditError::NotFound);
        }
        if let Some(clash) = state.name_clash(user, edit.email.as_ref(), edit.username.as_ref()) {
            return Err(clash.into());
        }
        let user = &mut state.live_mut(user).ok_or(EditError::NotFound)?.user;
        if let Some(email) = &edit.email {
            user.email = email.clone();
        }
        if let Some(username) = &edit.username {
            user.username = username.clone();
        }
        user.updated_at = Some(change.at);
        user.updated_by = change.actor;
        Ok(user.clone())
    }
}

impl State {
    fn create(&mut self, user: &NewUser, change: &Change) -> Result<(), CreateError> {
        if let Some(clash) = self.name_clash(user.id, Some(&user.email), Some(&user.username)) {
            return Err(clash.into());
        }
        self.has_had_admin |= user.role == Role::Admin;
        let account = Account {
            user: crate::fixtures::shown(user, change.at),
            password_hash: user.password_hash.clone(),
            epoch: Epoch::FIRST,
            sessions: Vec::new(),
            trash: None,
        };
        self.accounts.insert(user.id, account);
        Ok(())
    }
}
