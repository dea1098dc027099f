use async_trait::async_trait;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::ReturnDocument;
use roster_domain::entities::{Change, Edit, MAX_CLIENTS, MAX_SESSIONS, NewUser, Page, User};
use roster_domain::ports::{
    Caller, CallerAnswer, CreateError, Credentials, EditError, FailedLogIn, OpenSession, RemoveImageError,
    SessionState, SetImageError, Unavailable, UserQuery, Users,
};
use roster_domain::values::{Email, Epoch, OwnImage, SessionId, UserId, Username};

use crate::document::{self, literal, object_id};
use crate::server::{Failure, change};
use crate::{MongoStore, names};

/// How often a write is tried again whose refusal could not be explained, because what refused it has gone meanwhile.
pub(crate) const ATTEMPTS: usize = 8;

/// A field that all documents of live users have, whoever wrote them.
fn live(user: UserId) -> Document {
    doc! { "_id": object_id(user), "is_deleted": false }
}

#[async_trait]
impl Users for MongoStore {
    async fn create(&self, user: &NewUser, change: &Change) -> Result<(), CreateError> {
        self.insert(user, change, false).await
    }

    async fn create_first_admin(&self, user: &NewUser, change: &Change) -> Result<(), CreateError> {
        if self.had_admin().await? {
            return Err(CreateError::AdminExists);
        }
        self.insert(user, change, true).await
    }

    async fn has_had_admin(&self) -> Result<bool, Unavailable> {
        Ok(self.had_admin().await?)
    }

    async fn free_usernames(&self, candidates: &[Username]) -> Result<Vec<Username>, Unavailable> {
        let keys: Vec<Bson> = candidates.iter().map(|name| name.key().into()).collect();
        let find = crate::server::Find {
            filter: doc! { "roster.username_key": { "$in": keys } },
            projection: doc! { "_id": 0, "roster.username_key": 1 },
            sort: doc! {},
            skip: 0,
            limit: 0,
            index: None,
        };
        let found = self.server.find(find, crate::server::DEADLINE).await?;
        let taken = |name: &Username| {
            let key = name.key();
            found
                .iter()
                .filter_map(|found| document::roster(found))
                .any(|roster| document::text(roster, "username_key") == Some(key.as_str()))
        };
        Ok(candidates.iter().filter(|name| !taken(name)).cloned().collect())
    }

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

