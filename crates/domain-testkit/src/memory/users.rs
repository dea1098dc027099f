use async_trait::async_trait;
use roster_domain::entities::{Account, Change, Edit, MAX_SESSIONS, NewUser, Page, User};
use roster_domain::ports::{
    Caller, CallerAnswer, CreateError, Credentials, EditError, FailedLogIn, OpenSession, RemoveImageError,
    SessionState, SetImageError, Unavailable, UserQuery, Users,
};
use roster_domain::values::{
    ClientAddress, Email, Epoch, OwnImage, PageRequest, ProfileImage, Role, SessionId, UserId, Username,
};

use super::{MemoryStore, State, Taken};

#[async_trait]
impl Users for MemoryStore {
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

    async fn open_session(&self, open: &OpenSession, change: &Change) -> Result<bool, Unavailable> {
        let mut state = self.lock();
        let Some(account) = state.live_mut(open.user_id).filter(|account| account.epoch == open.epoch) else {
            return Ok(false);
        };
        account.sessions.push(open.session);
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

    async fn dearest_hash(&self, cost: u32) -> Result<u32, Unavailable> {
        let mut state = self.lock();
        state.dearest_hash = state.dearest_hash.max(cost);
        Ok(state.dearest_hash)
    }

    async fn log_in_failed(&self, failed: &FailedLogIn, change: &Change) -> Result<(), Unavailable> {
        let mut state = self.lock();
        if state.live(failed.user_id).is_some() {
            state.log_ins.entry(failed.user_id).or_default().failed(failed.by_stranger, change.at);
        }
        Ok(())
    }

    async fn session(
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

    async fn list(&self, query: &UserQuery) -> Result<Page<User>, Unavailable> {
        let state = self.lock();
        let is_found = |user: &&User| match &query.search {
            Some(term) => user.username.folded().contains(term.folded()),
            None => true,
        };
        let live = state.accounts.values().filter(|account| account.trash.is_none());
        let found: Vec<&User> = live.map(|account| &account.user).filter(is_found).collect();
        Ok(page_of(&found, query.page))
    }

    async fn edit(&self, user: UserId, edit: &Edit, change: &Change) -> Result<User, EditError> {
        let mut state = self.lock();
        if state.live(user).is_none() {
            return Err(EditError::NotFound);
        }
        match state.taken(user, edit.email.as_ref(), edit.username.as_ref()) {
            Some(Taken::Email) => return Err(EditError::EmailTaken),
            Some(Taken::Username) => return Err(EditError::UsernameTaken),
            None => {}
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

    async fn set_image(&self, user: UserId, image: &OwnImage, change: &Change) -> Result<(), SetImageError> {
        let mut state = self.lock();
        if state.live(user).is_none() {
            return Err(SetImageError::NotFound);
        }
        if !state.removals.get(&image.image).is_some_and(|removal| removal.owner == user && !removal.returned)
        {
            return Err(SetImageError::ReservationLost);
        }
        state.removals.remove(&image.image);
        let account = state.live_mut(user).ok_or(SetImageError::NotFound)?;
        let before = account.user.profile_image.replace(image.clone().into());
        if let Some(ProfileImage::Stored(before)) = before {
            state.leave_to_removals(user, before.image, change.at);
        }
        Ok(())
    }

    async fn remove_image(&self, user: UserId, change: &Change) -> Result<(), RemoveImageError> {
        let mut state = self.lock();
        let account = state.live_mut(user).ok_or(RemoveImageError::NotFound)?;
        let before = account.user.profile_image.take().ok_or(RemoveImageError::NoImage)?;
        if let ProfileImage::Stored(before) = before {
            state.leave_to_removals(user, before.image, change.at);
        }
        Ok(())
    }
}

impl State {
    fn create(&mut self, user: &NewUser, change: &Change) -> Result<(), CreateError> {
        match self.taken(user.id, Some(&user.email), Some(&user.username)) {
            Some(Taken::Email) => return Err(CreateError::EmailTaken),
            Some(Taken::Username) => return Err(CreateError::UsernameTaken),
            None => {}
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

/// That page of all these.
pub(super) fn page_of<T: Clone>(all: &[&T], page: PageRequest) -> Page<T> {
    let offset = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
    Page {
        total: all.len() as u64,
        items: all.iter().skip(offset).take(limit).map(|&item| item.clone()).collect(),
    }
}
