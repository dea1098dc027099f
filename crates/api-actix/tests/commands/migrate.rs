use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use mongodb::bson::{Document, doc, oid::ObjectId};
use roster_domain::entities::Account;
use roster_domain::ports::{AccountArchive, ProfileImages as _};
use roster_domain::values::{ImageRef, OwnImage, ProfileImage, StoreName, TrashEntryId};
use roster_domain_testkit::fixtures::{START, account, change, image_key, next_user_id};
use roster_domain_testkit::formats;
use roster_test_mongo::{Database, asked_topology};
use roster_test_s3::TestS3;
use tempfile::TempDir;

use crate::program::{Ended, roster, run};
use crate::stores::{accounts, content, everybody, fill, fill_folder, images, mongodb, sqlite};

const ONE: &str = "sqlite://one.db";
const OTHER: &str = "sqlite://other.db";

fn migrate(folder: &Path, from: &str, to: &str, name: &str) -> Ended {
    run(folder, &["migrate", "--from", from, "--to", to], &[("DB_NAME", name)])
}

/// The same place, but with the database's name in the path.
fn named(database: &Database) -> String {
    let (servers, options) = database.url().split_once("://").map_or(("", ""), |(_, rest)| {
        rest.split_once('/').map_or((rest, ""), |(servers, rest)| {
            (servers, rest.split_once('?').map_or("", |(_, options)| options))
        })
    });
    format!("mongodb://{servers}/{}?{options}", database.name())
}

#[tokio::test]
async fn accounts_are_moved_from_sqlite_to_mongodb_to_mongodb_and_back_as_they_are() {
    let folder = TempDir::new().unwrap();
    let database = Database::fresh(asked_topology()).await;
    let second = Database::fresh(asked_topology()).await;
    let all = accounts(1_234);
    fill(&sqlite(folder.path(), "one.db"), &all).await;

    let said = migrate(folder.path(), ONE, database.url(), database.name()).done();
    assert!(said.contains("1234 accounts written, 0 were there already"), "{said}");
    assert!(said.contains("1234 accounts, 123 of them in the trash, are equal in both"), "{said}");
    assert!(said.contains("124 images stay in their stores: file"), "{said}");
    assert!(said.contains("124 images of the FastAPI service keep their names"), "{said}");
    assert!(everybody(&mongodb(&database).await).await == all);

    migrate(folder.path(), database.url(), &named(&second), database.name()).done();
    assert!(everybody(&mongodb(&second).await).await == all);
    migrate(folder.path(), &named(&second), OTHER, "unused").done();
    assert!(everybody(&sqlite(folder.path(), "other.db")).await == all);
}

/// Kills it once it has told of progress; the code is that of a run that was faster.
fn kill_in_the_middle(folder: &Path, from: &str, to: &str, name: &str) {
    let arguments = ["migrate", "--from", from, "--to", to];
    let mut process = roster(folder, &arguments, &[("DB_NAME", name)]).spawn().unwrap();
    let mut said = BufReader::new(process.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.starts_with("copied "), "{line}");
    process.kill().unwrap();
    process.wait().unwrap();
}

async fn goes_on_after_a_kill<A: AccountArchive>(
    folder: &Path,
    from: &str,
    to: &str,
    name: &str,
    all: &[Account],
    target: impl AsyncFn() -> A,
) {
    kill_in_the_middle(folder, from, to, name);
    let half = everybody(&target().await).await;
    assert!(!half.is_empty() && half.len() < all.len(), "{} of {} accounts", half.len(), all.len());
    assert!(half.iter().zip(all).all(|(one, other)| one == other), "what is there is whole");

    let said = migrate(folder, from, to, name).done();
    let written = all.len() - half.len();
    assert!(said.contains(&format!("{written} accounts written, {} were there", half.len())), "{said}");
    assert!(everybody(&target().await).await == all);
    let said = migrate(folder, from, to, name).done();
    assert!(said.contains(&format!("0 accounts written, {} were there", all.len())), "{said}");
}

