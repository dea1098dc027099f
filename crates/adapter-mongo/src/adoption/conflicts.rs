//! Conflicts that stop an adoption: users that the FastAPI service let share a name.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use mongodb::bson::oid::ObjectId;
use mongodb::bson::{Bson, RawDocument, RawDocumentBuf, doc};
use roster_domain::values::{Email, Username};

use super::{BATCH, last_id};
use crate::MongoStore;
use crate::document;
use crate::server::{Find, JOB_DEADLINE, ServerFailure};

/// How many groups of users a message names, so that it stays a line that can be read.
const NAMED: usize = 100;

/// How many users of a group it names.
const MEMBERS: usize = 20;

/// How many hashes of keys are held at a time, of 8 bytes each. Of more users, a part is compared at a time.
const HELD: usize = 4_000_000;

/// Users that can't be adopted as they are, and what to do about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conflicts {
    /// The ids of those with one email, group by group; of large groups the first, and how many more.
    pub emails: Vec<Vec<String>>,
    /// How many more emails are shared.
    pub more_emails: usize,
    /// The ids of those with one username, or with usernames that differ in case alone, as those of one email.
    pub usernames: Vec<Vec<String>>,
    /// How many more usernames are shared.
    pub more_usernames: usize,
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
        for (what, groups, more) in
            [("email", &self.emails, self.more_emails), ("username", &self.usernames, self.more_usernames)]
        {
            let named =
                groups.iter().take(NAMED).map(|ids| format!("{what} shared by {}", ids.join(" and ")));
            parts.extend(named);
            let more = more + groups.len().saturating_sub(NAMED);
            if more > 0 {
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

/// Which of a user's names.
#[derive(Debug, Clone, Copy)]
enum Name {
    Email,
    Username,
}

impl Name {
    const fn field(self) -> &'static str {
        match self {
            Self::Email => "email_key",
            Self::Username => "username_key",
        }
    }

    /// The key that an adoption makes of a user's name. A key that stands there already is nobody else's.
    fn key(self, found: &RawDocument) -> Option<String> {
        let key = match self {
            Self::Email => Email::from_store(document::text(found, "email")?.to_owned()).key(),
            Self::Username => Username::from_store(document::text(found, "username")?.to_owned()).key(),
        };
        let kept = document::roster(found).and_then(|roster| document::text(roster, self.field()));
        (kept != Some(&key)).then_some(key)
    }

    fn keyed(self, batch: &[RawDocumentBuf]) -> Vec<Keyed> {
        let keyed = |found: &RawDocumentBuf| Some((self.key(found)?, found.get_object_id("_id").ok()?));
        batch.iter().filter_map(keyed).collect()
    }
}

/// Hashes of keys, as many of them as are held at a time: those of one of so many parts.
struct Part {
    number: u64,
    of: u64,
    held: usize,
    hashes: Vec<u64>,
}

impl Part {
    fn take(&mut self, hash: u64) {
        if hash % self.of != self.number {
            return;
        }
        self.hashes.push(hash);
        // Only the first finds out how many parts there must be.
        if self.hashes.len() > self.held && self.number == 0 {
            self.of *= 2;
            let of = self.of;
            self.hashes.retain(|hash| hash % of == 0);
        }
    }

    /// Those that were taken twice.
    fn twice(&mut self) -> impl Iterator<Item = u64> {
        self.hashes.sort_unstable();
        let twice: Vec<u64> = self
            .hashes
            .chunk_by(|one, other| one == other)
            .filter(|same| same.len() > 1)
            .map(|same| same[0])
            .collect();
        twice.into_iter()
    }

    /// The next, if there is one.
    fn next(&mut self) -> bool {
        self.hashes.clear();
        self.number += 1;
        self.number < self.of
    }
}

impl MongoStore {
    /// Looks for what can't be decided among the users that are not adopted yet, and between them and the others.
    pub(crate) async fn conflicts(&self) -> Result<Conflicts, ServerFailure> {
        let (emails, more_emails) = self.shared(Name::Email).await?;
        let (usernames, more_usernames) = self.shared(Name::Username).await?;
        let foreign_ids = self.foreign_ids().await?;
        Ok(Conflicts { emails, more_emails, usernames, more_usernames, foreign_ids })
    }

    /// Groups of users with one key: those who are not adopted among themselves, and with those who are. As many as are named,
    /// and how many more there are.
    async fn shared(&self, name: Name) -> Result<(Vec<Vec<String>>, usize), ServerFailure> {
        let anybody_adopted = self.server.exists(doc! { "roster.v": { "$gt": 0 } }).await?;
        let hasher = RandomState::new();
        // Those named are few, so it does not matter that they are looked for once more.
        let (mut suspects, mut more) = (HashSet::new(), 0);
        let mut suspect = |hash: u64| {
            if suspects.len() < NAMED {
                suspects.insert(hash);
            } else if !suspects.contains(&hash) {
                more += 1;
            }
        };
        let mut part = Part { number: 0, of: 1, held: HELD, hashes: Vec::new() };
        loop {
            let mut after = None;
            loop {
                let batch = self.unadopted(after, BATCH).await?;
                let Some(last) = last_id(&batch) else { break };
                let keyed = name.keyed(&batch);
                for (key, _) in &keyed {
                    part.take(hasher.hash_one(key));
                }
                if anybody_adopted && part.number == 0 {
                    for (key, _) in self.others_with(name, &keyed).await? {
                        suspect(hasher.hash_one(&key));
                    }
                }
                after = Some(last);
            }
            part.twice().for_each(&mut suspect);
            if !part.next() {
                break;
            }
        }
        if suspects.is_empty() {
            return Ok((Vec::new(), 0));
        }
        Ok((self.groups(name, |key| suspects.contains(&hasher.hash_one(key))).await?, more))
    }

    /// The groups of users with one key, of those that are suspected to be shared.
    async fn groups(
        &self,
        name: Name,
        is_suspect: impl Fn(&str) -> bool,
    ) -> Result<Vec<Vec<String>>, ServerFailure> {
        let mut groups: BTreeMap<String, (BTreeSet<ObjectId>, usize)> = BTreeMap::new();
        let mut after = None;
        loop {
            let batch = self.unadopted(after, BATCH).await?;
            let Some(last) = last_id(&batch) else { break };
            let mut keyed = name.keyed(&batch);
            keyed.retain(|(key, _)| is_suspect(key));
            let others = self.others_with(name, &keyed).await?;
            for (key, id) in others.into_iter().chain(keyed) {
                let (named, more) = groups.entry(key).or_default();
                if named.len() < MEMBERS {
                    named.insert(id);
                } else if !named.contains(&id) {
                    *more += 1;
                }
            }
            after = Some(last);
        }
        let shared = groups.into_values().filter(|(named, _)| named.len() > 1);
        Ok(shared
            .map(|(named, more)| {
                let mut ids: Vec<String> = named.iter().map(|id| id.to_hex()).collect();
                ids.extend((more > 0).then(|| format!("{more} more")));
                ids
            })
            .collect())
    }

    /// Adopted users with one of these keys, whom another has.
    async fn others_with(&self, name: Name, keyed: &[Keyed]) -> Result<Vec<Keyed>, ServerFailure> {
        if keyed.is_empty() {
            return Ok(Vec::new());
        }
        let keys = keyed.iter().map(|(key, _)| key.clone().into()).collect();
        let mut others = self.adopted_with(name.field(), keys).await?;
        // A user that another instance has adopted meanwhile is no other.
        others.retain(|(key, id)| keyed.iter().any(|(asked, whose)| asked == key && whose != id));
        Ok(others)
    }

    async fn adopted_with(&self, field: &str, keys: Vec<Bson>) -> Result<Vec<Keyed>, ServerFailure> {
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

    async fn foreign_ids(&self) -> Result<Vec<String>, ServerFailure> {
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
    fn what_was_taken_twice_is_found_however_few_are_held() {
        let all: Vec<u64> = (0..1_000).chain([7, 500, 999, 999]).collect();
        for held in [1, 10, 999, 5_000] {
            let mut part = Part { number: 0, of: 1, held, hashes: Vec::new() };
            let mut twice = Vec::new();
            loop {
                for hash in &all {
                    part.take(*hash);
                }
                assert!(part.hashes.len() <= held + 4, "{held}");
                twice.extend(part.twice());
                if !part.next() {
                    break;
                }
            }
            twice.sort_unstable();
            assert_eq!(twice, [7, 500, 999], "{held}");
        }
    }

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
