use super::Roster;
use crate::Error;
use crate::entities::{Page, TrashEntry};
use crate::ports::AccessClaims;
use crate::values::PageRequest;

impl Roster {
    /// One page of the trash, for admins.
    pub async fn list_trash(
        &self,
        claims: AccessClaims,
        page: PageRequest,
    ) -> Result<Page<TrashEntry>, Error> {
        self.admin(claims).await?;
        Ok(self.ports.trash.list(page).await?)
    }
}