#[tokio::test]
async fn a_migration_that_was_killed_goes_on_where_it_was_in_both_directions() {
    let folder = TempDir::new().unwrap();
    let (path, database) = (folder.path(), Database::fresh(asked_topology()).await);
    let all = accounts(6_000);
    fill(&sqlite(path, "one.db"), &all).await;
    goes_on_after_a_kill(path, ONE, database.url(), database.name(), &all, async || mongodb(&database).await)
        .await;
    goes_on_after_a_kill(path, database.url(), OTHER, database.name(), &all, async || {
        sqlite(path, "other.db")
    })
    .await;
}

#[tokio::test]
async fn a_target_that_holds_others_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let database = Database::fresh(asked_topology()).await;
    let all = accounts(700);
    fill(&sqlite(folder.path(), "one.db"), &all).await;
    // The last id is the largest, so it is found behind everybody else's.
    let there = [all[..600].to_vec(), vec![account("somebody else")]].concat();
    for (to, archive) in [
        (database.url(), Box::new(mongodb(&database).await) as Box<dyn AccountArchive>),
        (OTHER, Box::new(sqlite(folder.path(), "other.db"))),
    ] {
        fill(archive.as_ref(), &there).await;
        let why = migrate(folder.path(), ONE, to, database.name()).failed(1);
        let other = there.last().unwrap().user.id;
        assert!(why.contains("--to holds users who are not in --from") && why.contains(&other.to_string()));
        assert!(everybody(archive.as_ref()).await == there);
    }
}

#[tokio::test]
async fn a_target_that_another_program_uses_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let database = Database::fresh(asked_topology()).await;
    fill(&sqlite(folder.path(), "one.db"), &accounts(3)).await;
    let theirs = mongo_client(&database).await;
    for collection in ["users", "refresh_tokens"] {
        let document = doc! { "_id": ObjectId::new(), "orders": [1, 2] };
        theirs.collection::<Document>(collection).insert_one(document).await.unwrap();
    }
    let why = migrate(folder.path(), ONE, database.url(), database.name()).failed(1);
    assert!(why.contains("holds users whom Roster has not written"), "{why}");
    let mut collections = theirs.list_collection_names().await.unwrap();
    collections.sort_unstable();
    assert_eq!(collections, ["refresh_tokens", "users"]);
    for collection in collections {
        let found = theirs.collection::<Document>(&collection).find_one(doc! {}).await.unwrap().unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["_id", "orders"]);
    }
}

async fn mongo_client(database: &Database) -> mongodb::Database {
    let client = mongodb::Client::with_uri_str(database.url()).await.unwrap();
    client.database(database.name())
}

#[tokio::test]
async fn where_images_were_looked_for_in_the_wrong_place_another_run_moves_them() {
    let folder = TempDir::new().unwrap();
    let (path, all) = (folder.path(), accounts(20));
    fill(&sqlite(path, "one.db"), &all).await;
    fill_folder(&path.join("faces"), &all).await;
    std::fs::create_dir(path.join("wrong")).unwrap();
    let arguments = ["migrate", "--from", ONE, "--to", OTHER, "--images-to", "file://other"];
    let from = |place| run(path, &[&arguments[..], &["--images-from", place]].concat(), &[]);
    let why = from("file://wrong").failed(1);
    assert!(why.contains("none of the images is in --images-from"), "{why}");
    let said = from("file://faces").done();
    assert!(
        said.contains("0 accounts written, 20 were there") && said.contains("2 images are equal"),
        "{said}"
    );
}

#[tokio::test]
async fn who_changed_since_the_run_before_is_written_anew() {
    let folder = TempDir::new().unwrap();
    let mut all = accounts(10);
    let source = sqlite(folder.path(), "one.db");
    fill(&source, &all).await;
    migrate(folder.path(), ONE, OTHER, "unused").done();
    all[7].user.role = roster_domain::values::Role::Admin;
    fill(&source, &all[7..8]).await;
    let said = migrate(folder.path(), ONE, OTHER, "unused").done();
    assert!(said.contains("1 accounts written, 9 were there"), "{said}");
    assert!(everybody(&sqlite(folder.path(), "other.db")).await == all);
}

