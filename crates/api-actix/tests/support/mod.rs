//! Clients that know what they were told, for tests in which something dies.

pub(crate) mod account;
pub(crate) mod client;
pub(crate) mod tally;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::TestApp;
use account::{Place, Request};
use client::Client;

/// The lists hold exactly the users that clients were told of, each whole and in one place.
pub(crate) async fn all_is_there(app: &TestApp, clients: &mut [Client<'_>]) -> BTreeMap<Place, usize> {
    let live = everything(app, "/api/v1/auth/users?per_page=30", &clients[0]).await;
    let trash = everything(app, "/api/v1/trash/?per_page=20", &clients[0]).await;
    let text = |entry: &Value, field: &str| entry[field].as_str().unwrap().to_owned();
    let live: BTreeMap<String, String> =
        live.iter().map(|user| (text(user, "username"), text(user, "email"))).collect();
    for (username, email) in &live {
        assert_eq!(*email, format!("{username}@example.org"), "an edit changes both or none");
    }
    let names: Vec<&str> = live.keys().map(String::as_str).collect();
    let in_trash: Vec<String> = trash.iter().map(|entry| text(entry, "user_id")).collect();

    let mut expected = BTreeMap::from([(Place::Live, clients.len()), (Place::Trash, 0), (Place::Nowhere, 0)]);
    for client in clients {
        for number in 0..client.accounts.len() {
            let names = client.names_of(number, &names);
            let account = &mut client.accounts[number];
            let entries = in_trash.iter().filter(|id| Some(*id) == account.id.as_ref()).count();
            assert!(entries <= 1, "{entries} entries of one user in the trash: {account:?}");
            account.learn_listed(&names, Some(entries == 1));
            *expected.entry(account.place()).or_default() += 1;
        }
    }
    assert_eq!(
        (live.len(), trash.len()),
        (expected[&Place::Live], expected[&Place::Trash]),
        "and nobody else"
    );
    expected
}

/// All entries of a list.
async fn everything(app: &TestApp, path: &str, client: &Client<'_>) -> Vec<Value> {
    let mut found = Vec::new();
    for number in 1.. {
        let page = app.get(&format!("{path}&page={number}")).by(client.admin()).await.has(200).json();
        found.extend(page["data"].as_array().unwrap().iter().cloned());
        if page["has_next"].is_null() {
            assert_eq!(page["total"], found.len(), "{path}");
            break;
        }
    }
    found
}

/// Everybody in the trash comes back, everybody who is gone left their names free, and all log in and are edited.
pub(crate) async fn all_is_well(app: &TestApp, client: &mut Client<'_>) {
    for number in 0..client.accounts.len() {
        let account = &client.accounts[number];
        let state = account.possible().next().unwrap().clone();
        let name = if state.place == Place::Nowhere { account.first_name.clone() } else { state.name };
        let mut requests = Vec::new();
        match state.place {
            Place::Nowhere => requests.push(Request::SignUp { name: name.clone() }),
            Place::Live => {}
            Place::Trash => requests.push(Request::Restore),
        }
        requests.push(Request::LogIn { name });
        for request in requests {
            assert!(client.ask(app, number, &request).await, "{request:?}: nobody has died since");
        }
        assert!(
            client.accounts[number].tokens().is_some(),
            "a live user logs in: {:?}",
            client.accounts[number]
        );
        assert!(client.rename(app, number).await, "nobody has died since");
    }
}

/// A number that whoever runs the test asks for.
pub(crate) fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is {value:?}; it is a number")))
}
