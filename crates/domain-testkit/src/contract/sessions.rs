//! [`Sessions`](roster_domain::ports::Sessions): credentials, log-ins, sessions.

use std::sync::Arc;

use roster_domain::entities::{Change, LogIns, MAX_CLIENTS, MAX_SESSIONS, Request};
use roster_domain::ports::{Caller, Credentials, FailedLogIn, OpenSession, Rehash, SessionState};
use roster_domain::values::{ClientAddress, Epoch};

use super::Stores;
use super::support::{ROUNDS, created, delete, import, logged_in, purge, race, race_two, restore, stored};
use super::support::{live_sessions, session_lives};
use crate::fixtures::{
    account, at, change, change_at, change_by, client, email, hash, next_user_id, open_session, request,
    session, trashed,
};

async fn credentials(stores: &Stores, address: &str) -> Option<Credentials> {
    stores.sessions.credentials(&email(address)).await.unwrap()
}

pub async fn credentials_are_those_of_the_emails_user(stores: Stores) {
    let ann = created(&stores, "ann").await;
    created(&stores, "bob").await;
    let expected = Credentials {
        user_id: ann.id,
        password_hash: ann.password_hash,
        epoch: Epoch::FIRST,
        log_ins: LogIns::default(),
    };
    assert_eq!(credentials(&stores, "ann@example.com").await, Some(expected));
    assert_eq!(credentials(&stores, "carol@example.com").await, None);
}

pub async fn credentials_are_looked_up_by_the_emails_key(stores: Stores) {
    let mut mixed = account("Ann");
    mixed.user.email = email("Ann@Example.COM");
    import(&stores, &mixed).await;
    for address in ["ann@example.com", "Ann@Example.COM", "ANN@example.com"] {
        assert_eq!(credentials(&stores, address).await.map(|found| found.user_id), Some(mixed.user.id));
    }
}

pub async fn a_user_in_the_trash_has_no_credentials(stores: Stores) {
    let ann = created(&stores, "ann").await;
    delete(&stores, ann.id).await;
    assert_eq!(credentials(&stores, "ann@example.com").await, None);
    restore(&stores, ann.id).await;
    assert_eq!(credentials(&stores, "ann@example.com").await.map(|found| found.user_id), Some(ann.id));
    purge(&stores, ann.id).await;
    assert_eq!(credentials(&stores, "ann@example.com").await, None);
}

/// A change by that client.
fn change_from(address: &str) -> Change {
    let request = Request { client: Some(ClientAddress::new(address.parse().unwrap())), ..request() };
    Change { request, ..change() }
}

async fn log_ins(stores: &Stores) -> LogIns {
    credentials(stores, "ann@example.com").await.expect("ann is there").log_ins
}

pub async fn failed_log_ins_are_counted_until_one_succeeds(stores: Stores) {
    let ann = created(&stores, "ann").await;
    for (by_stranger, seconds) in [(false, 1), (true, 3), (true, 2), (false, 4)] {
        let failed = FailedLogIn { user_id: ann.id, by_stranger };
        stores.sessions.log_in_failed(&failed, &change_at(at(seconds))).await.unwrap();
    }
    let expected = LogIns { failures: 4, stranger_failed_at: Some(at(3)), clients: Vec::new() };
    assert_eq!(log_ins(&stores).await, expected);
    let opened = stores.sessions.open(&open_session(ann.id), &change_from("192.0.2.1")).await;
    assert!(opened.unwrap());
    let clients = vec![client("192.0.2.1")];
    assert_eq!(log_ins(&stores).await, LogIns { clients, ..LogIns::default() });
}

pub async fn the_dearest_hash_is_never_forgotten(stores: Stores) {
    for (cost, dearest) in [(5, 5), (9, 9), (6, 9), (9, 9), (4, 9), (10, 10)] {
        assert_eq!(stores.sessions.dearest_hash(cost).await.unwrap(), dearest);
    }
}

pub async fn of_many_failed_log_ins_at_once_each_is_counted(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let failed = FailedLogIn { user_id: ann.id, by_stranger: true };
    let calls = (0..20).map(|_| {
        let sessions = Arc::clone(&stores.sessions);
        async move { sessions.log_in_failed(&failed, &change()).await.unwrap() }
    });
    race(calls.collect()).await;
    assert_eq!(log_ins(&stores).await.failures, 20);
}

