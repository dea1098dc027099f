//! Accounts are moved whole, once, and nowhere where others are; over stores in memory.

use std::io;
use std::sync::Arc;

use roster_domain::entities::Account;
use roster_domain::ports::{
    AccountArchive, Accounts as _, ImageStore as _, PendingRemoval, ProfileImages, Trash as _,
};
use roster_domain::values::{ImageRef, OwnImage, StoreName};
use roster_domain_testkit::fakes::{CountingIds, ManualClock};
use roster_domain_testkit::fixtures::{START, account, at, change, image_key, new_admin, spool, trashed};
use roster_domain_testkit::memory::{MemoryImages, MemoryStore};
use roster_transfer::{ImageMove, Phase, Progress, Report, Target, Transfer, TransferError};

/// What was told, and whether telling fails.
#[derive(Default)]
struct Told {
    phases: Vec<(Phase, u64, u64)>,
    is_closed: bool,
}

impl Progress for Told {
    fn begin(&mut self, phase: Phase, total: u64) {
        self.phases.push((phase, total, 0));
    }

    fn advance(&mut self, by: u64) -> io::Result<()> {
        if self.is_closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if let Some((_, _, done)) = self.phases.last_mut() {
            *done += by;
        }
        Ok(())
    }

    fn end(&mut self) {}
}

async fn store_with(accounts: &[Account]) -> MemoryStore {
    let store = MemoryStore::new();
    store.write(accounts, &change()).await.expect("a store in memory");
    store
}

fn transfer(source: &MemoryStore, target: &MemoryStore) -> Transfer {
    let target = Arc::new(target.clone());
    Transfer {
        source: Arc::new(source.clone()),
        target: Target {
            accounts: Arc::clone(&target) as _,
            archive: Arc::clone(&target) as _,
            profile_images: target,
        },
        images: None,
        clock: Arc::new(ManualClock::new(START)),
        ids: Arc::new(CountingIds::new()),
    }
}

async fn run(source: &MemoryStore, target: &MemoryStore) -> Result<Report, TransferError> {
    transfer(source, target).run(&mut Told::default()).await
}

fn accounts(count: usize) -> Vec<Account> {
    (0..count).map(|number| account(&format!("user{number}"))).collect()
}

#[tokio::test]
async fn every_account_is_written_once_and_another_run_finds_them_there() {
    let all = accounts(1_203);
    let (source, target) = (store_with(&all).await, MemoryStore::new());
    let mut told = Told::default();
    let Report { copied, removals, equal } = transfer(&source, &target).run(&mut told).await.unwrap();
    assert_eq!((copied.written, copied.there, removals, equal.accounts), (1_203, 0, 0, 1_203));
    assert_eq!(told.phases, [(Phase::Copy, 1_203, 1_203), (Phase::Comparison, 1_203, 1_203)]);
    assert_eq!(AccountArchive::read(&target, None, 2_000).await.unwrap().len(), 1_203);

    let again = run(&source, &target).await.unwrap();
    assert_eq!((again.copied.written, again.copied.there), (0, 1_203));
}

#[tokio::test]
async fn a_run_that_was_cut_off_is_gone_on_with() {
    let all = accounts(20);
    let (source, target) = (store_with(&all).await, store_with(&all[..7]).await);
    let report = run(&source, &target).await.unwrap();
    assert_eq!((report.copied.written, report.copied.there), (13, 7));
}

#[tokio::test]
async fn a_target_with_a_stranger_is_refused_and_stays_as_it_is() {
    let all = accounts(3);
    let stranger = account("stranger");
    let (source, target) = (store_with(&all).await, store_with(std::slice::from_ref(&stranger)).await);
    let refused = run(&source, &target).await.map(|_| ()).unwrap_err();
    assert!(matches!(refused, TransferError::Stranger(id) if id == stranger.user.id), "{refused}");
    assert_eq!(AccountArchive::read(&target, None, 10).await.unwrap(), [stranger]);
}

#[tokio::test]
async fn a_progress_that_can_not_be_told_stops_it() {
    let (source, target) = (store_with(&accounts(3)).await, MemoryStore::new());
    let mut told = Told { is_closed: true, ..Told::default() };
    let stopped = transfer(&source, &target).run(&mut told).await.map(|_| ()).unwrap_err();
    assert!(matches!(stopped, TransferError::Progress(_)), "{stopped}");
}

#[tokio::test]
async fn images_are_moved_and_what_is_to_be_removed_from_other_stores_is_carried_over() {
    let (from, to) = (MemoryImages::new("file"), MemoryImages::new("s3://bucket"));
    let faces = StoreName::new("s3://faces");
    let mut all = accounts(3);
    let [stored, lost, elsewhere] = all.as_mut_slice() else { panic!("three") };
    for (account, store) in
        [(&mut *stored, from.name()), (&mut *lost, from.name()), (elsewhere, faces.clone())]
    {
        let image = ImageRef { store, key: image_key(account.user.id) };
        account.user.profile_image = Some(OwnImage::from(image).into());
    }
    let (stored, lost) = (stored.user.clone(), lost.user.id);
    let key = stored.profile_image.unwrap().stored().unwrap().key.clone();
    from.put(&key, spool(b"an image")).await.unwrap();
    let source = store_with(&all).await;
    let [behind, carried] =
        [from.name(), faces.clone()].map(|store| ImageRef { store, key: image_key(stored.id) });
    for image in [&behind, &carried] {
        source.reserve(stored.id, image, at(5), &change()).await.unwrap();
    }

    let target = MemoryStore::new();
    for (written, there) in [(3, 0), (0, 3)] {
        let images = Some(ImageMove { from: Arc::new(from.clone()), to: Arc::new(to.clone()) });
        let transfer = Transfer { images, ..transfer(&source, &target) };
        let report = transfer.run(&mut Told::default()).await.unwrap();
        assert_eq!((report.copied.written, report.copied.there, report.removals), (written, there, 1));
        let images = report.equal.images;
        assert_eq!((images.equal, images.missing, images.elsewhere), (1, 1, 1));
        assert_eq!((images.first_missing, images.stores()), (Some(lost), faces.as_str().to_owned()));
    }
    assert_eq!((to.keys(), from.keys()), (vec![key.clone()], vec![key.clone()]));
    let moved = AccountArchive::read(&target, None, 10).await.unwrap();
    let moved = moved.into_iter().find(|account| account.user.id == stored.id).unwrap();
    let image = ImageRef { store: to.name(), key };
    assert_eq!(moved.user.profile_image, Some(OwnImage::from(image).into()));
    assert_eq!(ProfileImages::stores(&target).await.unwrap(), std::slice::from_ref(&faces));
    let removal = PendingRemoval { owner: stored.id, image: carried, due: at(5) };
    assert_eq!(target.due(&faces, at(5), None, 10).await.unwrap(), [removal]);
}

#[tokio::test]
async fn an_admin_who_was_deleted_for_good_is_forgotten_by_the_target_alone() {
    let (source, target) = (MemoryStore::new(), MemoryStore::new());
    assert!(!transfer(&source, &target).forgets_admins().await.unwrap());
    let admin = new_admin("boss");
    source.create(&admin, &change()).await.unwrap();
    run(&source, &target).await.unwrap();
    assert!(!transfer(&source, &target).forgets_admins().await.unwrap());
    source.put(admin.id, &trashed(), &change()).await.unwrap();
    source.purge(admin.id, &change()).await.unwrap();
    let target = MemoryStore::new();
    run(&source, &target).await.unwrap();
    assert!(transfer(&source, &target).forgets_admins().await.unwrap());
}
