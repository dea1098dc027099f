//! Tokens that somebody made who doesn't have the key, and tokens of users that are no more.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::bodies::with_body;
use crate::client::Figures;
use crate::harness::{Forge, now};
use crate::target::{Target, ask_once};

/// How long it rests between two.
const REST: Duration = Duration::from_millis(25);

pub(super) async fn forge(target: Arc<Target>) -> Figures {
    let copy = Forge::copy(&target.users[0].access).claim("user_id", target.victim.id.as_str());
    let mut tokens = vec![
        copy.clone().key("").sign(),
        copy.clone().key("testsecretkey").sign(),
        copy.clone().sign_with_hs512(),
        copy.clone().header("alg", "RS256").sign(),
        copy.clone().claim("exp", now() - 1).sign(),
        copy.clone().claim("typ", "refresh_token").sign(),
        copy.clone().without("user_id").sign(),
        copy.clone().without("exp").sign(),
        target.victim.refresh.clone(),
        target.purged.access.clone(),
        "x".repeat(8_000),
        ".".repeat(8_000),
    ];
    tokens.extend(["none", "None", "NONE", ""].map(|spelling| copy.clone().sign_with_none(spelling)));
    let path = target.victim.path();
    let image = format!("{path}/profile-image");
    let requests = [
        ("GET", path.as_str(), ""),
        ("PUT", &path, r#"{"username":"mine now"}"#),
        ("DELETE", &format!("{path}?reason=test"), ""),
        ("GET", &image, ""),
        ("DELETE", &image, ""),
        ("GET", "/api/v1/auth/users", ""),
        ("GET", "/api/v1/trash/", ""),
        ("POST", "/api/v1/trash/bulk-delete", r#"{"ids":[],"reason":"test"}"#),
        ("POST", "/api/v1/profile-upload/", ""),
        ("POST", "/api/v1/profile-upload-s3/", ""),
    ];
    let mut figures = Figures::default();
    for number in 0.. {
        if !target.is_attacked() {
            break;
        }
        let (method, path, body) = requests[number % requests.len()];
        let token = &tokens[number / requests.len() % tokens.len()];
        let begun = Instant::now();
        let request = with_body(method, path, Some(token), body);
        let status = ask_once(target.api_from(62), &request, target.until).await;
        assert!(matches!(status, None | Some(401 | 503)), "{status:?} for {method} {path} with {token}");
        figures.add_answer((status, begun.elapsed()));
        sleep(REST).await;
    }
    figures
}
