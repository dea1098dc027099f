//! Stores as released versions left them, and what is in them.
//!
//! The files and how they were made are in the folder `formats` of this crate, one folder a version.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use roster_domain::entities::{Account, Session, TrashEntry, User};
use roster_domain::ports::PendingRemoval;
use roster_domain::values::{
    Email, Epoch, ImageKey, ImageRef, OriginalImage, PasswordHash, ProfileImage, Reason, Role, SessionId,
    StoreName, Timestamp, TokenFingerprint, TrashEntryId, UserId, Username,
};
use serde_json::Value;

use crate::contract::Stores;
use crate::fixtures::page;

/// The versions whose stores are kept, oldest first.
pub const VERSIONS: &[&str] = &["0.1"];

/// The `SQLite` file of a version.
#[must_use]
pub fn sqlite(version: &str) -> PathBuf {
    folder(version).join("roster.db")
}

/// The folder with the collections of a version's `MongoDB` database.
#[must_use]
pub fn mongodb(version: &str) -> PathBuf {
    folder(version).join("mongodb")
}

/// The folder with the collections of a database that the FastAPI service left, and nobody has taken over.
#[must_use]
pub fn fastapi() -> PathBuf {
    folder("0.1").join("fastapi")
}

fn folder(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("formats").join(version)
}

/// What is in a store that was kept.
#[derive(Debug, Clone)]
pub struct Expected {
    /// All accounts, in the order of their ids.
    pub accounts: Vec<Account>,
    /// All images that are to be removed, in the order of their owners.
    pub removals: Vec<PendingRemoval>,
    /// Each user's password, by email.
    pub passwords: BTreeMap<String, String>,
}

impl Expected {
    /// What is in the store that [`sqlite`] or [`mongodb`] names.
    ///
    /// # Panics
    /// Where what stands beside it can't be read.
    #[must_use]
    pub fn of(store: &Path) -> Self {
        let mut file = store.as_os_str().to_owned();
        file.push(".expected.json");
        let text = fs::read_to_string(file).expect("what is expected stands beside the store");
        let told: Value = serde_json::from_str(&text).expect("it is JSON");
        let list = |name: &str| told[name].as_array().expect("it is a list");
        let passwords = told["passwords"].as_object().expect("it is an object");
        Self {
            accounts: list("accounts").iter().map(account).collect(),
            removals: list("removals").iter().map(removal).collect(),
            passwords: passwords.iter().map(|(email, password)| (email.clone(), text_of(password))).collect(),
        }
    }
}

fn account(told: &Value) -> Account {
    let id = user_id(&told["id"]);
    let stored = told["image"].as_array().map(|image| image_ref(&image[0], &image[1]).into());
    let original = || {
        let text = told["original_image"].as_str()?;
        Some(ProfileImage::from(OriginalImage::from_store(text.to_owned())))
    };
    Account {
        user: User {
            id,
            email: Email::from_store(text_of(&told["email"])),
            username: Username::from_store(text_of(&told["username"])),
            role: Role::from_store(&text_of(&told["role"])),
            created_at: optional(&told["created_at"], time),
            updated_at: optional(&told["updated_at"], time),
            updated_by: optional(&told["updated_by"], user_id),
            profile_image: stored.or_else(original),
        },
        password_hash: PasswordHash::new(text_of(&told["hash"])),
        epoch: Epoch::new(
            told["epoch"].as_u64().and_then(|epoch| u32::try_from(epoch).ok()).expect("an epoch"),
        ),
        sessions: told["sessions"].as_array().expect("it is a list").iter().map(session).collect(),
        trash: optional(&told["trash"], |entry| TrashEntry {
            id: TrashEntryId::from_bytes(bytes(&entry["id"])),
            user_id: id,
            deleted_by: user_id(&entry["deleted_by"]),
            deleted_at: time(&entry["deleted_at"]),
            reason: Reason::from_store(text_of(&entry["reason"])),
        }),
    }
}

fn session(told: &Value) -> Session {
    Session {
        id: SessionId::from_bytes(bytes(&told[0])),
        refresh_token: TokenFingerprint::from_bytes(bytes(&told[1])),
        started_at: time(&told[2]),
    }
}

fn removal(told: &Value) -> PendingRemoval {
    PendingRemoval {
        owner: user_id(&told["owner"]),
        image: image_ref(&told["store"], &told["key"]),
        due: time(&told["due"]),
    }
}

fn image_ref(store: &Value, key: &Value) -> ImageRef {
    let key = ImageKey::parse(&text_of(key)).expect("an image's key");
    ImageRef { store: StoreName::new(&text_of(store)), key }
}

fn optional<T>(told: &Value, read: impl FnOnce(&Value) -> T) -> Option<T> {
    (!told.is_null()).then(|| read(told))
}

