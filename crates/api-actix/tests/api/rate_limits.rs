//! Who may ask how often, and by whose word it goes who asks.

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde_json::{Value, json};

use crate::harness::{Answer, Call, Setup, TestApp};

/// Behind a proxy on this machine, which says who asks.
fn behind_a_proxy() -> Setup {
    Setup::new().set("TRUSTED_PROXIES", "127.0.0.1").unset("RATE_LIMITS")
}

fn log_in(app: &TestApp, from: &str, name: &str, password: &str) -> Call {
    let body = json!({"email": format!("{name}@example.org"), "password": password});
    app.post("/api/v1/auth/login").header("x-forwarded-for", from).json(&body)
}

fn sign_up(app: &TestApp, from: &str, name: &str) -> Call {
    let body = json!({"email": format!("{name}@example.org"), "username": name, "password": "secret"});
    app.post("/api/v1/auth/signup").header("x-forwarded-for", from).json(&body)
}

fn too_many() -> Value {
    json!({"detail": "Too many requests", "code": "rate_limited"})
}

/// Must be beyond a limit; says for how many seconds.
#[track_caller]
fn is_limited(answer: Answer) -> u64 {
    let answer = answer.is(429, too_many());
    answer.header("retry-after").unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_client_that_failed_to_log_in_too_often_waits_and_no_other_does() {
    let app = behind_a_proxy().set("LOGIN_FAILURES_PER_CLIENT", "3,1").start().await;
    sign_up(&app, "203.0.113.1", "ann").await.has(201);
    for name in ["ann", "nobody", "ann"] {
        log_in(&app, "203.0.113.1", name, "wrong").await.has(401);
    }
    let seconds = is_limited(log_in(&app, "203.0.113.1", "nobody", "wrong").await);
    assert!((50..=60).contains(&seconds), "{seconds}");
    // Not even with the right password; nor with an address that the client made up.
    is_limited(log_in(&app, "203.0.113.1", "ann", "secret").await);
    is_limited(log_in(&app, "198.51.100.1, 203.0.113.1", "ann", "secret").await);
    log_in(&app, "203.0.113.2", "ann", "secret").await.has(200);
}

#[tokio::test]
async fn log_ins_that_succeed_and_what_cannot_be_read_count_for_nothing() {
    let app = behind_a_proxy().set("LOGIN_FAILURES_PER_CLIENT", "1,1").start().await;
    sign_up(&app, "203.0.113.1", "ann").await.has(201);
    for _ in 0..3 {
        log_in(&app, "203.0.113.1", "ann", "secret").await.has(200);
        log_in(&app, "203.0.113.1", "ann", "").await.has(422);
    }
    log_in(&app, "203.0.113.1", "ann", "wrong").await.has(401);
    is_limited(log_in(&app, "203.0.113.1", "ann", "wrong").await);
}

#[tokio::test]
async fn of_many_failures_at_once_hardly_more_are_hashed_than_are_allowed() {
    // Hashes that take longer than it takes to count one.
    let app = behind_a_proxy().set("LOGIN_FAILURES_PER_CLIENT", "5,1").set("BCRYPT_COST", "10").start().await;
    let calls = (0..40).map(|_| log_in(&app, "203.0.113.1", "nobody", "wrong").into_future());
    let failed = join_all(calls).await.iter().filter(|answer| answer.status == 401).count();
    // Those that are being hashed when the last allowed one fails.
    let under_way = std::thread::available_parallelism().map_or(1, usize::from) * 4;
    assert!((5..=5 + under_way).contains(&failed), "{failed}");
}

#[tokio::test]
async fn an_ipv6_client_is_its_network() {
    let app = behind_a_proxy().set("LOGIN_FAILURES_PER_CLIENT", "1,1").start().await;
    log_in(&app, "2001:db8::1", "nobody", "wrong").await.has(401);
    is_limited(log_in(&app, "2001:db8::2", "nobody", "wrong").await);
    log_in(&app, "2001:db8:0:1::1", "nobody", "wrong").await.has(401);
}

#[tokio::test]
async fn nobody_elses_word_is_believed_and_the_log_says_so_once() {
    let setup = Setup::new().unset("RATE_LIMITS").set("LOGIN_FAILURES_PER_CLIENT", "2,1");
    let app = setup.start().await;
    for number in 1..=2 {
        log_in(&app, &format!("203.0.113.{number}"), "nobody", "wrong").await.has(401);
    }
    is_limited(log_in(&app, "203.0.113.3", "nobody", "wrong").await);
    let limited =
        app.logged(|log| log.lines.iter().any(|line| line.contains("rate limit reached")).then_some(()));
    limited.await.unwrap();
    let log = app.log();
    let told = log.lines.iter().filter(|line| line.contains("forwarded header ignored")).count();
    assert_eq!(told, 1);
    assert!(!log.lines.iter().any(|line| line.contains("203.0.113.")), "{:#?}", log.lines);
}

#[tokio::test]
async fn an_account_that_many_failed_at_is_shut_to_strangers_whether_it_exists_or_not() {
    let setup =
        behind_a_proxy().set("LOGIN_FAILURES_PER_CLIENT", "off").set("LOGIN_FAILURES_PER_ACCOUNT", "3");
    let app = setup.start().await;
    sign_up(&app, "192.0.2.1", "ann").await.has(201);
    log_in(&app, "192.0.2.1", "ann", "secret").await.has(200);
    for name in ["ann", "nobody"] {
        for number in 1..=3 {
            log_in(&app, &format!("203.0.113.{number}"), name, "wrong").await.has(401);
        }
        let seconds = is_limited(log_in(&app, "203.0.113.9", name, "secret").await);
        assert!((40..=60).contains(&seconds), "{seconds}");
    }
    // Whoever has logged in before is not shut out by others, and ends the row.
    log_in(&app, "192.0.2.1", "ann", "wrong").await.has(401);
    log_in(&app, "192.0.2.1", "ann", "secret").await.has(200);
    log_in(&app, "203.0.113.9", "ann", "wrong").await.has(401);
}

#[tokio::test]
async fn failures_at_an_account_and_who_logged_in_to_it_outlive_a_restart() {
    let setup =
        behind_a_proxy().set("LOGIN_FAILURES_PER_CLIENT", "off").set("LOGIN_FAILURES_PER_ACCOUNT", "3");
    let app = setup.start().await;
    sign_up(&app, "192.0.2.1", "ann").await.has(201);
    log_in(&app, "192.0.2.1", "ann", "secret").await.has(200);
    for number in 1..=3 {
        log_in(&app, &format!("203.0.113.{number}"), "ann", "wrong").await.has(401);
    }
    let app = app.restart().await;
    is_limited(log_in(&app, "203.0.113.9", "ann", "secret").await);
    log_in(&app, "192.0.2.1", "ann", "secret").await.has(200);
}

#[tokio::test]
async fn a_client_signs_up_only_so_many_and_admins_as_many_as_they_like() {
    let app = behind_a_proxy().set("SIGNUPS_PER_CLIENT", "3,1").start().await;
    let root = app.admin().await;
    sign_up(&app, "203.0.113.1", "").await.has(422);
    for name in ["ann", "bob", "ann"] {
        let answer = sign_up(&app, "203.0.113.1", name).await;
        assert!(matches!(answer.status, 201 | 409), "{}", answer.status);
    }
    let seconds = is_limited(sign_up(&app, "203.0.113.1", "carol").await);
    assert!((3_500..=3_600).contains(&seconds), "{seconds}");
    sign_up(&app, "203.0.113.2", "carol").await.has(201);
    let app =
        app.restart_as(|setup| setup.set("ADMIN_SIGNUP", "closed").set("SIGNUPS_PER_CLIENT", "1,1")).await;
    for name in ["dora", "emil", "fritz"] {
        let body = json!({"email": format!("{name}@example.org"), "username": name, "password": "x"});
        app.post("/api/v1/auth/admin/signup").by(&root).json(&body).await.has(201);
    }
}

#[tokio::test]
async fn each_limit_can_be_turned_off() {
    let off = ["LOGIN_FAILURES_PER_CLIENT", "LOGIN_FAILURES_PER_ACCOUNT", "SIGNUPS_PER_CLIENT"];
    let app = off.into_iter().fold(behind_a_proxy(), |setup, name| setup.set(name, "off")).start().await;
    for number in 0..30 {
        log_in(&app, "203.0.113.1", "nobody", "wrong").await.has(401);
        sign_up(&app, "203.0.113.1", &format!("user{number}")).await.has(201);
    }
}

#[tokio::test]
async fn the_log_tells_the_clients_address_and_nothing_of_whom_it_wanted_to_be() {
    let app = behind_a_proxy().set("LOGIN_FAILURES_PER_CLIENT", "1,1").start().await;
    for status in [401, 429] {
        log_in(&app, "203.0.113.77", "victim", "hunter2").await.has(status);
    }
    let told = app.logged(|log| {
        let line = log.lines.iter().find(|line| line.contains("rate limit reached"))?;
        Some(line.clone())
    });
    let line = told.await.expect("a refusal is told");
    assert!(line.contains("203.0.113.77") && line.contains("LOGIN_FAILURES_PER_CLIENT"), "{line}");
    let log = app.log();
    let answered = log.lines.iter().filter(|line| line.contains("\"answered\""));
    assert!(answered.clone().all(|line| line.contains("203.0.113.77")), "{:#?}", log.lines);
    assert!(!log.lines.iter().any(|line| line.contains("victim") || line.contains("hunter2")));
}

#[tokio::test]
async fn an_honest_client_waits_for_a_few_hashes_however_many_another_has_waiting() {
    // A hash takes long beside what the store does before and after it, also on a busy machine with three nodes of MongoDB.
    let setup = Setup::new().set("TRUSTED_PROXIES", "127.0.0.1").set("BCRYPT_COST", "14");
    let app = setup.set("HASH_DEADLINE_SECONDS", "100").start().await;
    sign_up(&app, "192.0.2.1", "ann").await.has(201);
    let flood =
        |number: usize| log_in(&app, "203.0.113.1", &format!("nobody{number}"), "wrong").into_future();
    let mut floods: FuturesUnordered<_> = (0..40).map(flood).collect();
    // The queue is full of one client's by now.
    floods.next().await.unwrap();
    let mut honest = log_in(&app, "192.0.2.1", "ann", "secret").into_future();
    let mut before = 0;
    let answer = loop {
        tokio::select! {
            biased;
            answer = &mut honest => break answer,
            Some(_) = floods.next() => before += 1,
        }
    };
    answer.has(200);
    // Those under way, one turn, and what was answered at the same time.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    assert!(before <= 4 * cores + 2, "{before} of 39 came first");
}