/// These accounts with their images in another store.
fn moved_to(store: &str, accounts: &[Account]) -> Vec<Account> {
    let mut moved = accounts.to_vec();
    for account in &mut moved {
        if let Some(ProfileImage::Stored(OwnImage { image, .. })) = &mut account.user.profile_image {
            image.store = StoreName::new(store);
        }
    }
    moved
}

#[tokio::test]
async fn images_are_moved_with_the_accounts_from_a_folder_to_s3_and_back() {
    let folder = TempDir::new().unwrap();
    let (path, s3) = (folder.path(), TestS3::start());
    let mut all = accounts(100);
    fill_folder(&path.join("faces"), &all).await;
    // This one's image was lost before, and that one's is in a store that is not moved.
    let owner = all[9].user.id;
    all[9].user.profile_image =
        Some(ImageRef { store: StoreName::new("file"), key: image_key(owner) }.into());
    let owner = all[8].user.id;
    let elsewhere = ImageRef { store: StoreName::new("s3://others"), key: image_key(owner) };
    all[8].user.profile_image = Some(elsewhere.clone().into());
    fill(&sqlite(path, "one.db"), &all).await;

    let (config, url) = (s3.config(), s3.url());
    let variables = [
        ("AWS_ENDPOINT_URL_S3", url.as_str()),
        ("AWS_ACCESS_KEY_ID", config.access_key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", config.secret_access_key.as_str()),
    ];
    let bucket = "s3://images/some/faces";
    let there =
        ["migrate", "--from", ONE, "--to", OTHER, "--images-from", "file://faces", "--images-to", bucket];
    let said = run(path, &there, &variables).done();
    assert!(said.contains("10 images are equal in file and s3://images/some/faces"), "{said}");
    assert!(
        said.contains(&format!("1 images were missing already, the first that of user {}", all[9].user.id))
    );
    assert!(said.contains("1 images stay in their stores: s3://others"), "{said}");
    let mut expected = moved_to(bucket, &all);
    expected[8].user.profile_image = Some(elsewhere.into());
    assert!(everybody(&sqlite(path, "other.db")).await == expected);
    let objects = s3.objects();
    assert_eq!(objects.len(), 10);
    for image in images(&accounts_with_images(&all)) {
        assert!(objects[&format!("some/faces/{}", image.key.as_str())] == content(&image));
    }

    let back = ["migrate", "--from", OTHER, "--to", "sqlite://third.db", "--images-from", bucket];
    let back = [&back[..], &["--images-to", "file://other faces"]].concat();
    let said = run(path, &back, &variables).done();
    assert!(said.contains("10 images are equal in s3://images/some/faces and file"), "{said}");
    assert!(everybody(&sqlite(path, "third.db")).await == all);
    for image in images(&accounts_with_images(&all)) {
        let file = path.join("other faces").join(image.key.as_str());
        assert!(std::fs::read(file).unwrap() == content(&image));
    }
}

#[tokio::test]
async fn images_that_are_moved_later_than_their_accounts_are_not_removed_where_they_were() {
    let folder = TempDir::new().unwrap();
    let (path, s3, all) = (folder.path(), TestS3::start(), accounts(1));
    fill(&sqlite(path, "one.db"), &all).await;
    fill_folder(&path.join("faces"), &all).await;
    migrate(path, ONE, OTHER, "unused").done();
    let (config, url) = (s3.config(), s3.url());
    let variables = [
        ("AWS_ENDPOINT_URL_S3", url.as_str()),
        ("AWS_ACCESS_KEY_ID", config.access_key_id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", config.secret_access_key.as_str()),
    ];
    let arguments = ["migrate", "--from", ONE, "--to", OTHER, "--images-from", "file://faces"];
    run(path, &[&arguments[..], &["--images-to", "s3://images"]].concat(), &variables).done();
    let target = sqlite(path, "other.db");
    assert!(everybody(&target).await == moved_to("s3://images", &all));
    assert_eq!(target.stores().await.unwrap(), []);
}

/// Those whose images were put into the folder.
fn accounts_with_images(all: &[Account]) -> Vec<Account> {
    all.iter().step_by(10).cloned().collect()
}

#[tokio::test]
async fn an_image_that_differs_is_told() {
    let folder = TempDir::new().unwrap();
    let (path, all) = (folder.path(), accounts(1));
    fill(&sqlite(path, "one.db"), &all).await;
    fill_folder(&path.join("faces"), &all).await;
    let file = path.join("other").join(images(&all)[0].key.as_str());
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let mut other = content(&images(&all)[0]);
    *other.last_mut().unwrap() ^= 1;
    std::fs::write(file, other).unwrap();
    let arguments = ["migrate", "--from", ONE, "--to", OTHER, "--images-from", "file://faces"];
    let why = run(path, &[&arguments[..], &["--images-to", "file://other"]].concat(), &[]).failed(1);
    assert!(why.contains(&format!("image of user {} is not the same", all[0].user.id)), "{why}");
}

#[tokio::test]
async fn images_that_are_to_be_removed_still_are_after_it() {
    let folder = TempDir::new().unwrap();
    let database = Database::fresh(asked_topology()).await;
    let source = sqlite(folder.path(), "one.db");
    fill(&source, &accounts(3)).await;
    let owner = next_user_id();
    let image = ImageRef { store: StoreName::new("file"), key: image_key(owner) };
    source.reserve(owner, &image, START, &change()).await.unwrap();
    for _ in 0..2 {
        let said = migrate(folder.path(), ONE, database.url(), database.name()).done();
        assert!(said.contains("1 promises to remove an image carried over"), "{said}");
        let target = mongodb(&database).await;
        let due = target.due(&image.store, START, None, 10).await.unwrap();
        assert_eq!(
            due.iter().map(|due| (due.owner, due.image.clone())).collect::<Vec<_>>(),
            [(owner, image.clone())]
        );
    }
}

#[tokio::test]
async fn a_source_that_is_not_there_is_not_made() {
    let folder = TempDir::new().unwrap();
    let why = migrate(folder.path(), ONE, OTHER, "unused").failed(1);
    assert!(why.contains("--from: one.db is not there"), "{why}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);

    let file = folder.path().join("one.db");
    std::fs::write(&file, "").unwrap();
    let why = migrate(folder.path(), ONE, OTHER, "unused").failed(1);
    assert!(why.contains("--from holds no users"), "{why}");
    assert_eq!(file.metadata().unwrap().len(), 0);
    drop(sqlite(folder.path(), "one.db"));
    let why = migrate(folder.path(), ONE, OTHER, "unused").failed(1);
    assert!(why.contains("--from holds no users"), "{why}");
    assert!(!folder.path().join("other.db").exists());

    let database = Database::fresh(asked_topology()).await;
    let why = migrate(folder.path(), database.url(), OTHER, database.name()).failed(1);
    assert!(why.contains("--from holds no users"), "{why}");
    assert_eq!(database.raw().await.list_collection_names().await.unwrap(), [""; 0]);
    assert!(!folder.path().join("other.db").exists());
}

/// The same servers, spelled in another way.
fn spelled_otherwise(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (servers, options) = rest.split_once('/').unwrap_or((rest, ""));
    let other = match servers.replace("127.0.0.1", "localhost") {
        same if same == servers => servers.to_uppercase(),
        other => other,
    };
    format!("{scheme}://{other}/{options}")
}

#[tokio::test]
async fn one_mongodb_by_two_spellings_is_refused_and_forgets_nothing() {
    let folder = TempDir::new().unwrap();
    let database = Database::fresh(asked_topology()).await;
    let store = mongodb(&database).await;
    fill(&store, &accounts(3)).await;
    let image = ImageRef { store: StoreName::new("file"), key: image_key(next_user_id()) };
    store.reserve(next_user_id(), &image, START, &change()).await.unwrap();
    let meta = database.raw().await.collection::<Document>("roster_meta");
    let kept = meta.count_documents(doc! {}).await.unwrap();

    let other = spelled_otherwise(database.url());
    assert_ne!(other, database.url());
    let why = migrate(folder.path(), database.url(), &other, database.name()).failed(2);
    assert!(why.contains("--to is the same as --from"), "{why}");
    assert_eq!(store.stores().await.unwrap(), [image.store]);
    assert_eq!(meta.count_documents(doc! {}).await.unwrap(), kept, "nothing is left in it");
}

#[tokio::test]
async fn one_file_by_a_link_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    fill(&sqlite(path, "one.db"), &accounts(3)).await;
    std::fs::hard_link(path.join("one.db"), path.join("hard.db")).unwrap();
    std::os::unix::fs::symlink("one.db", path.join("symbolic.db")).unwrap();
    for link in ["sqlite://hard.db", "sqlite://symbolic.db"] {
        for (from, to) in [(ONE, link), (link, ONE)] {
            let why = migrate(path, from, to, "unused").failed(2);
            assert!(why.contains("--to is the same as --from"), "{why}");
        }
    }
    assert!(!path.join("hard.db-wal").exists());
}

#[tokio::test]
async fn another_run_is_advised_where_it_helps_alone() {
    let folder = TempDir::new().unwrap();
    let database = Database::fresh(asked_topology()).await;
    let users = database.raw().await.collection::<Document>("users");
    // Nobody can have an email twice, and these have none.
    let both = ["ann", "ben"].map(|name| doc! { "username": name, "is_deleted": false, "role": "regular" });
    let ids = users.insert_many(&both).await.unwrap().inserted_ids;
    let why = migrate(folder.path(), database.url(), OTHER, database.name()).failed(1);
    let ben = ids[&1].as_object_id().unwrap();
    assert!(why.contains(&format!("another user has the email or username of user {ben}")), "{why}");
    assert!(!why.contains("another run") && !why.contains("run it again"), "{why}");

    let (target, all) = (Database::fresh(asked_topology()).await, accounts(3));
    fill(&sqlite(folder.path(), "one.db"), &all).await;
    drop(mongodb(&target).await);
    let allow = async |validator: Document| {
        target.raw().await.run_command(doc! { "collMod": "users", "validator": validator }).await.unwrap();
    };
    allow(doc! { "email": { "$ne": all[1].user.email.as_str() } }).await;
    let why = migrate(folder.path(), ONE, target.url(), target.name()).failed(1);
    assert!(why.contains("error 121") && why.ends_with("; once that is well, another run goes on from here"));
    assert!(!why.contains(all[1].user.email.as_str()), "{why}");
    allow(doc! {}).await;
    let said = migrate(folder.path(), ONE, target.url(), target.name()).done();
    assert!(said.contains("3 accounts, 0 of them in the trash, are equal in both"), "{said}");
}

#[rstest::rstest]
#[case(&["--from", ONE, "--to", ONE], "--to is the same as --from")]
#[case(&["--from", ONE, "--to", "sqlite://./one.db"], "--to is the same as --from")]
#[case(&["--from", "mongodb://a:b@c/x", "--to", "mongodb://c/x"], "--to is the same as --from")]
#[case(&["--from", ONE, "--to", "postgres://me:hunter2@db"], "--to starts with \"postgres\"")]
#[case(&["--from", "mongodb://me:hunter2@db:99999/x", "--to", ONE], "--from: not a MongoDB URL")]
#[case(&["--from", "mongodb://me:hunter2@db/a.b", "--to", ONE], "--from is \"a.b\"")]
#[case(&["--from", "mongodb://me:pass/hunter2@db/x", "--to", ONE], "--from has a slash before its host")]
#[case(
    &["--from", ONE, "--to", OTHER, "--images-from", "s3://faces", "--images-to", "file://x"],
    "AWS_REGION is not set"
)]
#[case(
    &["--from", ONE, "--to", OTHER, "--images-from", "file://x", "--images-to", "file://x"],
    "--images-to is the same as --images-from"
)]
fn what_can_not_be_moved_is_wrong_usage(#[case] arguments: &[&str], #[case] why: &str) {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("one.db"), "").unwrap();
    let line = run(folder.path(), &[&["migrate"], arguments].concat(), &[]).failed(2);
    assert!(line.contains(why) && !line.contains("hunter2"), "{line}");
}

