//! [`Accounts::caller`](roster_domain::ports::Accounts::caller).

use std::sync::Arc;

use roster_domain::entities::Session;
use roster_domain::ports::{Accounts, Caller};
use roster_domain::values::{Epoch, UserId};

use super::Stores;
use super::support::{created, delete, logged_in, restore};
use crate::fixtures::{at, next_user_id, session, shown};

pub async fn a_caller_is_read_with_its_epoch_and_session(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let opened = logged_in(&stores.sessions, ann.id, 5).await;
    let caller = |session: Option<&Session>| Caller { user_id: ann.id, session: session.map(|s| s.id) };

    let answer = stores.accounts.caller(caller(Some(&opened)), None).await.unwrap();
    assert_eq!(answer.caller, Some(shown(&ann, at(0))));
    assert_eq!((answer.epoch, answer.session_lives, answer.named), (Epoch::FIRST, true, None));

    assert!(stores.accounts.caller(caller(None), None).await.unwrap().session_lives);
    let unknown = session(at(0));
    assert!(!stores.accounts.caller(caller(Some(&unknown)), None).await.unwrap().session_lives);
}

pub async fn a_caller_who_is_not_live_is_none(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let bob = created(&stores, "bob").await;
    delete(&stores, ann.id).await;
    for user_id in [ann.id, next_user_id()] {
        let answer = stores.accounts.caller(Caller { user_id, session: None }, Some(bob.id)).await.unwrap();
        assert_eq!(answer.caller, None);
    }
}

pub async fn a_callers_epoch_is_raised_by_a_deletion(stores: Stores) {
    let ann = created(&stores, "ann").await;
    delete(&stores, ann.id).await;
    restore(&stores, ann.id).await;
    let answer = stores.accounts.caller(Caller { user_id: ann.id, session: None }, None).await.unwrap();
    assert!(answer.caller.is_some() && answer.epoch > Epoch::FIRST);
}

async fn named_by(accounts: &Arc<dyn Accounts>, caller: UserId, named: UserId) -> Option<UserId> {
    let answer = accounts.caller(Caller { user_id: caller, session: None }, Some(named)).await.unwrap();
    assert_eq!(answer.caller.map(|caller| caller.id), Some(caller));
    answer.named.map(|named| named.id)
}

pub async fn whom_a_request_names_is_read_where_live(stores: Stores) {
    let ann = created(&stores, "ann").await;
    let bob = created(&stores, "bob").await;
    assert_eq!(named_by(&stores.accounts, ann.id, bob.id).await, Some(bob.id));
    assert_eq!(named_by(&stores.accounts, ann.id, next_user_id()).await, None);
    delete(&stores, bob.id).await;
    assert_eq!(named_by(&stores.accounts, ann.id, bob.id).await, None);
    restore(&stores, bob.id).await;
    assert_eq!(named_by(&stores.accounts, ann.id, bob.id).await, Some(bob.id));
}

pub async fn a_caller_may_name_themself(stores: Stores) {
    let ann = created(&stores, "ann").await;
    created(&stores, "bob").await;
    let named = named_by(&stores.accounts, ann.id, ann.id).await;
    assert!(named.is_none_or(|named| named == ann.id));
}
