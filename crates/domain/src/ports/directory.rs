use async_trait::async_trait;

use super::Unavailable;
use crate::entities::{Page, User};
use crate::values::{PageRequest, SearchTerm};

/// The live users, page by page.
#[cfg_attr(any(test, feature = "mocks"), mockall::automock)]
#[async_trait]
pub trait Directory: Send + Sync {
    /// One page of the live users, ordered by id, and how many there are.
    ///
    /// - With a term, MUST list exactly those whose [`folded`](crate::values::Username::folded) username contains it, as literal text. Of a
    ///   name that an earlier system let in, that is the first [`SEARCHED`](crate::values::Username::SEARCHED) code points: what lies behind
    ///   need not be kept, and MAY be found.
    /// - `total` MUST be exact, and MUST tell of what this adapter has written before.
    /// - The first page, page and total MUST NOT cost in proportion to the number of users; nor, with a term of three code
    ///   points or more, to anything but the number of matches.
    async fn list(&self, query: &UserQuery) -> Result<Page<User>, Unavailable>;
}

/// Which users to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserQuery {
    /// Those whose username contains this; all without.
    pub search: Option<SearchTerm>,
    /// Which page of them.
    pub page: PageRequest,
}
