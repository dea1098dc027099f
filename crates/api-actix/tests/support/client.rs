//! A client that works on users of its own and holds every answer against what it was told before.

use std::cell::Cell;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::account::{Account, By, Picture, Place, Request, State};
use super::tally::Tally;
use crate::harness::{Answer, Call, TestApp, Tokens, User, claims_of, jpeg, png};

/// In how much time every request must be answered, whatever has happened to the database.
pub(crate) const BOUND: Duration = Duration::from_secs(15);

/// How clients work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Habits {
    /// How long they rest between two requests.
    pub(crate) rest: Duration,
    /// Whether their users upload images.
    pub(crate) uploads: bool,
}

pub(crate) struct Client<'a> {
    name: String,
    habits: Habits,
    admin: User,
    pub(crate) accounts: Vec<Account>,
    random: StdRng,
    names: u64,
    tally: &'a Tally,
}

impl<'a> Client<'a> {
    /// One with an admin of its own, and with places for so many users.
    pub(crate) async fn new(
        app: &TestApp,
        name: &str,
        accounts: usize,
        seed: u64,
        habits: Habits,
        tally: &'a Tally,
    ) -> Self {
        Self {
            name: name.to_owned(),
            habits,
            admin: app.admin_called(&format!("admin-of-{name}")).await,
            accounts: (0..accounts).map(|n| Account::new(format!("{name}-u{n}-n0"))).collect(),
            random: StdRng::seed_from_u64(seed),
            names: 0,
            tally,
        }
    }

    /// Asks one thing after the other until told to stop.
    pub(crate) async fn run(&mut self, app: &TestApp, stop: &Cell<bool>) {
        while !stop.get() {
            match self.random.random_range(0..20) {
                0 => self.list(app).await,
                1 => self.bulk_delete(app).await,
                2 => self.renew_admin(app).await,
                _ => {
                    let number = self.random.random_range(0..self.accounts.len());
                    let request = self.choose(number);
                    self.ask(app, number, &request).await;
                }
            }
            tokio::time::sleep(self.habits.rest).await;
        }
    }

    /// What to ask for a user next.
    fn choose(&mut self, number: usize) -> Request {
        let new_name = self.new_name(number);
        let account = &self.accounts[number];
        if account.id.is_none() {
            let name = account.first_name.clone();
            return if self.random.random() { Request::SignUp { name } } else { Request::LogIn { name } };
        }
        let by = if account.tokens().is_some() && self.random.random() { By::Owner } else { By::Admin };
        if account.may_be_in(Place::Trash) && self.random.random() {
            return if self.random.random_ratio(1, 4) { Request::Purge } else { Request::Restore };
        }
        if self.habits.uploads && account.tokens().is_some() && self.random.random_ratio(1, 5) {
            return Request::Upload { png: self.random.random() };
        }
        match self.random.random_range(0..12) {
            0..3 => Request::Read(by),
            3..7 => Request::Edit { by, name: new_name },
            7 if account.tokens().is_some() => Request::Refresh,
            7..9 => {
                let names: Vec<&String> =
                    account.possible().map(|state| &state.name).filter(|name| !name.is_empty()).collect();
                let name = names.get(self.random.random_range(0..names.len().max(1)));
                Request::LogIn { name: name.map_or(new_name, |name| (*name).clone()) }
            }
            9 => Request::Restore,
            10 => Request::Purge,
            _ => Request::Delete(by),
        }
    }

    /// A name that this user has never had.
    fn new_name(&mut self, number: usize) -> String {
        self.names += 1;
        format!("{}-u{number}-n{}", self.name, self.names)
    }

    /// Lets the admin rename a user; whether that was acknowledged.
    pub(crate) async fn rename(&mut self, app: &TestApp, number: usize) -> bool {
        let name = self.new_name(number);
        self.ask(app, number, &Request::Edit { by: By::Admin, name }).await
    }

