//! Clients that do nothing wrong: what happens to them is what counts.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::Ipv4Addr;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::harness::{Answer, Call, TestApp, User, claims_of, jpeg, jpeg_of, png, sign_up_body};

/// How often one signs up, so that it stays within the 60 sign-ups that it has at once, and how often in all.
const SIGN_UP_EVERY: Duration = Duration::from_millis(2_200);
const SIGN_UPS: usize = 55;

/// How long it rests between two requests.
const REST: Duration = Duration::from_millis(50);

/// How long its requests took.
#[derive(Default)]
pub(crate) struct Times {
    /// Of those for which a password is hashed: log-ins and sign-ups.
    pub(crate) hashed: Vec<Duration>,
    /// Of all others.
    pub(crate) plain: Vec<Duration>,
}

pub(crate) struct Honest {
    name: String,
    address: Ipv4Addr,
    client: reqwest::Client,
    pub(crate) users: Vec<User>,
    /// The names of the users' images, by the users' ids.
    images: BTreeMap<String, String>,
    times: Times,
}

impl Honest {
    /// One with this address on this machine.
    pub(crate) fn new(address: u8) -> Self {
        let (name, address) = (format!("honest-{address}"), Ipv4Addr::new(127, 0, 0, address));
        Self {
            name,
            address,
            client: client(address),
            users: Vec::new(),
            images: BTreeMap::new(),
            times: Times::default(),
        }
    }

    /// Closes its connections, and tells how long its requests took.
    pub(crate) fn leave(&mut self) -> Times {
        self.client = client(self.address);
        std::mem::take(&mut self.times)
    }

    /// Works until then, and a little at least. Whatever is not answered as it should be fails the test.
    pub(crate) async fn work(&mut self, app: &TestApp, until: Instant) {
        loop {
            let begun = Instant::now();
            if self.users.len() < SIGN_UPS {
                self.sign_up(app).await;
            }
            // The account that strangers guess the password of.
            self.log_in(app, 0).await;
            loop {
                self.use_account(app, self.users.len() - 1).await;
                if begun.elapsed() >= SIGN_UP_EVERY || Instant::now() >= until {
                    break;
                }
            }
            if Instant::now() >= until {
                return;
            }
        }
    }

    async fn sign_up(&mut self, app: &TestApp) {
        let (number, name) = (self.users.len(), format!("{}-{}", self.name, self.users.len()));
        let body = sign_up_body(&name);
        let call = self.call(app, Method::POST, "/api/v1/auth/signup").json(&body);
        timed(app, &mut self.times.hashed, call, 201).await;
        let text = |field: &str| body[field].as_str().unwrap().to_owned();
        self.users.push(User {
            id: String::new(),
            username: text("username"),
            email: text("email"),
            password: text("password"),
            access: String::new(),
            refresh: String::new(),
        });
        self.log_in(app, number).await;
    }

    async fn log_in(&mut self, app: &TestApp, number: usize) {
        let user = &self.users[number];
        let body = json!({"email": user.email, "password": user.password});
        let call = self.call(app, Method::POST, "/api/v1/auth/login").json(&body);
        let answer = timed(app, &mut self.times.hashed, call, 200).await.json();
        let user = &mut self.users[number];
        answer["access_token"].as_str().unwrap().clone_into(&mut user.access);
        answer["refresh_token"].as_str().unwrap().clone_into(&mut user.refresh);
        claims_of(&user.access)["user_id"].as_str().unwrap().clone_into(&mut user.id);
    }

    /// Renames a user, replaces the image, looks at both, and refreshes the session.
    async fn use_account(&mut self, app: &TestApp, number: usize) {
        let user = self.users[number].clone();
        let name = format!("{}-{}", user.email.split('@').next().unwrap(), self.times.plain.len());
        let edit = self.call(app, Method::PUT, &user.path()).by(&user).json(&json!({ "username": name }));
        assert_eq!(self.ask(app, edit).await.json()["username"], name.as_str());
        let read = self.call(app, Method::GET, &user.path()).by(&user);
        assert_eq!(self.ask(app, read).await.json()["username"], name.as_str());

        let image = [jpeg(), png(), jpeg_of(50_000)][self.times.plain.len() / 6 % 3].clone();
        let upload = self.call(app, Method::POST, "/api/v1/profile-upload/").by(&user);
        let answer = self.ask(app, upload.file("image", "me.jpg", &image)).await.json();
        let stored = answer["filename"].as_str().unwrap().to_owned();
        let read = self.call(app, Method::GET, &format!("{}/profile-image", user.path())).by(&user);
        let shown = self.ask(app, read).await.body;
        assert!(shown == fs::read(app.image(&user.id, &stored)).unwrap(), "another image");
        self.images.insert(user.id.clone(), stored);

        let refresh = json!({ "refresh_token": user.refresh });
        let refresh = self.call(app, Method::POST, "/api/v1/refresh/").json(&refresh);
        self.ask(app, refresh).await;
        let health = self.call(app, Method::GET, "/health/ready");
        self.ask(app, health).await;
    }

    fn call(&self, app: &TestApp, method: Method, path: &str) -> Call {
        let name = format!("{} {method} {path}", self.name);
        Call::new(name, self.client.request(method, format!("http://{}{path}", app.address())))
    }

    /// Asks for what needs no hash.
    async fn ask(&mut self, app: &TestApp, call: Call) -> Answer {
        let answer = timed(app, &mut self.times.plain, call, 200).await;
        sleep(REST).await;
        answer
    }
}

/// Asks, and must be answered so.
async fn timed(app: &TestApp, times: &mut Vec<Duration>, call: Call, status: u16) -> Answer {
    let begun = Instant::now();
    let answer = call.await;
    times.push(begun.elapsed());
    if answer.status != status {
        let id = answer.header("x-request-id").unwrap();
        let tells = |line: &&String| line.contains(id) || !line.contains("\"level\":\"INFO\"");
        println!("{:#?}", app.log().lines.iter().filter(tells).collect::<Vec<_>>());
    }
    answer.has(status)
}

/// The time that so many of a hundred took at most.
pub(crate) fn percentile(times: &[Duration], percent: usize) -> Duration {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[(times.len() * percent).div_ceil(100).saturating_sub(1)]
}

impl Times {
    pub(crate) fn join(&mut self, other: Self) {
        self.hashed.extend(other.hashed);
        self.plain.extend(other.plain);
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, times) in [("with a hash", &self.hashed), ("without", &self.plain)] {
            let [middle, most, all] = [50, 99, 100].map(|percent| percentile(times, percent));
            write!(f, "{} {name}, p50 {middle:.1?}, p99 {most:.1?}, max {all:.1?}; ", times.len())?;
        }
        Ok(())
    }
}

/// Each honest user has the one image that was uploaded last, and whoever else has one has no more.
pub(crate) fn images_are_theirs(app: &TestApp, clients: &[Honest]) {
    let mut stored = BTreeMap::<String, Vec<String>>::new();
    for path in app.images() {
        let name = |path: &std::path::Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        stored.entry(name(path.parent().unwrap())).or_default().push(name(&path));
    }
    for (owner, name) in clients.iter().flat_map(|client| &client.images) {
        assert_eq!(stored.get(owner), Some(&vec![name.clone()]), "the image of {owner}");
    }
    assert!(stored.values().all(|names| names.len() == 1), "{stored:?}");
}

fn client(address: Ipv4Addr) -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().local_address(Some(address.into()));
    client.timeout(super::PATIENCE).build().unwrap()
}