fn text_of(told: &Value) -> String {
    told.as_str().expect("a text").to_owned()
}

fn time(told: &Value) -> Timestamp {
    Timestamp::from_millis(told.as_i64().expect("milliseconds"))
}

fn user_id(told: &Value) -> UserId {
    UserId::from_bytes(bytes(told))
}

fn bytes<const N: usize>(told: &Value) -> [u8; N] {
    let digits = text_of(told);
    let byte = |at: usize| digits.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    std::array::from_fn(|at| byte(at).expect("hexadecimal digits"))
}

/// Checks that a store that was opened holds all that is expected, by each of its ports.
///
/// # Panics
/// Where it does not.
pub async fn check(stores: &Stores, expected: &Expected) {
    let read = stores.archive.read(None, 1_000).await.expect("accounts");
    for (read, expected) in read.iter().zip(&expected.accounts) {
        assert_eq!(read, expected);
    }
    assert_eq!(read.len(), expected.accounts.len());

    let (live, trashed): (Vec<_>, Vec<_>) =
        expected.accounts.iter().partition(|account| account.trash.is_none());
    let query = roster_domain::ports::UserQuery { search: None, page: page(1, 100) };
    let listed = stores.directory.list(&query).await.expect("users");
    let live: Vec<User> = live.into_iter().map(|account| account.user.clone()).collect();
    assert_eq!((listed.total, listed.items), (live.len() as u64, live.clone()));
    let listed = stores.trash.list(page(1, 100)).await.expect("trash");
    let mut entries: Vec<TrashEntry> = trashed.iter().filter_map(|account| account.trash.clone()).collect();
    entries.sort_by_key(|entry| entry.id);
    assert_eq!((listed.total, listed.items), (entries.len() as u64, entries));
    assert!(stores.accounts.has_had_admin().await.expect("whether there was an admin"));

    for account in &expected.accounts {
        let found = stores.sessions.credentials(&account.user.email).await.expect("credentials");
        let is_live = account.trash.is_none();
        assert_eq!(
            found.map(|found| found.user_id),
            is_live.then_some(account.user.id),
            "{:?}",
            account.user.id
        );
        let free = stores
            .accounts
            .free_usernames(std::slice::from_ref(&account.user.username))
            .await
            .expect("names");
        assert_eq!(free, [], "{:?}", account.user.username);
    }

    let mut removals = Vec::new();
    for store in stores.profile_images.stores().await.expect("stores") {
        let far = Timestamp::from_millis(i64::from(u32::MAX) * 1_000);
        removals.extend(stores.profile_images.due(&store, far, None, 100).await.expect("removals"));
    }
    removals.sort_by_key(|removal| removal.owner);
    assert_eq!(removals, expected.removals);
}

/// Checks that names of a store that was brought forward from version 0.1 are compared as they are today.
///
/// # Panics
/// Where they are not.
pub async fn check_names(stores: &Stores) {
    let found = async |email: &str| {
        let email = Email::from_store(email.to_owned());
        stores.sessions.credentials(&email).await.expect("credentials").map(|found| found.user_id)
    };
    for (one, other) in [
        ("νίκος.π@example.gr", "ΝΊΚΟΣ.Π@EXAMPLE.GR"),
        ("νίκος.α@example.gr", "ΝΊΚΟΣ.Α@example.gr"),
        ("ſam@example.com", "SAM@example.com"),
        ("µ@example.com", "Μ@example.com"),
        ("straße@example.de", "STRAẞE@example.de"),
        ("straße.a@example.de", "STRAẞE.A@example.de"),
        ("i\u{307}stanbul@example.com", "İSTANBUL@example.com"),
        ("décomposé@bücher.example", "de\u{301}compose\u{301}@xn--bcher-kva.example"),
    ] {
        let one_is = found(one).await;
        assert!(one_is.is_some() && one_is == found(other).await, "{one} {other}");
    }
    assert_ne!(found("straße@example.de").await, found("strasse@example.de").await);
    for taken in ["ΝΊΚΟΣ.Π", "SAM", "Μ", "STRAẞE", "strasse", "İstanbul", "DÉCOMPOSÉ"] {
        let free = stores.accounts.free_usernames(&[Username::parse(taken).expect("a username")]).await;
        assert_eq!(free.expect("names"), [], "{taken}");
    }
    for (term, expected) in [("ΚΟΣ.Π", 1), ("sam", 1), ("STRAẞE", 2), ("strasse", 2), ("ss", 4)] {
        let search = roster_domain::values::SearchTerm::parse(term).expect("a search term");
        let query = roster_domain::ports::UserQuery { search, page: page(1, 30) };
        assert_eq!(stores.directory.list(&query).await.expect("users").total, expected, "{term}");
    }
}