#[test]
fn images_are_moved_from_somewhere_to_somewhere() {
    let folder = TempDir::new().unwrap();
    let arguments = ["migrate", "--from", ONE, "--to", OTHER, "--images-to", "file://x"];
    let ended = run(folder.path(), &arguments, &[]);
    assert!(ended.code == 2 && ended.stderr.contains("--images-from"), "{ended:?}");
}

/// All files of a folder below it, with what is in them.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else {
            found.insert(entry.clone(), std::fs::read(&entry).unwrap());
        }
    }
    found
}

/// Without the ids and dates of entries that nobody kept: they are of when they were made.
fn but_made_entries(mut accounts: Vec<Account>) -> Vec<Account> {
    let entries = accounts.iter_mut().filter_map(|account| account.trash.as_mut());
    for entry in entries.filter(|entry| entry.reason.as_str().ends_with("no trash entry was kept.")) {
        entry.id = TrashEntryId::from_bytes([0; 12]);
        entry.deleted_at = START;
    }
    accounts
}

/// Data of the FastAPI service, which nobody has taken over.
async fn original() -> Database {
    let database = Database::fresh(asked_topology()).await;
    database.restore(&formats::fastapi()).await;
    database
}

#[tokio::test]
async fn a_mongodb_that_is_moved_from_stays_byte_for_byte_whether_the_run_is_refused_or_not() {
    let folder = TempDir::new().unwrap();
    let (theirs, ours) = (original().await, Database::fresh(asked_topology()).await);
    ours.restore(&formats::mongodb("0.1")).await;
    fill(&sqlite(folder.path(), "others.db"), &[account("somebody else")]).await;
    for source in [&theirs, &ours] {
        let before = source.content().await;
        let why = migrate(folder.path(), source.url(), "sqlite://others.db", source.name()).failed(1);
        assert!(why.contains("--to holds users who are not in --from"), "{why}");
        assert!(source.content().await == before);

        let target = Database::fresh(asked_topology()).await;
        let to_sqlite = format!("sqlite://{}.db", source.name());
        for to in [&to_sqlite, &named(&target)] {
            for _ in 0..2 {
                migrate(folder.path(), source.url(), to, source.name()).done();
                assert!(source.content().await == before, "{to}");
            }
        }
        // What a start makes of it is what was moved.
        let moved =
            but_made_entries(everybody(&sqlite(folder.path(), &format!("{}.db", source.name()))).await);
        assert!(moved == but_made_entries(everybody(&mongodb(&target).await).await));
        assert!(moved == but_made_entries(everybody(&mongodb(source).await).await));
    }
}