pub async fn the_last_sixteen_clients_that_logged_in_are_known(stores: Stores) {
    let ann = created(&stores, "ann").await;
    // The first logs in once more before the last comes.
    let addresses = (0..MAX_CLIENTS).chain([0, 99]).map(|number| format!("2001:db8:{number:x}::1"));
    for address in addresses {
        let opened = stores.sessions.open(&open_session(ann.id), &change_from(&address)).await;
        assert!(opened.unwrap());
    }
    let expected = [99, 0].into_iter().chain((2..MAX_CLIENTS).rev());
    let expected: Vec<_> = expected.map(|number| client(&format!("2001:db8:{number:x}::"))).collect();
    assert_eq!(log_ins(&stores).await.clients, expected);
    // Roster itself is no client.
    stores.sessions.open(&open_session(ann.id), &change()).await.unwrap();
    assert_eq!(log_ins(&stores).await.clients, expected);
}

pub async fn log_ins_of_a_user_who_is_not_live_are_not_counted(stores: Stores) {
    let ann = created(&stores, "ann").await;
    delete(&stores, ann.id).await;
    for user_id in [ann.id, next_user_id()] {
        let failed = FailedLogIn { user_id, by_stranger: true };
        stores.sessions.log_in_failed(&failed, &change()).await.unwrap();
    }
    restore(&stores, ann.id).await;
    assert_eq!(log_ins(&stores).await, LogIns::default());
}

pub async fn another_users_log_ins_are_none_of_the_users(stores: Stores) {
    created(&stores, "ann").await;
    let bob = created(&stores, "bob").await;
    let failed = FailedLogIn { user_id: bob.id, by_stranger: true };
    stores.sessions.log_in_failed(&failed, &change()).await.unwrap();
    stores.sessions.open(&open_session(bob.id), &change_from("192.0.2.1")).await.unwrap();
    assert_eq!(log_ins(&stores).await, LogIns::default());
}

pub async fn a_session_is_kept_as_it_was_opened(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let opened = logged_in(&stores.sessions, ann.id, 5).await;
    let state = stores.sessions.state(ann.id, Some(opened.id)).await.unwrap();
    let expected = SessionState { epoch: Epoch::FIRST, refresh_token: Some(opened.refresh_token) };
    assert_eq!(state, Some(expected));
    assert_eq!(stored(&stores, ann.id).await.unwrap().sessions, [opened]);
}

pub async fn a_session_that_is_not_named_or_not_there_has_no_refresh_token(stores: Stores) {
    let ann = created(&stores, "ann").await;
    logged_in(&stores.sessions, ann.id, 5).await;
    let nothing = Some(SessionState { epoch: Epoch::FIRST, refresh_token: None });
    assert_eq!(stores.sessions.state(ann.id, None).await.unwrap(), nothing);
    assert_eq!(stores.sessions.state(ann.id, Some(session(at(0)).id)).await.unwrap(), nothing);
}

pub async fn another_users_session_is_none_of_the_users(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let bob = created(&stores, "bob").await;
    let anns = logged_in(&stores.sessions, ann.id, 5).await;
    let state = stores.sessions.state(bob.id, Some(anns.id)).await.unwrap();
    assert_eq!(state, Some(SessionState { epoch: Epoch::FIRST, refresh_token: None }));
    let caller = Caller { user_id: bob.id, session: Some(anns.id) };
    assert!(!stores.accounts.caller(caller, None).await.unwrap().session_lives);
}

pub async fn a_user_who_is_not_live_has_no_session_state(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let opened = logged_in(&stores.sessions, ann.id, 5).await;
    delete(&stores, ann.id).await;
    for session in [None, Some(opened.id)] {
        assert_eq!(stores.sessions.state(ann.id, session).await.unwrap(), None);
        assert_eq!(stores.sessions.state(next_user_id(), session).await.unwrap(), None);
    }
}

pub async fn no_session_starts_for_a_user_who_is_not_live(stores: Stores) {
    let ann = created(&stores, "ann").await;
    delete(&stores, ann.id).await;
    let epoch = stored(&stores, ann.id).await.unwrap().epoch;
    for epoch in [Epoch::FIRST, epoch] {
        let open = OpenSession { epoch, ..open_session(ann.id) };
        assert!(!stores.sessions.open(&open, &change()).await.unwrap());
    }
    assert!(!stores.sessions.open(&open_session(next_user_id()), &change()).await.unwrap());
    restore(&stores, ann.id).await;
    assert_eq!(stored(&stores, ann.id).await.unwrap().sessions, []);
}

pub async fn no_session_starts_under_another_epoch_and_the_hash_stays(stores: Stores) {
    let ann = created(&stores, "ann").await;
    delete(&stores, ann.id).await;
    restore(&stores, ann.id).await;
    let rehash = Some(Rehash { old: ann.password_hash.clone(), new: hash("new") });
    for epoch in [Epoch::FIRST, Epoch::new(9)] {
        let open = OpenSession { epoch, rehash: rehash.clone(), ..open_session(ann.id) };
        assert!(!stores.sessions.open(&open, &change()).await.unwrap());
    }
    let kept = stored(&stores, ann.id).await.unwrap();
    assert_eq!((kept.password_hash, kept.sessions), (ann.password_hash, Vec::new()));
}

