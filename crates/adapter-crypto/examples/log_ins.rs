//! How many passwords are checked in a second of a processor where many wait, and how long one takes where none does, beside
//! the crate `bcrypt` on as many threads.
//!
//! `cargo run --release -p roster-adapter-crypto --example log_ins [COST [WAITING [SECONDS [TIMES]]]]`, on Linux. A debug build
//! will do, as what hashes is optimised in it too. The two alternate, and medians count, so that what else the machine does
//! falls on both alike.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the terminal")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::cast_precision_loss, reason = "numbers are small")]

use std::fs;
use std::hint::black_box;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use roster_adapter_crypto::{BcryptHasher, HasherConfig};
use roster_domain::ports::{PasswordHasher, Verdict};
use roster_domain::values::{Password, PasswordHash};
use roster_domain_testkit::fixtures::asker;

const PASSWORD: &str = "correct horse";

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().unwrap());
    let cost = arguments.next().unwrap_or(12);
    let waiting = arguments.next().unwrap_or(64);
    let span = Duration::from_secs(arguments.next().unwrap_or(10).into());
    let times = arguments.next().unwrap_or(5);
    let threads = thread::available_parallelism().unwrap();
    let config = HasherConfig {
        cost,
        dearest: cost,
        queue: waiting as usize,
        deadline: Duration::from_mins(10),
        threads,
    };
    let hasher = Arc::new(BcryptHasher::start(config).unwrap());
    let hash = hasher.hash(password(), asker()).await.unwrap();

    println!("cost {cost}, {threads} threads, {waiting} waiting; {times} times {span:?} each");
    println!("checks a processor's second: crate, ours, ratio    one alone: crate, ours, ratio");
    let (mut rates, mut latencies) = (Vec::new(), Vec::new());
    for _ in 0..times {
        let crates = rate_of_crate(&hash, threads, span);
        let ours = rate_of_ours(&hasher, &hash, waiting, span).await;
        let (mut alone_crate, mut alone_ours) = (Vec::new(), Vec::new());
        for _ in 0..9 {
            let began = Instant::now();
            assert!(bcrypt::verify(PASSWORD, hash.expose()).unwrap());
            alone_crate.push(began.elapsed().as_secs_f64() * 1000.0);
            let began = Instant::now();
            check(&hasher, &hash).await;
            alone_ours.push(began.elapsed().as_secs_f64() * 1000.0);
        }
        let (of_crate, of_ours) = (median(alone_crate), median(alone_ours));
        let (rate, latency) = (ours / crates, of_ours / of_crate);
        println!("{crates:34.2} {ours:5.2} {rate:6.2} {of_crate:20.1} ms {of_ours:.1} ms {latency:5.2}");
        rates.push(rate);
        latencies.push(latency);
    }
    println!("medians: {:.2} times as many, {:.2} times as long", median(rates), median(latencies));
}

fn password() -> Password {
    Password::parse(PASSWORD.to_owned()).unwrap()
}

async fn check(hasher: &BcryptHasher, hash: &PasswordHash) {
    assert_eq!(hasher.verify(password(), Some(hash.clone()), asker()).await.unwrap(), Verdict::Match);
}

/// As a pool of threads does it that hash one password each.
fn rate_of_crate(hash: &PasswordHash, threads: NonZero<usize>, span: Duration) -> f64 {
    let done = AtomicUsize::new(0);
    let (began, before) = (Instant::now(), processor_seconds());
    thread::scope(|scope| {
        for _ in 0..threads.get() {
            scope.spawn(|| {
                while began.elapsed() < span {
                    assert!(black_box(bcrypt::verify(PASSWORD, hash.expose()).unwrap()));
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    done.into_inner() as f64 / (processor_seconds() - before)
}

/// Whoever has their answer asks again, for as long as the span is. What is under way at its end is waited for, and counts.
async fn rate_of_ours(hasher: &Arc<BcryptHasher>, hash: &PasswordHash, waiting: u32, span: Duration) -> f64 {
    let (began, before) = (Instant::now(), processor_seconds());
    let clients: Vec<_> = (0..waiting)
        .map(|_| {
            let (hasher, hash) = (Arc::clone(hasher), hash.clone());
            tokio::spawn(async move {
                let mut done = 0;
                while began.elapsed() < span {
                    check(&hasher, &hash).await;
                    done += 1;
                }
                done
            })
        })
        .collect();
    let mut done = 0;
    for client in clients {
        done += client.await.unwrap();
    }
    f64::from(done) / (processor_seconds() - before)
}

/// How long all threads of this process have been on a processor, in all.
fn processor_seconds() -> f64 {
    /// How many are a second, on every Linux that there is.
    const TICKS: f64 = 100.0;

    let text = fs::read_to_string("/proc/self/stat").unwrap();
    // After the name, which may hold anything, `utime` and `stime` are the 12th and 13th.
    let (_name, rest) = text.rsplit_once(')').unwrap();
    let ticks: Vec<f64> =
        rest.split_whitespace().skip(11).take(2).map(|text| text.parse().unwrap()).collect();
    ticks.iter().sum::<f64>() / TICKS
}

fn median(mut rows: Vec<f64>) -> f64 {
    rows.sort_by(f64::total_cmp);
    rows[rows.len() / 2]
}
