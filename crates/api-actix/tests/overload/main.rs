//! More than it can carry: 1,000 connections that log in and do not wait when they are told to, 1,000 clients so slow that they
//! are none, and 1,000 connections with the worst bodies. Others are served meanwhile, memory is bounded, nobody is left without an answer, and afterwards it
//! is as before.
//!
//! `ROSTER_OVERLOAD_SECONDS` says for how long (5 without). From 120 on, the slow clients are waited for until the last has
//! lost its connection.

#![expect(clippy::unwrap_used, reason = "what a test can't go on without, it stops for")]

mod bodies;
#[expect(dead_code, reason = "the attack test needs more of it")]
mod client;
#[path = "../api/harness/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the tests of the API need more of it")]
mod harness;
mod slow;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout};

use client::{Client, Figures, Way, on_own_thread, request};
use harness::{Setup, TestApp};

/// How many connections there are.
const CONNECTIONS: usize = 1000;

/// How much more memory they may take than there was in use before: what HTTP buffers for each, at worst some 600 KiB, of
/// which few do the worst.
const MOST_MEMORY: u64 = 128 * 1024 * 1024;

/// How long a client waits for an answer: much longer than a log-in waits for its hash, as the machine may do other things
/// too. How long they really wait is told, and is the benchmark's to judge.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long the tests try.
fn duration() -> Duration {
    let seconds = std::env::var("ROSTER_OVERLOAD_SECONDS").ok().map(|text| text.parse().unwrap());
    Duration::from_secs(seconds.unwrap_or(5))
}

/// A server with a user, and room for the connections' other ends in this process.
async fn start() -> TestApp {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    // Hashes of some 120 ms, of which no machine makes a thousand in the second for which a log-in waits for its place.
    let app = Setup::new().set("BCRYPT_COST", "11").set("HASH_QUEUE", "64").start().await;
    app.sign_up("ann").await;
    app
}

fn log_in() -> Vec<u8> {
    let body = json!({"email": "ann@example.org", "password": "the password of ann"}).to_string();
    request("POST", "/api/v1/auth/login", &body)
}

/// Logs in, and again, as nobody else does: the best time that one took. It is told and nothing is made of it, as the machine
/// may do other things too.
async fn log_in_time(app: &TestApp) -> Duration {
    let mut client = Client::connect(Way::to(app.address())).await.unwrap();
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let started = Instant::now();
        assert_eq!(client.ask(&log_in()).await.unwrap().status, 200);
        best = best.min(started.elapsed());
    }
    best
}

/// Asks for `/health` again and again until then, on one connection.
async fn ask_for_health(app: &TestApp, until: Instant) -> Figures {
    let way = Way::to(app.address());
    on_own_thread(move || ask_for_health_on(way, until)).await
}

