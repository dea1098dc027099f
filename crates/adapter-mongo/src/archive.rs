use async_trait::async_trait;
use mongodb::bson::{Bson, Document, RawDocument, doc};
use roster_domain::entities::Account;
use roster_domain::ports::{AccountArchive, ImportError, Unavailable};
use roster_domain::values::{ProfileImage, Role, Timestamp, UserId};

use crate::document::{self, literal, object_id};
use crate::server::{Failure, Find, JOB_DEADLINE};
use crate::{MongoStore, statements};

/// How many accounts are written in one command.
const BATCH: usize = 1_000;

#[async_trait]
impl AccountArchive for MongoStore {
    async fn read(&self, after: Option<UserId>, limit: usize) -> Result<Vec<Account>, Unavailable> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut found = self.accounts(after, limit).await?;
        if found.iter().any(|found| needs_adoption(found)) {
            self.adopt(&found).await?;
            found = self.accounts(after, limit).await?;
        }
        Ok(found.iter().map(|found| account(found)).collect::<Result<_, _>>()?)
    }

    async fn write(&self, accounts: &[Account]) -> Result<(), ImportError> {
        for batch in accounts.chunks(BATCH) {
            let updates = batch.iter().map(replacement).collect();
            let written = self.server.update_all(updates, JOB_DEADLINE).await;
            self.totals.forget();
            if batch.iter().any(|account| account.user.role == Role::Admin) {
                self.note_admin().await;
            }
            if let Some(failed) = written?.failed.into_iter().next() {
                let user = batch.get(failed.place).map(|account| account.user.id);
                return Err(match user {
                    Some(user) if failed.is_duplicate_key => ImportError::NameTaken { user },
                    _ => Failure::Unexpected(failed.message).into(),
                });
            }
        }
        Ok(())
    }
}

impl MongoStore {
    async fn accounts(
        &self,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<mongodb::bson::RawDocumentBuf>, Failure> {
        let mut filter = doc! { "roster.tombstone": { "$ne": true } };
        if let Some(after) = after {
            filter.insert("_id", doc! { "$gt": object_id(after) });
        }
        let find = Find {
            filter,
            projection: doc! { "roster.suffixes": 0 },
            sort: doc! { "_id": 1 },
            skip: 0,
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
            index: None,
        };
        self.server.find(find, JOB_DEADLINE).await
    }
}

/// A user that the FastAPI service or somebody with a shell wrote a moment ago.
fn needs_adoption(found: &RawDocument) -> bool {
    let is_trashed = document::is_true(found, "is_deleted");
    document::is_unadopted(found) || is_trashed != document::trash_entry(found).is_some()
}

fn account(found: &RawDocument) -> Result<Account, Failure> {
    let user = document::user(found).filter(|_| !needs_adoption(found));
    let Some(user) = user else {
        return Err(Failure::Unexpected(format!("{:?} can't be adopted", found.get("_id"))));
    };
    Ok(Account {
        user,
        password_hash: document::password_hash(found),
        epoch: document::epoch(found),
        sessions: document::sessions(found),
        trash: document::trash_entry(found),
    })
}

/// What writes an account. Of what is there only the promises to remove images are kept, and the image before joins them.
fn replacement(account: &Account) -> Document {
    let user = &account.user;
    let removals = doc! { "$ifNull": ["$roster.removals", []] };
    let image = user.profile_image.as_ref().and_then(ProfileImage::stored).map(document::stored_image);
    let is_other = doc! { "$and": [
        { "$eq": [{ "$type": "$roster.image" }, "object"] },
        { "$ne": ["$roster.image", literal(image.clone().map_or(Bson::Null, Bson::from))] },
    ] };
    let image_before = doc! {
        "store": "$roster.image.store",
        "key": "$roster.image.key",
        "due": document::date(Timestamp::from_millis(0)),
        "removing": false,
    };

    let sessions: Vec<Document> = account.sessions.iter().map(document::stored_session).collect();
    let mut roster = doc! {
        "v": document::VERSION,
        "epoch": document::epoch_number(account.epoch),
        "sessions": sessions,
    };
    document::insert_name_fields(&mut roster, &user.email, &user.username);
    if let Some(image) = image {
        roster.insert("image", image);
    }
    if let Some(entry) = &account.trash {
        roster.insert("trash", document::stored_trash_entry(entry));
    }
    let mut set = doc! {
        "email": literal(user.email.as_str()),
        "username": literal(user.username.as_str()),
        "password": literal(document::password(&account.password_hash)),
        "role": user.role.as_str(),
        "created_at": document::optional_date(user.created_at),
        "updated_at": document::optional_date(user.updated_at),
        "updated_by": document::optional_id_text(user.updated_by),
        "is_deleted": account.trash.is_some(),
        "roster": literal(roster),
    };
    match &user.profile_image {
        None => drop(set.insert("profile_image", "$$REMOVE")),
        Some(ProfileImage::Original(image)) => drop(set.insert("profile_image", literal(image.as_str()))),
        // It stands in the place of what the FastAPI service kept, which is left alone.
        Some(ProfileImage::Stored(_)) => {}
    }
    let pipeline = vec![
        // The subdocument is replaced whole, so what stays is put aside first.
        doc! { "$set": { "roster_kept": {
            "removals": { "$concatArrays": [removals, { "$cond": [is_other, [image_before], []] }] },
            "first_admin": "$roster.first_admin",
            "past_entry": "$roster.past_entry",
        } } },
        doc! { "$set": set },
        doc! { "$set": { "roster": { "$mergeObjects": ["$roster", "$roster_kept"] } } },
        doc! { "$unset": "roster_kept" },
    ];
    statements::update(doc! { "_id": object_id(user.id) }, pipeline, true)
}