    /// Asks one thing for a user, and learns from the answer; `false` where that was 503.
    pub(crate) async fn ask(&mut self, app: &TestApp, number: usize, request: &Request) -> bool {
        let call = self.call(app, &self.accounts[number], request);
        let answer = self.answered(call).await;
        let account = &mut self.accounts[number];
        let Some(answer) = answer else {
            account.learn_nothing(request);
            return false;
        };
        let status = answer.status;
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let told = format!("{status} {}", answer.text());
        account.learn(request, &told, |expected, state| {
            let shows_user = status == 200 && body.get("username").is_some();
            expected == status && (!shows_user || is_whole(&body, state, request))
        });
        match request {
            Request::LogIn { .. } if status == 200 => {
                let token = |name: &str| body[name].as_str().expect("a token").to_owned();
                let tokens = Tokens { access: token("access_token"), refresh: token("refresh_token") };
                let id = claims_of(&tokens.access)["user_id"].as_str().expect("an id").to_owned();
                let known = account.id.get_or_insert_with(|| id.clone());
                assert_eq!(*known, id, "one email leads to two users");
                account.logged_in(tokens);
            }
            Request::Refresh if status == 200 => {
                account.refreshed(body["access_token"].as_str().expect("a token"));
            }
            Request::Upload { .. } if status == 200 => {
                account.pictured(body["filename"].as_str().expect("a name"));
            }
            _ => {}
        }
        true
    }

    fn call(&self, app: &TestApp, account: &Account, request: &Request) -> Call {
        let id = account.id.as_deref().unwrap_or_default();
        let path = format!("/api/v1/auth/users/{id}");
        let token = |by: By| match (by, account.tokens()) {
            (By::Owner, Some(tokens)) => tokens.access.as_str(),
            _ => &self.admin.access,
        };
        match request {
            Request::SignUp { name } => app.sign_up_call(&body_of(name)),
            Request::LogIn { name } => {
                let body = body_of(name);
                let body = json!({ "email": body["email"], "password": body["password"] });
                app.post("/api/v1/auth/login").json(&body)
            }
            Request::Refresh => {
                let token = account.tokens().map(|tokens| &tokens.refresh);
                app.post("/api/v1/refresh/").json(&json!({ "refresh_token": token }))
            }
            Request::Read(by) => app.get(&path).bearer(token(*by)),
            Request::Edit { by, name } => {
                let body = body_of(name);
                let body = json!({ "email": body["email"], "username": name });
                app.put(&path).bearer(token(*by)).json(&body)
            }
            Request::Upload { png: is_png } => {
                let call = app.post("/api/v1/profile-upload/").bearer(token(By::Owner));
                call.file("image", "me.jpg", &if *is_png { png() } else { jpeg() })
            }
            Request::Delete(by) => app.delete(&format!("{path}?reason=test")).bearer(token(*by)),
            Request::Restore => app.put(&format!("/api/v1/trash/restore/{id}")).by(&self.admin),
            Request::Purge => app.delete(&format!("/api/v1/trash/permanent/delete/{id}")).by(&self.admin),
        }
    }

