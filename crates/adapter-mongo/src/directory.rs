//! Pages of live users, with or without a search. The matches of a search are a range of an index, whatever the term's length.

use async_trait::async_trait;
use mongodb::bson::{Bson, Document, RawDocumentBuf, doc};
use roster_domain::entities::{Page, User};
use roster_domain::ports::{Directory, Unavailable, UserQuery};
use roster_domain::values::{PageRequest, SearchTerm};

use crate::list::List;
use crate::server::ServerFailure;
use crate::totals::{self, STEP, Start};
use crate::{MongoStore, document, indexes, names};

/// Up to so many matches of a search are read as ids at once, which tells the page and the total in one go.
const FEW: u64 = 1_000;

#[async_trait]
impl Directory for MongoStore {
    async fn list(&self, query: &UserQuery) -> Result<Page<User>, Unavailable> {
        Ok(self.page(query).await?)
    }
}

impl MongoStore {
    async fn page(&self, query: &UserQuery) -> Result<Page<User>, ServerFailure> {
        let (total, found) = match &query.search {
            None if query.page.offset() < STEP => {
                tokio::try_join!(self.live_total(), self.live_page(query.page))?
            }
            // The count leaves marks, by which the page is found.
            None => (self.live_total().await?, self.live_page(query.page).await?),
            Some(term) => self.found(search(term), query.page).await?,
        };
        let mut items: Vec<User> = found.iter().filter_map(|found| document::user(found)).collect();
        items.sort_unstable_by_key(|user| user.id);
        Ok(Page { total, items })
    }

    async fn live_page(&self, page: PageRequest) -> Result<Vec<RawDocumentBuf>, ServerFailure> {
        let Start { after, skip } = self.totals.start(page.offset());
        let list = List { filter: totals::after(after), sort: by_id(), index: indexes::LIVE };
        let ids = self.ids_of(list, skip, page.limit()).await?;
        self.server.documents(ids, document::user_fields()).await
    }

    /// A page of a search, and how many it finds in all.
    async fn found(
        &self,
        list: List,
        page: PageRequest,
    ) -> Result<(u64, Vec<RawDocumentBuf>), ServerFailure> {
        // In no order, in which the server would have to look at all of them first.
        let mut first = self.ids_of(List { sort: doc! {}, ..list.clone() }, 0, FEW + 1).await?;
        let matches = first.len() as u64;
        if matches > FEW {
            return self.found_among_many(list, page).await;
        }
        first.sort_unstable_by_key(Bson::as_object_id);
        let offset = usize::try_from(page.offset()).unwrap_or(usize::MAX);
        let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
        let page = first.into_iter().skip(offset).take(limit).collect();
        Ok((matches, self.server.documents(page, document::user_fields()).await?))
    }

    /// A page in the first matches is looked for while they are counted, another from the nearer end once they are.
    async fn found_among_many(
        &self,
        list: List,
        page: PageRequest,
    ) -> Result<(u64, Vec<RawDocumentBuf>), ServerFailure> {
        let total = self.count(list.filter.clone(), list.index, 0);
        if page.offset() < FEW {
            return tokio::try_join!(total, self.page_of(list, page, document::user_fields()));
        }
        let total = total.await?;
        let on_page = total.saturating_sub(page.offset()).min(page.limit());
        let behind = total.saturating_sub(page.offset()) - on_page;
        if on_page == 0 {
            return Ok((total, Vec::new()));
        }
        let ids = if behind < page.offset() {
            let backwards = List { sort: doc! { "_id": -1 }, ..list };
            self.ids_of(backwards, behind, on_page).await?
        } else {
            self.ids_of(list, page.offset(), on_page).await?
        };
        Ok((total, self.server.documents(ids, document::user_fields()).await?))
    }
}

/// What finds the users of a search.
fn search(term: &SearchTerm) -> List {
    let filter = doc! {
        "roster.suffixes": { "$regex": names::beginning_with(term.folded()) },
        "is_deleted": false,
    };
    List { filter, sort: by_id(), index: indexes::SUFFIXES }
}

fn by_id() -> Document {
    doc! { "_id": 1 }
}