    async fn open_session(&self, open: &OpenSession, change: &Change) -> Result<bool, Unavailable> {
        let mut filter = live(open.user_id);
        filter.insert("roster.epoch", epoch_filter(open.epoch));
        #[expect(clippy::cast_possible_wrap, clippy::cast_possible_truncation, reason = "both are 16")]
        let (sessions, clients) = (MAX_SESSIONS as i32, MAX_CLIENTS as i32);
        let session = literal(document::stored_session(&open.session));
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

    async fn dearest_hash(&self, cost: u32) -> Result<u32, Unavailable> {
        // The FastAPI service told nobody what its hashes cost. Whoever set it up once had one cost at a time.
        let mut dearest = cost;
        for direction in [1, -1] {
            let find = crate::server::Find {
                filter: doc! {},
                projection: doc! { "password": 1 },
                sort: doc! { "_id": direction },
                skip: 0,
                limit: 1,
                index: None,
            };
            let found = self.server.find(find, crate::server::DEADLINE).await?;
            let costs = found.iter().filter_map(|found| document::password_hash(found).bcrypt_cost());
            dearest = costs.fold(dearest, u32::max);
        }
        Ok(self.remember_cost(dearest).await?)
    }

    async fn log_in_failed(&self, failed: &FailedLogIn, change: &Change) -> Result<(), Unavailable> {
        let mut update = doc! { "$inc": { "roster.log_ins.failures": 1 } };
        if failed.by_stranger {
            update.insert("$max", doc! { "roster.log_ins.stranger_failed_at": document::date(change.at) });
        }
        self.server.change(live(failed.user_id), update, doc! { "_id": 1 }).await?;
        Ok(())
    }

    async fn session(
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

    async fn caller(&self, caller: Caller, named: Option<UserId>) -> Result<CallerAnswer, Unavailable> {
        let id = object_id(caller.user_id);
        let found = match named.filter(|named| *named != caller.user_id) {
            None => self.server.document(id).await?.into_iter().collect(),
            Some(named) => self.server.documents(vec![id.into(), object_id(named).into()], doc! {}).await?,
        };
        let of = |user| {
            found.iter().find(|found| document::is_live(found) && document::user_id(found) == Some(user))
        };
        let document = of(caller.user_id);
        let session_lives = caller.session.is_none_or(|session| {
            let roster = document.and_then(|document| document::roster(document));
            roster.is_some_and(|roster| {
                document::each(roster, "sessions")
                    .any(|kept| document::binary(kept, "id").map(SessionId::from_bytes) == Some(session))
            })
        });
        Ok(CallerAnswer {
            caller: document.and_then(|document| document::user(document)),
            epoch: document.map_or(Epoch::FIRST, |document| document::epoch(document)),
            session_lives,
            named: named.and_then(of).and_then(|document| document::user(document)),
        })
    }

    async fn list(&self, query: &UserQuery) -> Result<Page<User>, Unavailable> {
        Ok(self.page(query).await?)
    }

    async fn edit(&self, user: UserId, edit: &Edit, change: &Change) -> Result<User, EditError> {
        let mut set = doc! {
            "updated_at": document::date(change.at),
            "updated_by": document::optional_id_text(change.actor),
        };
        if let Some(email) = &edit.email {
            set.insert("email", email.as_str());
            set.extend(names::email_fields(email));
        }
        if let Some(username) = &edit.username {
            set.insert("username", username.as_str());
            set.extend(names::username_fields(username));
        }
        for _ in 0..ATTEMPTS {
            let mut filter = live(user);
            filter.insert("roster.v", document::VERSION);
            let edited =
                self.server.change(filter, doc! { "$set": set.clone() }, document::user_fields()).await;
            match edited {
                Ok(Some(edited)) => return document::user(&edited).ok_or(EditError::NotFound),
                Ok(None) => {
                    if !self.adopt_if_needed(user).await? {
                        return Err(EditError::NotFound);
                    }
                }
                Err(failure) if failure.is_duplicate_key() => {
                    match self.taken(user, edit.email.as_ref(), edit.username.as_ref()).await? {
                        Some(Taken::Email) => return Err(EditError::EmailTaken),
                        Some(Taken::Username) => return Err(EditError::UsernameTaken),
                        None => {}
                    }
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(Failure::Unexpected("the names of an edit were taken and free in turns".to_owned()).into())
    }

    async fn set_image(&self, user: UserId, own: &OwnImage, change: &Change) -> Result<(), SetImageError> {
        let image = &own.image;
        let mut filter = live(user);
        let mut reservation = document::stored_image(image);
        reservation.insert("removing", false);
        filter.insert("roster.removals", doc! { "$elemMatch": reservation });
        let others = doc! { "$filter": { "input": "$roster.removals", "as": "removal", "cond": { "$or": [
            { "$ne": ["$$removal.store", literal(image.store.as_str())] },
            { "$ne": ["$$removal.key", literal(image.key.as_str())] },
        ] } } };
        let set = doc! {
            "roster.image": literal(document::stored_own_image(own)),
            "roster.removals": { "$concatArrays": [others, image_before(change)] },
        };
        if self.server.change(filter, vec![doc! { "$set": set }], doc! { "_id": 1 }).await?.is_some() {
            return Ok(());
        }
        let is_live = self.server.exists(live(user)).await?;
        Err(if is_live { SetImageError::ReservationLost } else { SetImageError::NotFound })
    }

    async fn remove_image(&self, user: UserId, change: &Change) -> Result<(), RemoveImageError> {
        let mut filter = live(user);
        let has_image =
            [doc! { "roster.image": { "$type": "object" } }, doc! { "profile_image": { "$type": "string" } }];
        filter.insert("$or", has_image.to_vec());
        let removals = doc! { "$ifNull": ["$roster.removals", []] };
        let update = vec![
            doc! { "$set": { "roster.removals": { "$concatArrays": [removals, image_before(change)] } } },
            doc! { "$unset": ["roster.image", "profile_image"] },
        ];
        if self.server.change(filter, update, doc! { "_id": 1 }).await?.is_some() {
            return Ok(());
        }
        let is_live = self.server.exists(live(user)).await?;
        Err(if is_live { RemoveImageError::NoImage } else { RemoveImageError::NotFound })
    }
}

/// An expression: the removal of the image that a user has, due at once, or nothing.
pub(crate) fn image_before(change: &Change) -> Document {
    let removal = doc! {
        "store": "$roster.image.store",
        "key": "$roster.image.key",
        "due": document::date(change.at),
        "removing": false,
    };
    doc! { "$cond": [{ "$eq": [{ "$type": "$roster.image" }, "object"] }, [removal], []] }
}

/// What finds an epoch; a document that nobody has adopted has the first.
fn epoch_filter(epoch: Epoch) -> Bson {
    let number = document::epoch_number(epoch);
    if epoch == Epoch::FIRST { doc! { "$in": [number, Bson::Null] }.into() } else { number.into() }
}

/// Which name another user has.
enum Taken {
    Email,
    Username,
}

impl MongoStore {
    /// Inserts a user. The first admin contends for a unique index besides; any other admin that could be the first does too,
    /// and is inserted all the same where another was first.
    async fn insert(&self, user: &NewUser, change: &Change, must_be_first: bool) -> Result<(), CreateError> {
        let is_admin = user.role == roster_domain::values::Role::Admin;
        let mut claims_first = must_be_first || (is_admin && !self.had_admin().await?);
        for _ in 0..ATTEMPTS {
            let mut document = document::new_user(user, change);
            if claims_first && let Ok(roster) = document.get_document_mut("roster") {
                roster.insert("first_admin", true);
            }
            match self.insert_counted(user.id, document).await {
                Ok(()) => {
                    if is_admin {
                        self.note_admin().await;
                    }
                    return Ok(());
                }
                Err(failure) if failure.is_duplicate_key() => {}
                Err(failure) => return Err(failure.into()),
            }
            let request = document::bytes(change.request.id.as_bytes());
            let own = doc! { "_id": object_id(user.id), "roster.request": request };
            if self.server.exists(own).await? {
                // Our own first attempt, whose answer was lost.
                return Ok(());
            }
            if claims_first && self.had_admin().await? {
                if must_be_first {
                    return Err(CreateError::AdminExists);
                }
                claims_first = false;
                continue;
            }
            match self.taken(user.id, Some(&user.email), Some(&user.username)).await? {
                Some(Taken::Email) => return Err(CreateError::EmailTaken),
                Some(Taken::Username) => return Err(CreateError::UsernameTaken),
                None => {}
            }
        }
        Err(Failure::Unexpected("the names of a sign-up were taken and free in turns".to_owned()).into())
    }

    async fn insert_counted(&self, id: UserId, document: Document) -> Result<(), Failure> {
        let users = self.server.writes.users.clone_with_type::<Document>();
        let insert = async move { users.insert_one(document).await.map(|_| ()) };
        let counted = self.totals.counting(id, 1, insert, |()| true);
        self.server.writes.run("insert", counted).await
    }

    /// Which of the names a user other than `user` has; of two the email.
    async fn taken(
        &self,
        user: UserId,
        email: Option<&Email>,
        username: Option<&Username>,
    ) -> Result<Option<Taken>, Failure> {
        let other = doc! { "$ne": object_id(user) };
        if let Some(email) = email
            && self.server.exists(doc! { "roster.email_key": email.key(), "_id": other.clone() }).await?
        {
            return Ok(Some(Taken::Email));
        }
        if let Some(username) = username
            && self.server.exists(doc! { "roster.username_key": username.key(), "_id": other }).await?
        {
            return Ok(Some(Taken::Username));
        }
        Ok(None)
    }

    /// Changes a document as [`Server::change`](crate::server::Server::change) does; where there was one to change, the
    /// number of live users changes by `by`.
    pub(crate) async fn change_counted(
        &self,
        user: UserId,
        by: i64,
        filter: Document,
        update: impl Into<mongodb::options::UpdateModifications>,
        projection: Document,
    ) -> Result<Option<mongodb::bson::RawDocumentBuf>, Failure> {
        let (users, update) = (self.server.writes.users.clone(), update.into());
        let write = async move { change(&users, filter, update, projection).await };
        self.server.writes.run("update", self.totals.counting(user, by, write, Option::is_some)).await
    }
}

impl MongoStore {
    /// Remembers that a hash may cost so much. Returns what the dearest may cost.
    pub(crate) async fn remember_cost(&self, cost: u32) -> Result<u32, Failure> {
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
