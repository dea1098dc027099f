use async_trait::async_trait;
use roster_domain::entities::{Page, User};
use roster_domain::ports::{Directory, Unavailable, UserQuery};
use roster_domain::values::PageRequest;

use super::MemoryStore;

#[async_trait]
impl Directory for MemoryStore {
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
