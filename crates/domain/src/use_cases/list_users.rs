use super::Roster;
use crate::Error;
use crate::entities::{Page, User};
use crate::ports::{AccessClaims, UserQuery};

impl Roster {
    /// One page of the live users, for admins.
    pub async fn list_users(&self, claims: AccessClaims, query: UserQuery) -> Result<Page<User>, Error> {
        self.admin(claims).await?;
        Ok(self.ports.directory.list(&query).await?)
    }
}
