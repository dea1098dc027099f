//! What attackers know.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Sub;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::client::{Client, Way};
use super::harness::{TestApp, User};

/// How many accounts they have.
const ACCOUNTS: usize = 6;

pub(crate) struct Target {
    pub(crate) api: SocketAddr,
    pub(crate) metrics: SocketAddr,
    /// Their accounts.
    pub(crate) users: Vec<User>,
    /// One that they had.
    pub(crate) purged: User,
    /// Somebody else's.
    pub(crate) victim: User,
    /// Every endpoint that takes JSON, by method and path.
    pub(crate) json: Vec<(String, String)>,
    pub(crate) until: Instant,
}

impl Target {
    pub(crate) async fn new(app: &TestApp, metrics: SocketAddr, victim: User, until: Instant) -> Self {
        let admin = app.admin().await;
        let purged = app.sign_up("purged").await;
        app.trash(&admin, &[&purged]).await;
        app.delete(&purged.purge_path()).by(&admin).await.has(204);
        let mut users = Vec::new();
        for number in 0..ACCOUNTS {
            users.push(app.sign_up(&format!("attacker-{number}")).await);
        }
        let json = super::bodies::endpoints(app, &users[0]).await;
        Self { api: app.address(), metrics, users, purged, victim, json, until }
    }

    pub(crate) fn is_attacked(&self) -> bool {
        Instant::now() < self.until
    }

    pub(crate) fn api_from(&self, address: u8) -> Way {
        Way { from: Ipv4Addr::new(127, 0, 0, address), to: self.api }
    }

    pub(crate) fn metrics_from(&self, address: u8) -> Way {
        Way { from: Ipv4Addr::new(127, 0, 0, address), to: self.metrics }
    }

    /// What the service says of the passwords that it has hashed.
    pub(crate) async fn hashes(&self) -> Hashes {
        let url = format!("http://{}/metrics", self.metrics);
        let text = reqwest::get(url).await.unwrap().text().await.unwrap();
        let value = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("it counts hashes");
            line.trim().parse::<f64>().unwrap()
        };
        Hashes {
            count: value("roster_hash_run_seconds_count"),
            seconds: value("roster_hash_run_seconds_sum"),
        }
    }
}

/// How many passwords were hashed, and how long that took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hashes {
    count: f64,
    seconds: f64,
}

impl Hashes {
    pub(crate) fn mean(self) -> Duration {
        Duration::from_secs_f64(self.seconds / self.count)
    }
}

impl Sub for Hashes {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { count: self.count - other.count, seconds: self.seconds - other.seconds }
    }
}

/// The status of the answer to one request on a connection of its own; none where the connection or the attack ended before.
pub(crate) async fn ask_once(way: Way, request: &[u8], until: Instant) -> Option<u16> {
    let mut client = Client::connect(way).await.ok()?;
    let answer = timeout_at(until, client.ask(request)).await.ok()?.ok()?;
    assert!(answer.status < 500 || answer.status == 503, "{}", answer.head);
    Some(answer.status)
}