#[tokio::test]
async fn users_that_share_a_name_stop_the_run_and_both_stay_as_they_are() {
    let (folder, theirs) = (TempDir::new().unwrap(), original().await);
    let user = doc! { "email": "x@example.com", "username": "twin", "is_deleted": false, "role": "regular" };
    let twin = doc! { "email": "y@example.com", "username": "Twin", "is_deleted": false, "role": "regular" };
    theirs.raw().await.collection::<Document>("users").insert_many([user, twin]).await.unwrap();
    let before = theirs.content().await;
    let why = migrate(folder.path(), theirs.url(), OTHER, theirs.name()).failed(1);
    assert!(why.contains("--from: users of") && why.contains("username shared by"), "{why}");
    assert!(theirs.content().await == before);
    assert!(!folder.path().join("other.db").exists());
    // The target is looked at first.
    std::fs::write(folder.path().join("other.db"), "not a database, and long enough to have a header")
        .unwrap();
    let why = migrate(folder.path(), theirs.url(), OTHER, theirs.name()).failed(1);
    assert!(why.contains("--to: ") && why.contains("is not a database of Roster's"), "{why}");
}

#[tokio::test]
async fn a_sqlite_file_that_is_moved_from_stays_byte_for_byte_whether_the_run_is_refused_or_not() {
    let folder = TempDir::new().unwrap();
    let source = folder.path().join("source");
    std::fs::create_dir(&source).unwrap();
    let all = accounts(50);
    let store = sqlite(&source, "one.db");
    fill(&store, &all).await;
    let image = ImageRef { store: StoreName::new("file"), key: image_key(next_user_id()) };
    store.reserve(next_user_id(), &image, START, &change()).await.unwrap();
    // As a crash leaves it: the log is not folded in. The third file is no data, and made of the log again.
    let crashed = folder.path().join("crashed");
    std::fs::create_dir(&crashed).unwrap();
    for name in ["one.db", "one.db-wal"] {
        std::fs::copy(source.join(name), crashed.join(name)).unwrap();
    }
    drop(store);
    fill(&sqlite(folder.path(), "others.db"), &[account("somebody else")]).await;
    for (number, from) in [&source, &crashed].into_iter().enumerate() {
        let data = || {
            let mut files = files(from);
            files.retain(|name, _| !name.to_string_lossy().ends_with("-shm") || number == 0);
            files
        };
        let (before, url) = (data(), format!("sqlite://{}/one.db", from.display()));
        assert_eq!(before.len(), number + 1);
        let why = migrate(folder.path(), &url, "sqlite://others.db", "unused").failed(1);
        assert!(why.contains("--to holds users who are not in --from"), "{why}");
        assert!(data() == before);
        let to = format!("sqlite://{number}.db");
        let said = migrate(folder.path(), &url, &to, "unused").done();
        assert!(said.contains("1 promises to remove an image carried over"), "{said}");
        assert!(data() == before);
        assert!(everybody(&sqlite(folder.path(), &format!("{number}.db"))).await == all);
    }
}

