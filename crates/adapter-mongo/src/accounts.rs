use async_trait::async_trait;
use mongodb::bson::{Bson, Document, doc};
use roster_domain::entities::{Change, Edit, NewUser, User};
use roster_domain::ports::{Accounts, Caller, CallerAnswer, CreateError, EditError, NameClash, Unavailable};
use roster_domain::values::{Email, Epoch, Role, SessionId, UserId, Username};

use crate::document::{self, object_id};
use crate::server::{DEADLINE, Find, ServerFailure};
use crate::{MongoStore, names};

/// How often a write is tried again whose refusal could not be explained, because what refused it has gone meanwhile.
pub(crate) const ATTEMPTS: usize = 8;

#[async_trait]
impl Accounts for MongoStore {
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
        let find = Find {
            filter: doc! { "roster.username_key": { "$in": keys } },
            projection: doc! { "_id": 0, "roster.username_key": 1 },
            sort: doc! {},
            skip: 0,
            limit: 0,
            index: None,
        };
        let found = self.server.find(find, DEADLINE).await?;
        let taken = |name: &Username| {
            let key = name.key();
            found
                .iter()
                .filter_map(|found| document::roster(found))
                .any(|roster| document::text(roster, "username_key") == Some(key.as_str()))
        };
        Ok(candidates.iter().filter(|name| !taken(name)).cloned().collect())
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
            let mut filter = document::live(user);
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
                    let (email, username) = (edit.email.as_ref(), edit.username.as_ref());
                    if let Some(clash) = self.name_clash(user, email, username).await? {
                        return Err(clash.into());
                    }
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(ServerFailure::Unexpected("the names of an edit were taken and free in turns".to_owned()).into())
    }
}

impl MongoStore {
    /// Inserts a user. The first admin contends for a unique index besides; any other admin that could be the first does too,
    /// and is inserted all the same where another was first.
    async fn insert(&self, user: &NewUser, change: &Change, must_be_first: bool) -> Result<(), CreateError> {
        let is_admin = user.role == Role::Admin;
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
            let own = doc! { "_id": object_id(user.id), "roster.request": document::request(change) };
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
            if let Some(clash) = self.name_clash(user.id, Some(&user.email), Some(&user.username)).await? {
                return Err(clash.into());
            }
        }
        Err(ServerFailure::Unexpected("the names of a sign-up were taken and free in turns".to_owned())
            .into())
    }

    async fn insert_counted(&self, id: UserId, document: Document) -> Result<(), ServerFailure> {
        let users = self.server.writes.users.clone_with_type::<Document>();
        let insert = async move { users.insert_one(document).await.map(|_| ()) };
        let counted = self.totals.counting(id, 1, insert, |()| true);
        self.server.writes.run("insert", counted).await
    }

    /// Which of the names a user other than `user` has; of two the email.
    async fn name_clash(
        &self,
        user: UserId,
        email: Option<&Email>,
        username: Option<&Username>,
    ) -> Result<Option<NameClash>, ServerFailure> {
        let other = doc! { "$ne": object_id(user) };
        if let Some(email) = email
            && self.server.exists(doc! { "roster.email_key": email.key(), "_id": other.clone() }).await?
        {
            return Ok(Some(NameClash::Email));
        }
        if let Some(username) = username
            && self.server.exists(doc! { "roster.username_key": username.key(), "_id": other }).await?
        {
            return Ok(Some(NameClash::Username));
        }
        Ok(None)
    }
}
