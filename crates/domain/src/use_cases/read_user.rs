use super::Roster;
use super::caller::may_touch;
use crate::Error;
use crate::entities::User;
use crate::ports::AccessClaims;
use crate::values::UserId;

impl Roster {
    /// A live user, for itself and for admins.
    pub async fn read_user(&self, claims: AccessClaims, id: UserId) -> Result<User, Error> {
        let other = (id != claims.user_id).then_some(id);
        let (caller, named) = self.caller(claims, other).await?;
        if !may_touch(&caller, id) {
            return Err(Error::Forbidden);
        }
        if other.is_none() { Ok(caller) } else { named.ok_or(Error::UserNotFound) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ANN, BEN, CLAIMS, World};
    use super::*;
    use crate::values::Role;

    #[tokio::test]
    async fn everybody_reads_their_own_account() {
        let user = World::with_caller(Role::Regular).roster().read_user(CLAIMS, ANN).await.unwrap();
        assert_eq!(user.id, ANN);
    }

    #[tokio::test]
    async fn a_regular_user_is_refused_another_account_whether_or_not_it_exists() {
        for id in [BEN, UserId::from_bytes([8; 12])] {
            let read = World::with_caller(Role::Regular).roster().read_user(CLAIMS, id).await;
            assert!(matches!(read, Err(Error::Forbidden)));
        }
    }

    #[tokio::test]
    async fn an_admin_reads_every_live_account() {
        let roster = World::with_caller(Role::Admin).roster();
        assert_eq!(roster.read_user(CLAIMS, BEN).await.unwrap().id, BEN);
        let unknown = roster.read_user(CLAIMS, UserId::from_bytes([8; 12])).await;
        assert!(matches!(unknown, Err(Error::UserNotFound)));
    }
}