pub async fn an_outdated_hash_is_replaced_with_the_log_in(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let rehash = Some(Rehash { old: ann.password_hash, new: hash("new") });
    let open = OpenSession { rehash, ..open_session(ann.id) };
    assert!(stores.sessions.open(&open, &change()).await.unwrap());
    let found = credentials(&stores, "ann@example.com").await.unwrap();
    assert_eq!((found.password_hash, found.epoch), (hash("new"), Epoch::FIRST));
    assert!(session_lives(&stores.sessions, ann.id, &open.started_by(&change())).await);
}

pub async fn a_hash_that_has_changed_meanwhile_is_left_alone_and_the_session_starts(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let rehash = Some(Rehash { old: hash("an older one"), new: hash("new") });
    let open = OpenSession { rehash, ..open_session(ann.id) };
    assert!(stores.sessions.open(&open, &change()).await.unwrap());
    let kept = stored(&stores, ann.id).await.unwrap();
    assert_eq!((kept.password_hash, kept.sessions), (ann.password_hash, vec![open.started_by(&change())]));
}

pub async fn with_the_seventeenth_session_the_oldest_ends(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let bob = created(&stores, "bob").await;
    let bobs = logged_in(&stores.sessions, bob.id, 0).await;
    let mut opened = Vec::new();
    for seconds in 0..MAX_SESSIONS as u64 + 3 {
        opened.push(logged_in(&stores.sessions, ann.id, seconds).await);
        let lives = live_sessions(&stores.sessions, ann.id, &opened).await;
        assert_eq!(lives, opened[opened.len().saturating_sub(MAX_SESSIONS)..]);
    }
    assert_eq!(stored(&stores, ann.id).await.unwrap().sessions, opened[3..]);
    assert!(session_lives(&stores.sessions, bob.id, &bobs).await);
}

pub async fn of_many_log_ins_at_once_sixteen_sessions_live(stores: Stores) {
    for round in 0..ROUNDS / 8 {
        let ann = created(&stores, &format!("ann{round}")).await;
        let log_ins = (0..MAX_SESSIONS + 8).map(|_| {
            let sessions = Arc::clone(&stores.sessions);
            async move { logged_in(&sessions, ann.id, 5).await }
        });
        let opened = race(log_ins.collect()).await;
        let lives = live_sessions(&stores.sessions, ann.id, &opened).await;
        assert_eq!(lives.len(), MAX_SESSIONS);
        assert_eq!(stored(&stores, ann.id).await.unwrap().sessions.len(), MAX_SESSIONS);
    }
}

pub async fn a_refresh_beside_the_log_in_that_ends_its_session_comes_first_or_is_refused(stores: Stores) {
    for round in 0..ROUNDS {
        let ann = created(&stores, &format!("ann{round}")).await;
        let mut opened = Vec::new();
        for seconds in 0..MAX_SESSIONS as u64 {
            opened.push(logged_in(&stores.sessions, ann.id, seconds).await);
        }
        let oldest = opened[0];
        let (refresh, log_in) = (Arc::clone(&stores.sessions), Arc::clone(&stores.sessions));
        let (state, newest) =
            race_two(async move { refresh.state(ann.id, Some(oldest.id)).await.unwrap() }, async move {
                logged_in(&log_in, ann.id, 100).await
            })
            .await;
        let state = state.expect("the user is live");
        assert_eq!(state.epoch, Epoch::FIRST);
        assert!(state.refresh_token.is_none_or(|kept| kept == oldest.refresh_token));

        opened.push(newest);
        assert_eq!(live_sessions(&stores.sessions, ann.id, &opened).await, opened[1..]);
    }
}

pub async fn no_session_outlives_a_deletion_at_the_same_time(stores: Stores) {
    for round in 0..ROUNDS {
        let ann = created(&stores, &format!("ann{round}")).await;
        let open = open_session(ann.id);
        let (sessions, trash, opened) =
            (Arc::clone(&stores.sessions), Arc::clone(&stores.trash), open.started_by(&change()));
        race_two(async move { sessions.open(&open, &change()).await.unwrap() }, async move {
            trash.put(ann.id, &trashed(), &change_by(ann.id, at(5))).await.unwrap();
        })
        .await;
        assert_eq!(stores.sessions.state(ann.id, Some(opened.id)).await.unwrap(), None);
        restore(&stores, ann.id).await;
        assert!(!session_lives(&stores.sessions, ann.id, &opened).await);
        assert_eq!(stored(&stores, ann.id).await.unwrap().sessions, []);
    }
}