    /// Waits for an answer; none where it is 503, or where the server was killed before it answered. The harness holds that
    /// it is no 500, and 503 as it is documented.
    async fn answered(&self, call: Call) -> Option<Answer> {
        let begun = Instant::now();
        let Ok(answer) = timeout(BOUND, call.answer()).await else {
            panic!("{}: a request was not answered within {BOUND:?}", self.name);
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                assert!(self.tally.killed.get(), "{}: {error:?}", self.name);
                self.tally.cut.update(|cut| cut + 1);
                return None;
            }
        };
        self.tally.count(answer.status, begun.elapsed());
        (answer.status != 503).then_some(answer)
    }

    /// Looks its own users up in the list.
    async fn list(&mut self, app: &TestApp) {
        let path = format!("/api/v1/auth/users?q={}-u&per_page=30", self.name);
        let Some(answer) = self.answered(app.get(&path).by(&self.admin)).await else { return };
        let page = answer.has(200).json();
        let users = page["data"].as_array().expect("a page has users");
        assert_eq!(page["total"], users.len(), "{page}");
        let names: Vec<&str> = users.iter().filter_map(|user| user["username"].as_str()).collect();
        for (number, account) in self.accounts.iter_mut().enumerate() {
            account.learn_listed(&names_of(&self.name, number, &names), None);
        }
    }

    /// Deletes all of its users whose ids it knows with one request.
    async fn bulk_delete(&mut self, app: &TestApp) {
        let ids: Vec<&str> = self.accounts.iter().filter_map(|account| account.id.as_deref()).collect();
        if ids.is_empty() {
            return;
        }
        let body = json!({ "ids": ids, "reason": "test" });
        let answer = self.answered(app.post("/api/v1/trash/bulk-delete").by(&self.admin).json(&body)).await;
        let body = answer.map(|answer| answer.has(200).json());
        let request = Request::Delete(By::Admin);
        for account in &mut self.accounts {
            let Some(id) = account.id.clone() else { continue };
            let Some(body) = &body else {
                account.learn_nothing(&request);
                continue;
            };
            let is_in = |list: &str| body[list].as_array().is_some_and(|ids| ids.contains(&json!(id)));
            let (now, already) = (is_in("deleted_now"), is_in("alredy_deleted_user"));
            assert_ne!(now, already, "{id} in {body}");
            account.learn(&request, &body.to_string(), |expected, _| now == (expected == 204));
        }
    }

    /// Long runs outlive an access token.
    async fn renew_admin(&mut self, app: &TestApp) {
        let body = json!({ "refresh_token": self.admin.refresh });
        if let Some(answer) = self.answered(app.post("/api/v1/refresh/").json(&body)).await {
            let body = answer.has(200).json();
            body["access_token"].as_str().expect("a token").clone_into(&mut self.admin.access);
        }
    }

    /// Sessions that live are refreshed, and those that have ended are not; names that are taken stay so.
    pub(crate) async fn keeps_its_word(&mut self, app: &TestApp) {
        for account in &mut self.accounts {
            for token in account.living() {
                let answer = app.refresh(&token).await.has(200).json();
                account.refreshed(answer["access_token"].as_str().expect("a token"));
            }
            // All but the last few have been asked for in the rounds before.
            for token in account.ended.iter().rev().take(4) {
                app.refresh(token).await.has(401);
            }
            let state = account.possible().next().expect("a user is something");
            if state.place != Place::Nowhere {
                let (taken, mut body) = (body_of(&state.name), body_of("never-taken"));
                for field in ["username", "email"] {
                    body[field] = taken[field].clone();
                    app.sign_up_call(&body).await.has(409);
                }
            }
        }
    }

    /// Who lists what everybody left behind.
    pub(crate) fn admin(&self) -> &User {
        &self.admin
    }

    /// Which of the names are those of its user of that number.
    pub(crate) fn names_of<'n>(&self, number: usize, names: &[&'n str]) -> Vec<&'n str> {
        names_of(&self.name, number, names)
    }

    /// What the names of its user of that number begin with, and those of no other.
    pub(crate) fn prefix_of(&self, number: usize) -> String {
        prefix_of(&self.name, number)
    }
}

/// What a user signs up with. A password stays what it was when the names change, so it is the same for all.
fn body_of(name: &str) -> Value {
    json!({
        "email": format!("{name}@example.org"), "username": name, "password": "the password of everybody",
    })
}

/// Whether a user's two names are of one and the same change, and the image, which a restore alone tells, is the user's.
fn is_whole(user: &Value, state: &State, request: &Request) -> bool {
    let image = &user["profile_image"];
    let pictured = match &state.picture {
        _ if !matches!(request, Request::Restore) => true,
        Picture::None => image.is_null(),
        Picture::Named(name) => image == name,
        Picture::Unnamed => image.is_string(),
    };
    pictured && user["username"] == json!(state.name) && user["email"] == body_of(&state.name)["email"]
}

fn names_of<'n>(client: &str, number: usize, names: &[&'n str]) -> Vec<&'n str> {
    let prefix = prefix_of(client, number);
    names.iter().copied().filter(|name| name.starts_with(&prefix)).collect()
}

fn prefix_of(client: &str, number: usize) -> String {
    format!("{client}-u{number}-")
}
