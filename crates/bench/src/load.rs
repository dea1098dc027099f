//! A closed loop: each connection sends its next request when the last one is answered.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::time::Instant;

use crate::http::{Connection, Request};
use crate::outcome::Outcome;

/// What one turn of a connection sends, one request after the other.
pub(crate) type Turn<'a> = Box<dyn Fn() -> Vec<Request> + 'a>;

/// What became of a load.
#[derive(Default)]
pub(crate) struct Load {
    /// How long each turn took.
    pub(crate) times: Vec<Duration>,
    /// How many turns were answered 503. They are no part of the times.
    pub(crate) refused: u32,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
}

impl Load {
    pub(crate) fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.refused += other.refused;
        self.elapsed += other.elapsed;
    }

    /// Turns a second.
    pub(crate) fn rate(&self) -> f64 {
        f64::from(u32::try_from(self.times.len()).unwrap_or(u32::MAX)) / self.elapsed.as_secs_f64()
    }

    /// The time that so many hundredths of the turns did not exceed.
    pub(crate) fn percentile(&mut self, hundredths: usize) -> Duration {
        self.times.sort_unstable();
        let place = (self.times.len() * hundredths).div_ceil(100).saturating_sub(1);
        self.times.get(place).copied().unwrap_or_default()
    }
}

/// Loads a server with so many connections for as long as `go_on` says so. What has begun by then is waited for.
pub(crate) async fn load(
    address: SocketAddr,
    connections: usize,
    turn: &Turn<'_>,
    go_on: impl Fn() -> bool,
) -> Outcome<Load> {
    let open = try_join_all((0..connections).map(|_| Connection::open(address))).await?;
    let start = Instant::now();
    let loads = try_join_all(open.into_iter().map(|connection| turns(connection, turn, &go_on))).await?;
    let elapsed = start.elapsed();
    let mut all = Load::default();
    for load in loads {
        all.add(load);
    }
    Ok(Load { elapsed, ..all })
}

/// [`load`] for that long.
pub(crate) async fn load_for(
    address: SocketAddr,
    connections: usize,
    turn: &Turn<'_>,
    duration: Duration,
) -> Outcome<Load> {
    let start = Instant::now();
    load(address, connections, turn, || start.elapsed() < duration).await
}

async fn turns(mut connection: Connection, turn: &Turn<'_>, go_on: &impl Fn() -> bool) -> Outcome<Load> {
    let mut load = Load::default();
    while go_on() {
        let requests = turn();
        let start = Instant::now();
        let mut is_refused = false;
        for request in &requests {
            let answer = connection.ask(&request.bytes).await?;
            is_refused |= answer.status == 503;
            if answer.status != request.expected && !is_refused {
                let line = request.bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
                let (line, body) = (String::from_utf8_lossy(line), String::from_utf8_lossy(answer.body));
                return Err(format!("{line} was answered {}: {body}", answer.status).into());
            }
        }
        if is_refused {
            load.refused += 1;
        } else {
            load.times.push(start.elapsed());
        }
    }
    Ok(load)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_time_that_so_many_did_not_exceed() {
        let times = (1..=200).rev().map(Duration::from_millis).collect();
        let mut load = Load { times, ..Load::default() };
        assert_eq!(load.percentile(50), Duration::from_millis(100));
        assert_eq!(load.percentile(99), Duration::from_millis(198));
        assert_eq!(Load::default().percentile(50), Duration::ZERO);
    }
}
