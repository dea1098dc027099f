//! A roster that steps are taken in, and what is known about it from outside.

#![expect(clippy::unwrap_used, reason = "an answer that no step expects fails the test")]

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use roster_domain::Error;
use roster_domain::entities::{Account, Edit, MAX_SESSIONS, Page, Request};
use roster_domain::ports::{AccessClaims, AccountArchive};
use roster_domain::use_cases::{RemovalProgress, SignUp, TokenPair, UploadTarget};
use roster_domain::values::{
    ClientAddress, Email, ImageKey, Password, Reason, RequestId, Timestamp, UserId, Username,
};
use roster_domain_testkit::fixtures::{page, spool};
use roster_domain_testkit::{RosterBuilder, TestRoster};

const REQUEST: Request = Request::of_client(RequestId::from_bytes([1; 16]), ClientAddress::UNKNOWN);
const RETENTION: Duration = Duration::from_hours(30 * 24);
const ACCESS_LIVES: Duration = Duration::from_mins(30);
const REFRESH_LIVES: Duration = Duration::from_hours(7 * 24);

/// One use case. Users are named by their place among all that there have been, names by their place in a short list.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    SignUp { email: usize, username: usize, admin: bool },
    LogIn { whom: usize },
    LogInOften { whom: usize },
    Edit { whom: usize, by_itself: bool, email: Option<usize>, username: Option<usize> },
    Delete { whom: usize, by_itself: bool },
    BulkDelete { whom: Vec<usize> },
    Restore { whom: usize },
    Purge { whom: usize },
    Upload { whom: usize },
    DeleteImage { whom: usize },
    Wait { minutes: u64 },
    Housekeeping,
}

/// The tokens of one log-in.
struct LogIn {
    user: UserId,
    tokens: TokenPair,
    at: Timestamp,
    ended: bool,
}

pub(crate) struct World {
    test: TestRoster,
    /// An admin whom no step touches.
    root: UserId,
    /// Everybody else there has ever been.
    known: Vec<UserId>,
    log_ins: Vec<LogIn>,
    /// Users in the trash as they were before.
    deleted: HashMap<UserId, Account>,
}

fn email(place: usize) -> Email {
    Email::parse(&format!("user{place}@example.com")).unwrap()
}

fn username(place: usize) -> Username {
    Username::parse(&format!("user{place}")).unwrap()
}

fn password() -> Password {
    Password::parse("secret".to_owned()).unwrap()
}

