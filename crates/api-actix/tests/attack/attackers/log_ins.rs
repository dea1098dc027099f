//! Floods of log-ins. Those that succeed are counted by no limit, so that fair turns alone are left against them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::client::{Figures, Way, request};
use crate::is_debug;
use crate::target::{Target, ask_once};

/// Two hundred a second.
const EVERY: Duration = Duration::from_millis(5);

/// How long one waits for the next, where most are refused.
const REFUSED_EVERY: Duration = Duration::from_millis(20);

/// How many of one flood wait for their answers at once.
const MOST: usize = 1_000;

fn log_in(email: &str, password: &str) -> Vec<u8> {
    request("POST", "/api/v1/auth/login", &json!({"email": email, "password": password}).to_string())
}

/// With the passwords of accounts of their own. Fewer where they are more than can be read, which are still more than can be
/// hashed.
pub(super) async fn right(target: Arc<Target>) -> Figures {
    let requests = target.users.iter().map(|user| log_in(&user.email, &user.password)).collect();
    flood(&target, target.api_from(20), requests, if is_debug() { 4 * EVERY } else { EVERY }).await
}

/// With wrong ones, for an account of somebody else's and for one that is not there.
pub(super) async fn wrong(target: Arc<Target>) -> Figures {
    let requests = [&target.victim.email, "nobody@example.org"].map(|email| log_in(email, "wrong"));
    flood(&target, target.api_from(21), requests.to_vec(), REFUSED_EVERY).await
}

async fn flood(target: &Target, way: Way, requests: Vec<Vec<u8>>, every: Duration) -> Figures {
    let (mut figures, mut asked) = (Figures::default(), JoinSet::new());
    let (mut ticks, mut turn) = (interval(every), requests.into_iter().cycle());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let until = target.until;
    while target.is_attacked() {
        ticks.tick().await;
        if asked.len() < MOST
            && let Some(request) = turn.next()
        {
            asked.spawn(async move {
                let begun = Instant::now();
                (ask_once(way, &request, until).await, begun.elapsed())
            });
        }
        while let Some(answered) = asked.try_join_next() {
            figures.add_answer(answered.expect("an answer that may be"));
        }
    }
    figures
}

/// One guess after the other at one account, from the next address as soon as one is refused, so that the account's own limit
/// is reached.
pub(super) async fn guess(target: Arc<Target>) -> Figures {
    let (mut figures, mut addresses) = (Figures::default(), (100..=250).cycle());
    let (request, mut address) = (log_in(&target.victim.email, "a guess"), 99);
    while target.is_attacked() {
        let begun = Instant::now();
        let status = ask_once(target.api_from(address), &request, target.until).await;
        figures.add_answer((status, begun.elapsed()));
        if status == Some(429) {
            address = addresses.next().unwrap_or(address);
            tokio::time::sleep(REFUSED_EVERY).await;
        }
    }
    figures
}