#[tokio::test]
async fn a_sqlite_file_of_an_older_roster_is_refused_with_what_to_do_and_stays_as_it_is() {
    let folder = TempDir::new().unwrap();
    std::fs::copy(formats::sqlite("0.1"), folder.path().join("one.db")).unwrap();
    let before = files(folder.path());
    let why = migrate(folder.path(), ONE, OTHER, "unused").failed(1);
    assert!(
        why.contains("of an older Roster") && why.contains("start this Roster on it, or on a copy"),
        "{why}"
    );
    assert!(files(folder.path()) == before);
    // A start, or whatever else opens it.
    run(folder.path(), &["purge"], &[("DATABASE_URL", ONE)]).done();
    migrate(folder.path(), ONE, OTHER, "unused").done();
}

#[tokio::test]
async fn a_copy_is_not_purged_on_the_day_that_it_was_made_and_a_later_run_makes_it_anew() {
    let folder = TempDir::new().unwrap();
    let all = accounts(20);
    fill(&sqlite(folder.path(), "one.db"), &all).await;
    migrate(folder.path(), ONE, OTHER, "unused").done();
    let variables = [("DATABASE_URL", OTHER), ("PORT", "0")];
    let is_spared = || {
        let said = run(folder.path(), &["check"], &variables).done();
        let told = "risky  trash: 2 users in the trash for longer than TRASH_RETENTION_DAYS: deleted for good from 20";
        assert!(said.contains(told), "{said}");
        let said = run(folder.path(), &["purge"], &variables).done();
        assert!(
            said.contains("\n0 users deleted for good") && said.contains(&told["risky  trash: ".len()..])
        );
    };
    is_spared();
    let database = rusqlite::Connection::open(folder.path().join("other.db")).unwrap();
    database.execute("UPDATE trash SET spared_until = 1", []).unwrap();
    let said = migrate(folder.path(), ONE, OTHER, "unused").done();
    assert!(said.contains("0 accounts written, 20 were there already"), "{said}");
    is_spared();
    database.execute("UPDATE trash SET spared_until = 1", []).unwrap();
    let said = run(folder.path(), &["purge"], &variables).done();
    assert!(said.contains("\n2 users deleted for good"), "{said}");
}