fn reason() -> Reason {
    Reason::parse("spam").unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let test = RosterBuilder::new().trash_retention(RETENTION).build();
        let form = SignUp { email: email(99), username: username(99), password: password() };
        test.roster.admin_sign_up(None, form, REQUEST).await.unwrap();
        let root = test.store.read(None, 10).await.unwrap()[0].user.id;
        Self { test, root, known: Vec::new(), log_ins: Vec::new(), deleted: HashMap::new() }
    }

    async fn accounts(&self) -> Vec<Account> {
        self.test.store.read(None, 1_000).await.unwrap()
    }

    async fn account(&self, user: UserId) -> Option<Account> {
        self.accounts().await.into_iter().find(|account| account.user.id == user)
    }

    async fn is_live(&self, user: UserId) -> bool {
        self.account(user).await.is_some_and(|account| account.trash.is_none())
    }

    fn whom(&self, place: usize) -> Option<UserId> {
        (!self.known.is_empty()).then(|| self.known[place % self.known.len()])
    }

    /// Logs a live user in. With its seventeenth session the oldest ends.
    async fn log_in(&mut self, user: UserId) -> AccessClaims {
        let email = self.account(user).await.unwrap().user.email;
        let tokens = self.test.roster.log_in(email, password(), REQUEST).await.unwrap();
        let claims = self.test.roster.authenticate(Some(&tokens.access)).unwrap();
        self.log_ins.push(LogIn { user, tokens, at: self.now(), ended: false });
        let mut live: Vec<_> =
            self.log_ins.iter_mut().filter(|log_in| log_in.user == user && !log_in.ended).collect();
        let beyond = live.len().saturating_sub(MAX_SESSIONS);
        live.iter_mut().take(beyond).for_each(|log_in| log_in.ended = true);
        claims
    }

    fn now(&self) -> Timestamp {
        use roster_domain::ports::Clock;
        self.test.clock.now()
    }

    fn has_been_deleted(&mut self, before: Account) {
        let user = before.user.id;
        self.log_ins.iter_mut().filter(|log_in| log_in.user == user).for_each(|log_in| log_in.ended = true);
        self.deleted.insert(user, before);
    }

    /// Takes a step, where there is somebody to take it with, and checks its answer.
    pub(crate) async fn take(&mut self, step: &Step) {
        match step {
            Step::SignUp { email: e, username: u, admin } => {
                self.sign_up(email(*e), username(*u), *admin).await;
            }
            Step::Wait { minutes } => self.test.clock.advance(Duration::from_mins(*minutes)),
            Step::Housekeeping => self.keep_house().await,
            Step::BulkDelete { whom } => {
                let users: Vec<UserId> = whom.iter().filter_map(|place| self.whom(*place)).collect();
                self.delete_many(users).await;
            }
            Step::LogIn { whom }
            | Step::LogInOften { whom }
            | Step::Edit { whom, .. }
            | Step::Delete { whom, .. }
            | Step::Restore { whom }
            | Step::Purge { whom }
            | Step::Upload { whom }
            | Step::DeleteImage { whom } => {
                if let Some(user) = self.whom(*whom) {
                    self.take_with(user, step).await;
                }
            }
        }
    }

    async fn take_with(&mut self, user: UserId, step: &Step) {
        let is_live = self.is_live(user).await;
        match step {
            Step::LogIn { .. } if is_live => {
                self.log_in(user).await;
            }
            Step::LogInOften { .. } if is_live => {
                for _ in 0..MAX_SESSIONS {
                    self.log_in(user).await;
                }
            }
            Step::LogIn { .. } => self.cannot_log_in(user).await,
            Step::Edit { by_itself, email: e, username: u, .. } => {
                let caller = if *by_itself && is_live { user } else { self.root };
                let edit = Edit { email: e.map(email), username: u.map(username) };
                self.edit(caller, user, edit).await;
            }
            Step::Delete { by_itself, .. } => {
                let caller = if *by_itself && is_live { user } else { self.root };
                self.delete(caller, user).await;
            }
            Step::Restore { .. } => self.restore(user).await,
            Step::Purge { .. } => self.purge(user).await,
            Step::Upload { .. } if is_live => {
                let claims = self.log_in(user).await;
                let upload = spool(b"image");
                let image =
                    self.test.roster.upload_image(claims, UploadTarget::Default, upload, REQUEST).await;
                let kept = self.account(user).await.unwrap().user.profile_image;
                assert_eq!(kept, Some(image.unwrap().into()));
            }
            Step::DeleteImage { .. } if is_live => {
                let had_one = self.account(user).await.unwrap().user.profile_image.is_some();
                let claims = self.log_in(user).await;
                match self.test.roster.delete_image(claims, user, REQUEST).await {
                    Ok(()) => assert!(had_one),
                    Err(Error::NoImage) => assert!(!had_one),
                    Err(error) => panic!("{error:?}"),
                }
                assert_eq!(self.account(user).await.unwrap().user.profile_image, None);
            }
            _ => {}
        }
    }

    async fn sign_up(&mut self, email: Email, username: Username, admin: bool) {
        let before = self.accounts().await;
        let email_is_free = before.iter().all(|account| account.user.email != email);
        let username_is_free = before.iter().all(|account| account.user.username != username);
        let form = SignUp { email, username, password: password() };
        let answer = if admin {
            self.test.roster.admin_sign_up(None, form, REQUEST).await
        } else {
            self.test.roster.sign_up(form, REQUEST).await
        };
        match answer {
            Ok(()) => {
                assert!(email_is_free && username_is_free);
                // Ids grow, so the newest account is the last one.
                self.known.push(self.accounts().await.last().unwrap().user.id);
            }
            Err(Error::EmailTaken) => assert!(!email_is_free),
            Err(Error::UsernameTaken { suggestions }) => {
                assert!(email_is_free && !username_is_free);
                assert_eq!(suggestions.len(), 5);
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn cannot_log_in(&self, user: UserId) {
        if let Some(account) = self.account(user).await {
            let answer = self.test.roster.log_in(account.user.email, password(), REQUEST).await;
            assert!(matches!(answer, Err(Error::BadCredentials)));
        }
    }

    async fn edit(&mut self, caller: UserId, user: UserId, edit: Edit) {
        let before = self.account(user).await;
        let claims = self.log_in(caller).await;
        match self.test.roster.edit_user(claims, user, edit.clone(), REQUEST).await {
            Ok(edited) => {
                let before = before.unwrap().user;
                assert_eq!(edited.email, edit.email.unwrap_or(before.email));
                assert_eq!(edited.username, edit.username.unwrap_or(before.username));
                assert_eq!((edited.updated_at, edited.updated_by), (Some(self.now()), Some(caller)));
            }
            Err(Error::UserNotFound) => assert!(!self.is_live(user).await),
            Err(Error::EmailTaken | Error::UsernameTaken { .. }) => {
                assert_eq!(self.account(user).await.unwrap().user, before.unwrap().user);
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn delete(&mut self, caller: UserId, user: UserId) {
        let before = self.account(user).await;
        let claims = self.log_in(caller).await;
        match self.test.roster.delete_user(claims, user, reason(), REQUEST).await {
            Ok(()) => self.has_been_deleted(before.unwrap()),
            Err(Error::AlreadyInTrash) => assert!(before.unwrap().trash.is_some()),
            Err(Error::UserNotFound) => assert_eq!(before, None),
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn delete_many(&mut self, users: Vec<UserId>) {
        let mut before: HashMap<UserId, Account> =
            self.accounts().await.into_iter().map(|account| (account.user.id, account)).collect();
        let claims = self.log_in(self.root).await;
        let deletion = self.test.roster.bulk_delete(claims, users.clone(), reason(), REQUEST).await.unwrap();
        assert_eq!(deletion.already_deleted.len() + deletion.deleted_now.len(), users.len());
        for user in deletion.deleted_now {
            let before = before.remove(&user).expect("a user that was there, once");
            assert_eq!(before.trash, None);
            self.has_been_deleted(before);
        }
    }

    async fn restore(&mut self, user: UserId) {
        let claims = self.log_in(self.root).await;
        match self.test.roster.restore_user(claims, user, REQUEST).await {
            Ok(restored) => {
                let before = self.deleted.remove(&user).expect("a user in the trash");
                let after = self.account(user).await.unwrap();
                assert_eq!((&restored, &after.user), (&before.user, &before.user));
                assert_eq!(after.password_hash, before.password_hash);
                assert!(after.epoch > before.epoch && after.sessions.is_empty() && after.trash.is_none());
            }
            Err(Error::NotInTrash) => assert!(self.is_live(user).await),
            Err(Error::UserNotFound) => assert_eq!(self.account(user).await, None),
            Err(error) => panic!("{error:?}"),
        }
    }

    async fn purge(&mut self, user: UserId) {
        let before = self.account(user).await;
        let claims = self.log_in(self.root).await;
        match self.test.roster.purge_user(claims, user, REQUEST).await {
            Ok(()) => {
                assert!(before.unwrap().trash.is_some());
                assert_eq!(self.account(user).await, None);
                self.deleted.remove(&user);
            }
            Err(Error::NotInTrash) => assert!(before.is_none_or(|account| account.trash.is_none())),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Purges what has expired and removes what is due. Every image that is left is a user's then, and none is missing.
    async fn keep_house(&mut self) {
        let cutoff = self.now().minus(RETENTION);
        self.test.roster.purge_expired_trash(REQUEST).await.unwrap();
        self.test.roster.remove_images(&mut RemovalProgress::default(), REQUEST).await.unwrap();
        let accounts = self.accounts().await;
        assert!(accounts.iter().filter_map(|account| account.trash.as_ref()).all(|e| e.deleted_at >= cutoff));
        let there: HashSet<UserId> = accounts.iter().map(|account| account.user.id).collect();
        self.deleted.retain(|user, _| there.contains(user));
        let theirs: BTreeSet<ImageKey> = accounts
            .into_iter()
            .filter_map(|account| account.user.profile_image)
            .filter_map(|image| image.stored().map(|image| image.key.clone()))
            .collect();
        assert_eq!(self.test.images.keys(), theirs.into_iter().collect::<Vec<_>>());
    }

    /// Checks what holds at all times.
    pub(crate) async fn check(&mut self, step: &Step) {
        let accounts = self.accounts().await;
        let emails: HashSet<String> = accounts.iter().map(|account| account.user.email.key()).collect();
        let usernames: HashSet<String> = accounts.iter().map(|account| account.user.username.key()).collect();
        assert_eq!((emails.len(), usernames.len()), (accounts.len(), accounts.len()), "after {step:?}");

        let in_trash: HashSet<UserId> = accounts
            .iter()
            .filter(|account| account.trash.is_some())
            .map(|account| account.user.id)
            .collect();
        let claims = self.log_in(self.root).await;
        let Page { total, items } = self.test.roster.list_trash(claims, page(1, 100)).await.unwrap();
        let entries: HashSet<UserId> = items.iter().map(|entry| entry.user_id).collect();
        assert_eq!((total, items.len()), (in_trash.len() as u64, in_trash.len()), "after {step:?}");
        assert_eq!(entries, in_trash, "after {step:?}");
        assert_eq!(self.deleted.keys().copied().collect::<HashSet<_>>(), in_trash, "after {step:?}");

        for log_in in &self.log_ins {
            self.check_tokens(log_in, step).await;
        }
    }

    /// A token works until it has expired or was ended, and never again.
    async fn check_tokens(&self, log_in: &LogIn, step: &Step) {
        let roster = &self.test.roster;
        let refresh_works = !log_in.ended && self.now() < log_in.at.plus(REFRESH_LIVES);
        match roster.refresh(log_in.tokens.refresh.clone(), REQUEST).await {
            Ok(_) => assert!(refresh_works, "a dead refresh token works after {step:?}"),
            Err(Error::BadRefreshToken) => assert!(!refresh_works, "a refresh token is dead after {step:?}"),
            Err(error) => panic!("{error:?}"),
        }
        let access_works = !log_in.ended && self.now() < log_in.at.plus(ACCESS_LIVES);
        let read = match roster.authenticate(Some(&log_in.tokens.access)) {
            Ok(claims) => roster.read_user(claims, log_in.user).await,
            Err(error) => Err(error),
        };
        match read {
            Ok(_) => assert!(access_works, "a dead access token works after {step:?}"),
            Err(Error::NotAuthenticated) => assert!(!access_works, "an access token is dead after {step:?}"),
            Err(error) => panic!("{error:?}"),
        }
    }
}
