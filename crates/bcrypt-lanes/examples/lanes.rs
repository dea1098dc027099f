//! How much longer several hashes at once take than one, beside the crate `bcrypt`.
//!
//! `cargo run --release -p roster-bcrypt-lanes --example lanes [COST [TIMES]]`, on Linux: it takes the time that the thread
//! was on a processor. Rows alternate, and of each the median counts, so that what else the machine does falls on all alike.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the terminal")]
#![expect(clippy::cast_precision_loss, reason = "lanes are few")]

use std::hint::black_box;
use std::{fs, thread};

use roster_bcrypt_lanes::{Cost, Key, Lane, advance};

const SALT: [u8; 16] = [7; 16];
const PASSWORD: &[u8] = b"correct horse";
const MOST: usize = 6;

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().unwrap());
    let cost = arguments.next().unwrap_or(10);
    let times = arguments.next().unwrap_or(21);
    let key = Key::of_password(PASSWORD);
    let mut lanes: Box<[_]> = (0..MOST).map(|_| Lane::idle()).collect();
    let mut hash = |number: usize| {
        for lane in &mut lanes[..number] {
            lane.begin(Cost::new(cost).unwrap(), &SALT, black_box(&key));
        }
        advance(&mut lanes[..number], u32::MAX);
        for lane in &mut lanes[..number] {
            black_box(lane.finish().unwrap());
        }
    };
    let mut of_judge = Vec::new();
    let mut of_lanes: [Vec<f64>; MOST] = Default::default();
    for _ in 0..times {
        of_judge.push(milliseconds(|| drop(black_box(bcrypt::hash_with_salt(PASSWORD, cost, SALT)))));
        for (number, rows) in of_lanes.iter_mut().enumerate() {
            rows.push(milliseconds(|| hash(number + 1)));
        }
    }
    let judge = median(of_judge);
    println!("cost {cost}, medians of {times}; the crate bcrypt: {judge:.1} ms");
    println!("lanes  all, ms  each, ms  as long as one  as fast as one after the other");
    for (number, rows) in of_lanes.into_iter().enumerate() {
        let (lanes, all) = ((number + 1) as f64, median(rows));
        println!(
            "{lanes:5}  {all:7.1}  {:8.1}  {:14.2}  {:30.2}",
            all / lanes,
            all / judge,
            judge * lanes / all
        );
    }
}

fn milliseconds(work: impl FnOnce()) -> f64 {
    let so_far = || {
        // The count is brought up to date when the thread is switched.
        thread::yield_now();
        let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e6
    };
    let before = so_far();
    work();
    so_far() - before
}

fn median(mut rows: Vec<f64>) -> f64 {
    rows.sort_by(f64::total_cmp);
    rows[rows.len() / 2]
}
