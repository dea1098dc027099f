//! What the contract's tests have in common.

use std::sync::Arc;

use roster_domain::entities::{Account, NewUser, Page, Session, User};
use roster_domain::ports::{Caller, Sessions, UserQuery};
use roster_domain::values::{ImageRef, UserId};
use tokio::sync::Barrier;

use super::Stores;
use crate::fixtures::{at, change, change_by, image_of, new_user, open_session, page, search_term, trashed};

/// How often a race is run: often enough that an adapter which looks and then writes is caught.
pub(super) const ROUNDS: usize = 24;

/// Runs these at once, on as many tasks, and returns what each answered, in their order.
pub(super) async fn race<T, F>(contestants: Vec<F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(contestants.len()));
    let spawn = |contestant: F| {
        let start = Arc::clone(&start);
        tokio::spawn(async move {
            start.wait().await;
            contestant.await
        })
    };
    let tasks: Vec<_> = contestants.into_iter().map(spawn).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("a contestant does not panic"));
    }
    answers
}

/// Runs two different things at once and returns what each answered.
pub(super) async fn race_two<A, B>(
    first: impl Future<Output = A> + Send + 'static,
    second: impl Future<Output = B> + Send + 'static,
) -> (A, B)
where
    A: Send + 'static,
    B: Send + 'static,
{
    let start = Arc::new(Barrier::new(2));
    let also_start = Arc::clone(&start);
    let first = tokio::spawn(async move {
        start.wait().await;
        first.await
    });
    let second = tokio::spawn(async move {
        also_start.wait().await;
        second.await
    });
    (first.await.expect("the first does not panic"), second.await.expect("the second does not panic"))
}

/// Creates a regular user of that name.
pub(super) async fn created(stores: &Stores, name: &str) -> NewUser {
    let user = new_user(name);
    stores.accounts.create(&user, &change()).await.expect("a user is created");
    user
}

/// Puts a user into the trash, by itself at [`START`](crate::fixtures::START).
pub(super) async fn delete(stores: &Stores, user: UserId) {
    stores.trash.put(user, &trashed(), &change_by(user, at(0))).await.expect("a user is put into the trash");
}

/// Deletes a live user for good.
pub(super) async fn purge(stores: &Stores, user: UserId) {
    delete(stores, user).await;
    stores.trash.purge(user, &change()).await.expect("a user is purged");
}

/// Brings a user back.
pub(super) async fn restore(stores: &Stores, user: UserId) -> User {
    stores.trash.restore(user, &change()).await.expect("a user is restored")
}

/// Writes one account as it is.
pub(super) async fn import(stores: &Stores, account: &Account) {
    stores.archive.write(std::slice::from_ref(account), &change()).await.expect("an account is written");
}

/// All that is kept of a user; `None` where there is none.
pub(super) async fn stored(stores: &Stores, user: UserId) -> Option<Account> {
    let all = stores.archive.read(None, 100_000).await.expect("accounts are read");
    all.into_iter().find(|account| account.user.id == user)
}

/// A user as it is shown; `None` where it is not live.
pub(super) async fn live(stores: &Stores, user: UserId) -> Option<User> {
    let caller = Caller { user_id: user, session: None };
    stores.accounts.caller(caller, None).await.expect("a caller is read").caller
}

/// Starts a session of a user under its first epoch, that many seconds after the start.
pub(super) async fn logged_in(sessions: &Arc<dyn Sessions>, user: UserId, seconds: u64) -> Session {
    let (open, change) = (open_session(user), change_by(user, at(seconds)));
    assert!(sessions.open(&open, &change).await.expect("a session is opened"));
    open.started_by(&change)
}

/// Whether a session has not ended.
pub(super) async fn session_lives(sessions: &Arc<dyn Sessions>, user: UserId, session: &Session) -> bool {
    let state = sessions.state(user, Some(session.id)).await.expect("a session is read");
    state.and_then(|state| state.refresh_token) == Some(session.refresh_token)
}

/// Reserves a new image for a user until that many seconds after the start.
pub(super) async fn reserved(stores: &Stores, owner: UserId, until: u64) -> ImageRef {
    let image = image_of(owner);
    stores
        .profile_images
        .reserve(owner, &image, at(until), &change_by(owner, at(0)))
        .await
        .expect("an image is reserved");
    image
}

/// Gives a user a new image.
pub(super) async fn with_image(stores: &Stores, user: UserId) -> ImageRef {
    let image = reserved(stores, user, 600).await;
    stores
        .profile_images
        .set(user, &image.clone().into(), &change_by(user, at(0)))
        .await
        .expect("an image is set");
    image
}

/// All images that are due that many seconds after the start; they are being removed then.
pub(super) async fn due_images(stores: &Stores, seconds: u64) -> Vec<ImageRef> {
    let mut images = Vec::new();
    for store in stores.profile_images.stores().await.expect("stores are read") {
        let due =
            stores.profile_images.due(&store, at(seconds), None, 10_000).await.expect("removals are read");
        images.extend(due.into_iter().map(|removal| removal.image));
    }
    images
}

/// One page of all live users.
pub(super) async fn listed(stores: &Stores, number: u64, per_page: u64) -> Page<User> {
    let query = UserQuery { search: None, page: page(number, per_page) };
    stores.directory.list(&query).await.expect("users are listed")
}

/// The usernames that a search finds, at most 100, in the order of their users' ids. Checks that the total fits.
pub(super) async fn found(stores: &Stores, term: &str) -> Vec<String> {
    let query = UserQuery { search: Some(search_term(term)), page: page(1, 100) };
    let found = stores.directory.list(&query).await.expect("users are searched");
    assert_eq!(found.total, found.items.len() as u64, "the total of a search for {term:?}");
    found.items.into_iter().map(|user| user.username.as_str().to_owned()).collect()
}

/// Those of these sessions that have not ended.
pub(super) async fn live_sessions(
    sessions: &Arc<dyn Sessions>,
    user: UserId,
    asked: &[Session],
) -> Vec<Session> {
    let mut live = Vec::new();
    for session in asked {
        if session_lives(sessions, user, session).await {
            live.push(*session);
        }
    }
    live
}
