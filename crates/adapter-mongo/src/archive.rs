use async_trait::async_trait;
use mongodb::bson::{Bson, Document, RawDocument, RawDocumentBuf, doc};
use roster_domain::entities::{Account, Change};
use roster_domain::ports::{AccountArchive, ImportError, Unavailable};
use roster_domain::values::{ProfileImage, Role, Timestamp, UserId};

use crate::document::{self, literal, object_id};
use crate::server::{Find, JOB_DEADLINE, ServerFailure};
use crate::statements::Failed;
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

    async fn write(&self, accounts: &[Account], change: &Change) -> Result<(), ImportError> {
        if let Some(cost) = Account::dearest_hash(accounts) {
            self.remember_cost(cost).await?;
        }
        for batch in accounts.chunks(BATCH) {
            let written = self.put_accounts(batch, change).await;
            self.totals.forget();
            if batch.iter().any(|account| account.user.role == Role::Admin) {
                self.note_admin().await;
            }
            match written? {
                None => {}
                Some((Some(user), failed)) if failed.is_duplicate_key => {
                    return Err(ImportError::NameTaken { user });
                }
                Some((_, failed)) => return Err(ServerFailure::Unexpected(failed.message).into()),
            }
        }
        Ok(())
    }
}

impl MongoStore {
    /// Inserts accounts, and replaces those that are there. Returns whose was refused, if any was, and why.
    async fn put_accounts(
        &self,
        accounts: &[Account],
        change: &Change,
    ) -> Result<Option<(Option<UserId>, Failed)>, ServerFailure> {
        // It costs half of what an update does, which is left for those whose id, or name, is there.
        let inserted = self
            .server
            .insert_all(accounts.iter().map(|account| new_document(account, change)), JOB_DEADLINE)
            .await?;
        let mut there = Vec::new();
        for failed in inserted.failed {
            match accounts.get(failed.place) {
                Some(account) if failed.is_duplicate_key => there.push(account),
                account => return Ok(Some((account.map(|account| account.user.id), failed))),
            }
        }
        let replacements = there.iter().map(|account| replacement(account, change));
        let replaced = self.server.update_all(replacements, JOB_DEADLINE).await?;
        let failed = replaced.failed.into_iter().next();
        Ok(failed.map(|failed| (there.get(failed.place).map(|account| account.user.id), failed)))
    }

    pub(crate) async fn accounts(
        &self,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<RawDocumentBuf>, ServerFailure> {
        let mut filter = everybody();
        if let Some(after) = after {
            filter.insert("_id", doc! { "$gt": object_id(after) });
        }
        let find = Find {
            filter,
            projection: not_kept(),
            sort: doc! { "_id": 1 },
            skip: 0,
            limit: i64::try_from(limit).unwrap_or(i64::MAX),
            index: None,
        };
        self.server.find(find, JOB_DEADLINE).await
    }
}

/// All that are accounts, live or in the trash.
pub(crate) fn everybody() -> Document {
    doc! { "roster.tombstone": { "$ne": true } }
}

/// Leaves out what is no part of an account.
pub(crate) fn not_kept() -> Document {
    doc! { "roster.suffixes": 0 }
}

/// A user that the FastAPI service or somebody with a shell wrote a moment ago.
pub(crate) fn needs_adoption(found: &RawDocument) -> bool {
    let is_trashed = document::is_true(found, "is_deleted");
    document::is_unadopted(found) || is_trashed != document::trash_entry(found).is_some()
}

pub(crate) fn account(found: &RawDocument) -> Result<Account, ServerFailure> {
    let user = document::user(found).filter(|_| !needs_adoption(found));
    let Some(user) = user else {
        return Err(ServerFailure::Unfit(format!("{:?} can't be adopted", found.get("_id"))));
    };
    Ok(Account {
        user,
        password_hash: document::password_hash(found),
        epoch: document::epoch(found),
        sessions: document::sessions(found),
        trash: document::trash_entry(found),
    })
}

/// What is kept of an account, but for what is ours.
fn fields(account: &Account) -> Document {
    let user = &account.user;
    let mut fields = doc! {
        "email": user.email.as_str(),
        "username": user.username.as_str(),
        "password": document::password(&account.password_hash),
        "role": user.role.as_str(),
        "created_at": document::optional_date(user.created_at),
        "updated_at": document::optional_date(user.updated_at),
        "updated_by": document::optional_id_text(user.updated_by),
        "is_deleted": account.trash.is_some(),
    };
    if let Some(ProfileImage::Original(image)) = &user.profile_image {
        fields.insert("profile_image", image.as_str());
    }
    fields
}

/// What is ours of an account that is written at `now`, but for the promises to remove images.
fn roster(account: &Account, now: Timestamp) -> Document {
    let user = &account.user;
    let sessions: Vec<Document> = account.sessions.iter().map(document::stored_session).collect();
    let mut roster = doc! {
        "v": document::VERSION,
        "epoch": document::epoch_number(account.epoch),
        "sessions": sessions,
    };
    document::insert_name_fields(&mut roster, &user.email, &user.username);
    if let Some(image) = stored_image(account) {
        roster.insert("image", image);
    }
    if let Some(entry) = &account.trash {
        roster.insert("trash", document::arrived_trash_entry(entry, now));
    }
    roster
}

fn stored_image(account: &Account) -> Option<Document> {
    match &account.user.profile_image {
        Some(ProfileImage::Stored(own)) => Some(document::stored_own_image(own)),
        _ => None,
    }
}

/// An account that is not there yet.
fn new_document(account: &Account, change: &Change) -> Document {
    let mut document = doc! { "_id": object_id(account.user.id) };
    document.extend(fields(account));
    let mut roster = roster(account, change.at);
    roster.insert("removals", Vec::<Bson>::new());
    document.insert("roster", roster);
    document
}

/// What replaces an account. Of what is there only the promises to remove images are kept, and the image before joins them.
fn replacement(account: &Account, change: &Change) -> Document {
    let removals = doc! { "$ifNull": ["$roster.removals", []] };
    // The same image is no other one because its checksum is known now.
    let own = account.user.profile_image.as_ref().and_then(ProfileImage::stored);
    let (store, key) = own.map_or(("", ""), |image| (image.store.as_str(), image.key.as_str()));
    let is_other = doc! { "$and": [
        { "$eq": [{ "$type": "$roster.image" }, "object"] },
        { "$or": [
            { "$ne": ["$roster.image.store", literal(store)] },
            { "$ne": ["$roster.image.key", literal(key)] },
        ] },
    ] };
    let image_before = document::image_before_if(is_other, change);
    let fields = fields(account).into_iter().map(|(field, value)| (field, Bson::from(literal(value))));
    let mut set: Document = fields.collect();
    set.insert("roster", literal(roster(account, change.at)));
    if account.user.profile_image.is_none() {
        set.insert("profile_image", "$$REMOVE");
    }
    // Where it is one of ours, it stands in the place of what the FastAPI service kept, which is left alone.
    let pipeline = vec![
        // The subdocument is replaced whole, so what stays is put aside first.
        doc! { "$set": { "roster_kept": {
            "removals": { "$concatArrays": [removals, image_before] },
            "first_admin": "$roster.first_admin",
            "past_entry": "$roster.past_entry",
        } } },
        doc! { "$set": set },
        doc! { "$set": { "roster": { "$mergeObjects": ["$roster", "$roster_kept"] } } },
        doc! { "$unset": "roster_kept" },
    ];
    statements::update(doc! { "_id": object_id(account.user.id) }, pipeline, true)
}
