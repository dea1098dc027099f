use std::collections::HashSet;

use super::Roster;
use crate::Error;
use crate::entities::Request;
use crate::ports::{AccessClaims, Interrupted};
use crate::values::{Reason, UserId};

/// What became of a bulk deletion's ids, each list in the order of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkDeletion {
    /// Those in the trash already, those unknown, and those mentioned before.
    pub already_deleted: Vec<UserId>,
    /// Those put into the trash now.
    pub deleted_now: Vec<UserId>,
}

impl Roster {
    /// Puts many users into the trash, each whole or not at all, for admins.
    pub async fn bulk_delete(
        &self,
        claims: AccessClaims,
        ids: Vec<UserId>,
        reason: Reason,
        request: Request,
    ) -> Result<BulkDeletion, Error> {
        let caller = self.admin(claims).await?;
        let change = self.change(Some(caller.id), request);

        let mut seen = HashSet::with_capacity(ids.len());
        let batch: Vec<_> = ids
            .iter()
            .filter(|id| seen.insert(**id))
            .map(|id| (*id, self.ports.ids.trash_entry_id()))
            .collect();
        let tell = |deleted: &[UserId]| {
            for user in deleted {
                tracing::info!(
                    event = "user deleted",
                    %user,
                    by = %caller.id,
                    reason = reason.as_str(),
                    %request,
                    "a user was put into the trash"
                );
            }
        };
        let deleted_now = match self.ports.trash.put_many(&batch, &reason, &change).await {
            Ok(deleted) => deleted,
            Err(Interrupted { done, in_doubt, unavailable }) => {
                tell(&done);
                for user in in_doubt {
                    tracing::warn!(
                        event = "user perhaps deleted",
                        %user,
                        by = %caller.id,
                        reason = reason.as_str(),
                        %request,
                        "the store did not say whether it was"
                    );
                }
                return Err(unavailable.into());
            }
        };
        tell(&deleted_now);

        let mut first_mention_of: HashSet<_> = deleted_now.iter().copied().collect();
        let already_deleted = ids.into_iter().filter(|id| !first_mention_of.remove(id)).collect();
        Ok(BulkDeletion { already_deleted, deleted_now })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{ANN, BEN, CLAIMS, ENTRY, REQUEST, World, unavailable};
    use super::*;
    use crate::values::Role;

    #[tokio::test]
    async fn an_id_is_asked_for_once_and_its_second_mention_was_already_deleted() {
        let unknown = UserId::from_bytes([8; 12]);
        let mut world = World::with_caller(Role::Admin);
        world
            .trash
            .expect_put_many()
            .withf(move |users, reason, change| {
                users == [(BEN, ENTRY), (unknown, ENTRY), (ANN, ENTRY)]
                    && reason.as_str() == "spam"
                    && change.actor == Some(ANN)
            })
            .times(1)
            .returning(|_, _, _| Ok(vec![BEN, ANN]));
        let deletion = world
            .roster()
            .bulk_delete(CLAIMS, vec![BEN, unknown, BEN, ANN], Reason::parse("spam").unwrap(), REQUEST)
            .await
            .unwrap();
        assert_eq!(deletion.deleted_now, [BEN, ANN]);
        assert_eq!(deletion.already_deleted, [unknown, BEN]);
    }

    #[tokio::test]
    async fn a_batch_that_ends_early_is_refused_as_the_store_is() {
        let mut world = World::with_caller(Role::Admin);
        world.trash.expect_put_many().returning(|_, _, _| {
            Err(Interrupted { done: vec![BEN], in_doubt: vec![ANN], unavailable: unavailable() })
        });
        let reason = Reason::parse("spam").unwrap();
        let deletion = world.roster().bulk_delete(CLAIMS, vec![BEN, ANN], reason, REQUEST).await;
        assert!(matches!(deletion, Err(Error::Unavailable(_))));
    }

    #[tokio::test]
    async fn a_regular_user_may_not_delete_in_bulk_not_even_themself() {
        let reason = Reason::parse("bye").unwrap();
        let roster = World::with_caller(Role::Regular).roster();
        assert!(matches!(
            roster.bulk_delete(CLAIMS, vec![ANN], reason, REQUEST).await,
            Err(Error::Forbidden)
        ));
    }
}
