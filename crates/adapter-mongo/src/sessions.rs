use async_trait::async_trait;
use mongodb::bson::{Bson, doc};
use mongodb::options::ReturnDocument;
use roster_domain::entities::{Change, MAX_CLIENTS, MAX_SESSIONS};
use roster_domain::ports::{Credentials, FailedLogIn, OpenSession, SessionState, Sessions, Unavailable};
use roster_domain::values::{Email, Epoch, SessionId, UserId};

use crate::MongoStore;
use crate::document::{self, literal, object_id};
use crate::server::{DEADLINE, Find, ServerFailure};

#[async_trait]
impl Sessions for MongoStore {
    async fn credentials(&self, email: &Email) -> Result<Option<Credentials>, Unavailable> {
        let filter = doc! { "roster.email_key": email.key(), "is_deleted": false };
        let found = self
            .server
            .find_one(filter, doc! { "password": 1, "roster.epoch": 1, "roster.log_ins": 1 })
            .await?;
        Ok(found.and_then(|found| {
            Some(Credentials {
                user_id: document::user_id(&found)?,
                password_hash: document::password_hash(&found),
                epoch: document::epoch(&found),
                log_ins: document::log_ins(&found),
            })
        }))
    }

    async fn open(&self, open: &OpenSession, change: &Change) -> Result<bool, Unavailable> {
        let mut filter = document::live(open.user_id);
        filter.insert("roster.epoch", epoch_filter(open.epoch));
        #[expect(clippy::cast_possible_wrap, clippy::cast_possible_truncation, reason = "both are 16")]
        let (sessions, clients) = (MAX_SESSIONS as i32, MAX_CLIENTS as i32);
        let session = literal(document::stored_session(&open.started_by(change)));
        let before = doc! { "$ifNull": ["$roster.sessions", []] };
        let mut set = doc! {
            "roster.sessions": { "$slice": [{ "$concatArrays": [before, [session]] }, -sessions] },
            "roster.log_ins.failures": 0,
            "roster.log_ins.stranger_failed_at": "$$REMOVE",
        };
        if let Some(address) = change.request.client {
            let client = literal(address.client().to_string());
            let before = doc! { "$ifNull": ["$roster.log_ins.clients", []] };
            let others =
                doc! { "$filter": { "input": before, "cond": { "$ne": ["$$this", client.clone()] } } };
            let all = doc! { "$concatArrays": [[client], others] };
            set.insert("roster.log_ins.clients", doc! { "$slice": [all, clients] });
        }

        if let Some(rehash) = &open.rehash {
            let mut filter = filter.clone();
            let old = rehash.old.expose();
            filter.insert("password", doc! { "$in": [document::password(&rehash.old), old] });
            let mut set = set.clone();
            set.insert("password", literal(document::password(&rehash.new)));
            if self.server.change(filter, vec![doc! { "$set": set }], doc! { "_id": 1 }).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(self.server.change(filter, vec![doc! { "$set": set }], doc! { "_id": 1 }).await?.is_some())
    }

    async fn log_in_failed(&self, failed: &FailedLogIn, change: &Change) -> Result<(), Unavailable> {
        let mut update = doc! { "$inc": { "roster.log_ins.failures": 1 } };
        if failed.by_stranger {
            update.insert("$max", doc! { "roster.log_ins.stranger_failed_at": document::date(change.at) });
        }
        self.server.change(document::live(failed.user_id), update, doc! { "_id": 1 }).await?;
        Ok(())
    }

    async fn dearest_hash(&self, cost: u32) -> Result<u32, Unavailable> {
        // The FastAPI service told nobody what its hashes cost. Whoever set it up once had one cost at a time.
        let mut dearest = cost;
        for direction in [1, -1] {
            let find = Find {
                filter: doc! {},
                projection: doc! { "password": 1 },
                sort: doc! { "_id": direction },
                skip: 0,
                limit: 1,
                index: None,
            };
            let found = self.server.find(find, DEADLINE).await?;
            let costs = found.iter().filter_map(|found| document::password_hash(found).bcrypt_cost());
            dearest = costs.fold(dearest, u32::max);
        }
        Ok(self.remember_cost(dearest).await?)
    }

    async fn state(
        &self,
        user: UserId,
        session: Option<SessionId>,
    ) -> Result<Option<SessionState>, Unavailable> {
        let found = self.server.document(object_id(user)).await?.filter(|found| document::is_live(found));
        Ok(found.map(|found| SessionState {
            epoch: document::epoch(&found),
            refresh_token: document::sessions(&found)
                .into_iter()
                .find(|kept| Some(kept.id) == session)
                .map(|kept| kept.refresh_token),
        }))
    }
}

/// What finds an epoch; a document that nobody has adopted has the first.
fn epoch_filter(epoch: Epoch) -> Bson {
    let number = document::epoch_number(epoch);
    if epoch == Epoch::FIRST { doc! { "$in": [number, Bson::Null] }.into() } else { number.into() }
}

impl MongoStore {
    /// Remembers that a hash may cost so much. Returns what the dearest may cost.
    pub(crate) async fn remember_cost(&self, cost: u32) -> Result<u32, ServerFailure> {
        let meta = self.server.writes.meta.clone();
        let raise = async move {
            meta.find_one_and_update(
                doc! { "_id": "dearest_hash" },
                doc! { "$max": { "cost": i64::from(cost) } },
            )
            .upsert(true)
            .return_document(ReturnDocument::After)
            .await
        };
        let kept = self.server.writes.run("update", raise).await?.and_then(|kept| kept.get_i64("cost").ok());
        Ok(kept.and_then(|kept| u32::try_from(kept).ok()).unwrap_or(cost))
    }
}
