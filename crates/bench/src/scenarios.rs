//! The requests that are measured, and the goal of each.

use std::time::Duration;

use serde_json::json;

use crate::http::Request;
use crate::load::Turn;
use crate::population::{FEW, FEW_OF_COMMON_PIECES, MANY, MANY_LONG, PASSWORD, Population, Search};
use crate::store::Kind;

/// The endpoint that the others are compared with.
pub(crate) const HEALTH: &str = "`/health`";
/// The first page, which the next ones are compared with.
pub(crate) const FIRST_PAGE: &str = "first page of users, with its total";
/// The look-up that is compared with `/health` and with a bare `find_one`.
pub(crate) const OWN_ACCOUNT: &str = "own account";
/// What is measured at the lowest cost of a hash.
pub(crate) const SIGN_UP: &str = "sign-up";

/// One kind of request.
pub(crate) struct Scenario<'a> {
    pub(crate) name: String,
    pub(crate) turn: Turn<'a>,
    pub(crate) goal: Goal,
    /// The `total` that the answer must tell.
    pub(crate) total: Option<u64>,
}

/// What is to be reached.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    None,
    /// This share of the rate of `/health`.
    Share(f64),
    /// This p50 with one connection.
    Within(Duration),
    /// The same, and at most twice the p50 at the smallest number of users.
    WithinAndFlat(Duration),
    /// So many times the p50 of the first page.
    TimesFirstPage(f64),
}

/// The requests to a server with ordinary settings. Those that change names come last.
pub(crate) fn ordinary(all: &Population, kind: Kind) -> Vec<Scenario<'_>> {
    let embedded = kind == Kind::Sqlite;
    let millis =
        |sqlite, mongodb| Goal::Within(Duration::from_millis(if embedded { sqlite } else { mongodb }));
    let first_page = Duration::from_millis(3);
    let last = all.users().div_ceil(10);
    vec![
        plain(HEALTH, Goal::None, || vec![Request::get("/health", None)]),
        plain(OWN_ACCOUNT, if embedded { Goal::Share(0.8) } else { Goal::None }, own_account(all)),
        plain("another account, as an admin", Goal::None, || {
            vec![Request::get(&user(all.anybody()), Some(&all.admin().access))]
        }),
        Scenario {
            total: Some(all.users()),
            ..page(
                FIRST_PAGE,
                if embedded { Goal::WithinAndFlat(first_page) } else { Goal::Within(first_page) },
                all,
                "/api/v1/auth/users".to_owned(),
            )
        },
        page(
            "page 100",
            Goal::TimesFirstPage(if embedded { 2.0 } else { 3.0 }),
            all,
            "/api/v1/auth/users?page=100".to_owned(),
        ),
        page("last page", millis(30, 250), all, format!("/api/v1/auth/users?page={last}")),
        search(&FEW, "", millis(8, 8), all),
        search(&FEW_OF_COMMON_PIECES, ", of common pieces", millis(8, 8), all),
        search(&MANY, "", millis(50, 250), all),
        search(&MANY_LONG, "", millis(50, 250), all),
        Scenario {
            total: Some(all.trashed()),
            ..page("first page of the trash", Goal::None, all, "/api/v1/trash/".to_owned())
        },
        plain("refresh", Goal::None, || {
            let body = json!({ "refresh_token": all.any_caller().refresh });
            vec![Request::json("POST", "/api/v1/refresh/", None, &body, 200)]
        }),
        plain("upload of 100 kB", Goal::None, {
            let png = png(100_000);
            move || vec![Request::upload("/api/v1/profile-upload/", &all.any_caller().access, "image", &png)]
        }),
        plain("delete and restore, together", Goal::None, || {
            let (id, token) = (all.anybody(), &all.admin().access);
            let restore = format!("/api/v1/trash/restore/{id}");
            vec![
                Request::bare("DELETE", &format!("{}?reason=spam", user(id)), token, 204),
                Request::bare("PUT", &restore, token, 200),
            ]
        }),
        plain("edit of the username", Goal::None, || {
            let body = json!({ "username": format!("edited{}", all.turn()) });
            vec![Request::json("PUT", &user(all.anybody()), Some(&all.admin().access), &body, 200)]
        }),
    ]
}

/// Look-ups by callers of themselves.
pub(crate) fn own_account(all: &Population) -> Turn<'_> {
    Box::new(|| {
        let caller = all.any_caller();
        vec![Request::get(&user(caller.id), Some(&caller.access))]
    })
}

/// Log-ins, each of somebody else.
pub(crate) fn log_in(all: &Population) -> Turn<'_> {
    Box::new(|| {
        let body = json!({ "email": all.any_email(), "password": PASSWORD });
        vec![Request::json("POST", "/api/v1/auth/login", None, &body, 200)]
    })
}

/// Sign-ups, for a server whose hashes cost as little as they may.
pub(crate) fn sign_up(all: &Population, kind: Kind) -> Scenario<'_> {
    let goal = Duration::from_millis(if kind == Kind::Sqlite { 5 } else { 10 });
    plain(SIGN_UP, Goal::Within(goal), || {
        let name = format!("new{}", all.turn());
        let body = json!({ "email": format!("{name}@example.com"), "username": name, "password": PASSWORD });
        vec![Request::json("POST", "/api/v1/auth/signup", None, &body, 201)]
    })
}

fn plain<'a>(name: &str, goal: Goal, turn: impl Fn() -> Vec<Request> + 'a) -> Scenario<'a> {
    Scenario { name: name.to_owned(), turn: Box::new(turn), goal, total: None }
}

fn page<'a>(name: &str, goal: Goal, all: &'a Population, path: String) -> Scenario<'a> {
    plain(name, goal, move || vec![Request::get(&path, Some(&all.admin().access))])
}

fn search<'a>(search: &Search, note: &str, goal: Goal, all: &'a Population) -> Scenario<'a> {
    let matches = if search.of_few { "1,000 matches (1 % below 100,000 users)" } else { "10 % match" };
    let name = format!("search, {} letters{note}, {matches}", search.text.len());
    let path = format!("/api/v1/auth/users?q={}", search.text);
    Scenario { total: Some(all.matches(search)), ..page(&name, goal, all, path) }
}

fn user(id: impl std::fmt::Display) -> String {
    format!("/api/v1/auth/users/{id}")
}

/// One pixel as PNG, made at least so many bytes long by a comment.
fn png(length: usize) -> Vec<u8> {
    const START: &[u8] = b"\x89PNG\r\n\x1A\n\
        \x00\x00\x00\x0DIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00\x3A\x7E\x9B\x55";
    const END: &[u8] = b"\x00\x00\x00\x0AIDAT\x78\x9C\x63\x60\x00\x00\x00\x02\x00\x01\x48\xAF\xA4\x71\
        \x00\x00\x00\x00IEND\xAE\x42\x60\x82";
    let comment = [&b"tEXtComment\0"[..], &vec![b'.'; length]].concat();
    let content = u32::try_from(comment.len() - 4).unwrap_or(u32::MAX).to_be_bytes();
    let checksum = crc32fast::hash(&comment).to_be_bytes();
    [START, &content, &comment, &checksum, END].concat()
}
