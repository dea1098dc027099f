//! What an adoption can't decide: users that the FastAPI service let share a name.

use std::fmt;

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, RawDocumentBuf, doc};
use roster_domain::values::{Email, Username};

use super::{BATCH, last_id};
use crate::MongoStore;
use crate::document;
use crate::server::{Failure, Find, JOB_DEADLINE};

/// How many groups of users a message names, so that it stays a line that can be read.
const NAMED: usize = 100;

/// Users that can't be adopted as they are, and what to do about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conflicts {
    /// The ids of those with one email, group by group.
    pub emails: Vec<Vec<String>>,
    /// The ids of those with one username, or with usernames that differ in case alone.
    pub usernames: Vec<Vec<String>>,
    /// Those whose `_id` is no `ObjectId`.
    pub foreign_ids: Vec<String>,
}

impl Conflicts {
    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.emails.is_empty() && self.usernames.is_empty() && self.foreign_ids.is_empty()
    }
}

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (what, groups) in [("email", &self.emails), ("username", &self.usernames)] {
            let named =
                groups.iter().take(NAMED).map(|ids| format!("{what} shared by {}", ids.join(" and ")));
            parts.extend(named);
            if let Some(more) = groups.len().checked_sub(NAMED).filter(|more| *more > 0) {
                parts.push(format!("{more} more shared {what}s"));
            }
        }
        if !parts.is_empty() {
            parts.push("give all but one of each another name, or remove them".to_owned());
        }
        if !self.foreign_ids.is_empty() {
            let named = self.foreign_ids.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            parts.push(format!("_id that is no ObjectId: {named}"));
            // An `_id` can't be changed.
            parts.push("insert these users anew with an ObjectId and remove the old ones".to_owned());
        }
        f.write_str(&parts.join("; "))
    }
}

/// A name's key and whose it is.
type Keyed = (String, ObjectId);

impl MongoStore {
    /// Looks for what can't be decided among the users that are not adopted yet, and between them and the others.
    pub(crate) async fn conflicts(&self) -> Result<Conflicts, Failure> {
        let (mut emails, mut usernames) = (Vec::new(), Vec::new());
        let mut after = None;
        loop {
            let batch = self.unadopted(after, BATCH).await?;
            let Some(last) = last_id(&batch) else { break };
            for found in &batch {
                let Ok(id) = found.get_object_id("_id") else { continue };
                // A key that stands there already is nobody else's.
                let stays = |field, key: &str| {
                    document::roster(found).and_then(|roster| document::text(roster, field)) == Some(key)
                };
                if let Some(email) = document::text(found, "email") {
                    let key = Email::from_store(email.to_owned()).key();
                    if !stays("email_key", &key) {
                        emails.push((key, id));
                    }
                }
                if let Some(username) = document::text(found, "username") {
                    let key = Username::from_store(username.to_owned()).key();
                    if !stays("username_key", &key) {
                        usernames.push((key, id));
                    }
                }
            }
            after = Some(last);
        }
        Ok(Conflicts {
            emails: self.shared(emails, "email_key").await?,
            usernames: self.shared(usernames, "username_key").await?,
            foreign_ids: self.foreign_ids().await?,
        })
    }

    /// Groups of users with one key: these among themselves, and with those that are adopted.
    async fn shared(&self, mut keyed: Vec<Keyed>, field: &'static str) -> Result<Vec<Vec<String>>, Failure> {
        if self.server.exists(doc! { "roster.v": { "$gt": 0 } }).await? {
            let keys: Vec<Bson> = keyed.iter().map(|(key, _)| key.clone().into()).collect();
            for keys in keys.chunks(1_000) {
                keyed.extend(self.adopted_with(field, keys.to_vec()).await?);
            }
        }
        keyed.sort_unstable();
        // A user that another instance has adopted meanwhile stands here twice.
        keyed.dedup();
        let groups = keyed.chunk_by(|(one, _), (other, _)| one == other).filter(|group| group.len() > 1);
        Ok(groups.map(|group| group.iter().map(|(_, id)| id.to_hex()).collect()).collect())
    }

    async fn adopted_with(&self, field: &str, keys: Vec<Bson>) -> Result<Vec<Keyed>, Failure> {
        let path = format!("roster.{field}");
        let find = Find {
            filter: doc! { &path: { "$in": keys } },
            projection: doc! { &path: 1 },
            sort: doc! {},
            skip: 0,
            limit: 0,
            index: None,
        };
        let found = self.server.find(find, JOB_DEADLINE).await?;
        let keyed = |found: &RawDocumentBuf| {
            let key = document::text(document::roster(found)?, field)?;
            Some((key.to_owned(), found.get_object_id("_id").ok()?))
        };
        Ok(found.iter().filter_map(keyed).collect())
    }

    async fn foreign_ids(&self) -> Result<Vec<String>, Failure> {
        let find = Find {
            filter: doc! { "_id": { "$not": { "$type": "objectId" } } },
            projection: doc! { "_id": 1 },
            sort: doc! { "_id": 1 },
            skip: 0,
            limit: i64::try_from(NAMED).unwrap_or(i64::MAX),
            index: None,
        };
        let found = self.server.find(find, JOB_DEADLINE).await?;
        let id =
            |found: &RawDocumentBuf| found.get("_id").ok().flatten().and_then(|id| Bson::try_from(id).ok());
        Ok(found.iter().filter_map(id).map(|id| id.to_string()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_conflict_comes_with_what_to_do_about_it() {
        let names = Conflicts { emails: vec![vec!["1".to_owned(), "2".to_owned()]], ..Conflicts::default() };
        let told = names.to_string();
        assert_eq!(told, "email shared by 1 and 2; give all but one of each another name, or remove them");
        let ids = Conflicts { foreign_ids: vec!["7".to_owned()], ..Conflicts::default() };
        let told = ids.to_string();
        assert!(told.contains("7; insert these users anew") && !told.contains("another name"), "{told}");
    }
}
