//! Pages of a list. A page is found through an index that holds all the question needs, and only its own documents are read.

use mongodb::bson::{Bson, Document, RawDocumentBuf, doc};
use roster_domain::values::PageRequest;

use crate::MongoStore;
use crate::server::{DEADLINE, Find, ServerFailure};
use crate::totals::ids;

/// What finds the documents of a list, and in which order.
#[derive(Clone)]
pub(crate) struct List {
    pub(crate) filter: Document,
    pub(crate) sort: Document,
    pub(crate) index: &'static str,
}

impl MongoStore {
    /// The documents of one page, in any order: their ids through the index, then they themselves.
    pub(crate) async fn page_of(
        &self,
        list: List,
        page: PageRequest,
        projection: Document,
    ) -> Result<Vec<RawDocumentBuf>, ServerFailure> {
        let ids = self.ids_of(list, page.offset(), page.limit()).await?;
        self.server.documents(ids, projection).await
    }

    /// The ids of the documents of a list, from one place on.
    pub(crate) async fn ids_of(&self, list: List, skip: u64, limit: u64) -> Result<Vec<Bson>, ServerFailure> {
        // The server adds the two in signed numbers.
        if skip > i64::MAX.unsigned_abs() / 2 {
            return Ok(Vec::new());
        }
        let find = Find {
            filter: list.filter,
            projection: doc! { "_id": 1 },
            sort: list.sort,
            skip,
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
            index: Some(list.index),
        };
        Ok(ids(&self.server.find(find, DEADLINE).await?))
    }
}