async fn ask_for_health_on(way: Way, until: Instant) -> Figures {
    let mut client = Client::connect(way).await.unwrap();
    let (mut figures, health) = (Figures::default(), request("GET", "/health", ""));
    // At least once, however long the connection took.
    loop {
        let started = Instant::now();
        let asked = client.ask(&health);
        let answer = timeout(PATIENCE, asked).await.expect("an answer in time").expect("an answer");
        figures.add(answer.status, started.elapsed());
        if Instant::now() >= until {
            return figures;
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// The most memory that the server had resident until then.
async fn watch_memory(app: &TestApp, until: Instant) -> u64 {
    let mut most = app.resident_memory();
    while Instant::now() < until {
        sleep(Duration::from_millis(100)).await;
        most = most.max(app.resident_memory());
    }
    most
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_that_log_in_are_all_answered_and_nothing_else_suffers() {
    let app = start().await;
    let (before, memory) = (log_in_time(&app).await, app.resident_memory());
    let until = Instant::now() + duration();

    let clients =
        join_all((0..CONNECTIONS).map(|_| tokio::spawn(log_in_until(Way::to(app.address()), until))));
    let (clients, health, most) =
        tokio::join!(clients, ask_for_health(&app, until), watch_memory(&app, until));
    let mut log_ins = Figures::default();
    for client in clients {
        // A time-out, a reset or any other answer has ended it with a panic.
        log_ins.join(client.unwrap());
    }
    let after = log_in_time(&app).await;

    println!("log-ins: {log_ins}\n/health: {health}");
    println!("memory: {} KiB before, {} KiB at most", memory / 1024, most / 1024);
    println!("one log-in: {before:?} before, {after:?} after");
    assert!(log_ins.count(200) > 0 && log_ins.count(503) > 0, "{log_ins}");
    assert!(health.count(200) > 0, "{health}");
    assert!(most < memory + MOST_MEMORY, "{most} bytes of memory");
}

/// Logs in again and again, also when it is told to try later.
async fn log_in_until(way: Way, until: Instant) -> Figures {
    let mut figures = Figures::default();
    let mut client = Client::connect(way).await.expect("a connection");
    let request = log_in();
    while Instant::now() < until {
        let started = Instant::now();
        let answer = timeout(PATIENCE, client.ask(&request)).await.expect("an answer in time");
        let answer = answer.expect("an answer");
        match answer.status {
            200 => {}
            503 => assert!(answer.head.contains("retry-after: "), "{}", answer.head),
            other => panic!("{other}: {}", answer.head),
        }
        figures.add(answer.status, started.elapsed());
    }
    figures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_slow_clients_hold_nothing_but_their_connections() {
    let app = start().await;
    let user = app.sign_up("ben").await;
    let (memory, files) = (app.resident_memory(), app.open_files());
    let (kinds, connected) = (slow::Kind::ALL, Arc::new(Semaphore::new(0)));
    let clients: Vec<_> = (0..CONNECTIONS)
        .map(|number| (kinds[number % kinds.len()], user.access.clone(), Arc::clone(&connected)))
        .map(|(kind, token, connected)| {
            tokio::spawn(slow::stay(kind, Way::to(app.address()), token, connected))
        })
        .collect();
    let _all = connected.acquire_many(u32::try_from(CONNECTIONS).unwrap()).await.unwrap();
    // Its turn comes when all of them have been accepted.
    app.get("/health").await.has(200);
    let until = Instant::now() + duration();
    let (health, most) = tokio::join!(ask_for_health(&app, until), watch_memory(&app, until));
    let (busy, busy_files) = (log_in_time(&app).await, app.open_files());

    println!("/health: {health}");
    println!("memory: {} KiB before, {} KiB at most", memory / 1024, most / 1024);
    println!("files: {files} before, {busy_files} with them; one log-in meanwhile: {busy:?}");
    assert!(health.count(200) > 0, "{health}");
    assert!(most < memory + MOST_MEMORY, "{most} bytes of memory");
    // Each connection is two, and an upload's file is one.
    assert!(busy_files < files + 3 * CONNECTIONS, "{busy_files} open files");

    if duration() < Duration::from_mins(2) {
        clients.iter().for_each(tokio::task::JoinHandle::abort);
        return;
    }
    let started = Instant::now();
    let mut stayed = Vec::new();
    for client in clients {
        stayed.push(client.await.unwrap());
    }
    for kind in kinds {
        let longest = stayed.iter().filter(|(other, _)| *other == kind).map(|(_, time)| *time).max().unwrap();
        println!("{kind:?}: stayed for {longest:?} at most");
    }
    println!("the last went {:?} later; {} files are open", started.elapsed(), app.open_files());
    assert!(app.open_files() < files + 20, "{} open files", app.open_files());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_with_the_worst_bodies_take_little_memory_and_hold_up_nobody() {
    let app = start().await;
    let user = app.sign_up("ben").await;
    let (bodies, manners) = (bodies::worst(), bodies::Manner::ALL);
    assert!(bodies.iter().all(|body| body.len() <= 64 * 1024 && body.len() > 40 * 1024));
    let mut requests = Vec::new();
    for (method, path) in bodies::endpoints(&app, &user).await {
        for token in [None, Some(user.access.as_str())] {
            requests.push((method.clone(), path.clone(), token));
        }
    }
    assert!(requests.len() >= 12, "{requests:?}");
    let before = ask_for_health(&app, Instant::now() + Duration::from_secs(1)).await;
    let memory = app.resident_memory();
    let until = Instant::now() + duration();

    // Each has an endpoint and sends all bodies, beginning with another than its neighbours.
    let clients = (0..CONNECTIONS).map(|number| {
        let (method, path, token) = &requests[number / manners.len() % requests.len()];
        let bodies = (0..4).map(|turn| &bodies[(number * 7 + turn * 11) % bodies.len()]);
        let requests = bodies.map(|body| bodies::with_body(method, path, *token, body)).collect();
        tokio::spawn(bodies::send(manners[number % manners.len()], Way::to(app.address()), requests, until))
    });
    let clients = join_all(clients);
    let (clients, health, most) =
        tokio::join!(clients, ask_for_health(&app, until), watch_memory(&app, until));
    let mut answers = Figures::default();
    for client in clients {
        answers.join(client.unwrap());
    }

    println!("answers: {answers}\n/health before: {before}\n/health: {health}");
    println!("memory: {} KiB before, {} KiB at most", memory / 1024, most / 1024);
    assert!(answers.count(422) > 0, "{answers}");
    assert!(health.count(200) > 0, "{health}");
    assert!(most < memory + MOST_MEMORY, "{most} bytes of memory");
}
