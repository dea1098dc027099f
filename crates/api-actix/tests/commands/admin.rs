use tempfile::TempDir;

use crate::harness::Setup;
use crate::program::{Ended, run, run_with_input};

const VARIABLES: &[(&str, &str)] = &[("BCRYPT_COST", "4"), ("ADMIN_SIGNUP", "closed")];
const PASSWORD: &str = " a password, as it is ";

fn create(folder: &std::path::Path, email: &str, username: &str, input: &str) -> Ended {
    let arguments = ["admin", "create", "--email", email, "--username", username];
    run_with_input(folder, &arguments, VARIABLES, input)
}

#[tokio::test]
async fn an_admin_is_made_beside_the_running_service_whatever_the_rule_for_sign_ups_is() {
    let app = Setup::new().set("ADMIN_SIGNUP", "closed").start().await;
    let said = create(app.folder(), "Ada@Example.org", "Ada", &format!("{PASSWORD}\r\nmore\n")).done();
    assert!(said.starts_with("ada is an admin in data/roster.db, with the id "), "{said}");

    let tokens = app.log_in("ada@example.org", PASSWORD).await;
    let ben = app.sign_up("ben").await;
    let listed = app.get("/api/v1/auth/users").bearer(&tokens.access).await.has(200).json();
    assert_eq!(listed["total"], 2, "an admin may list users: {listed}");

    for (email, username, why) in
        [(ben.email.as_str(), "other", "this email"), ("other@example.org", "Ben", "this username; free are")]
    {
        let ended = create(app.folder(), email, username, PASSWORD);
        assert!(!ended.stderr.contains(PASSWORD.trim()), "{ended:?}");
        let line = ended.failed(1);
        assert!(line.contains(&format!("another user has {why}")), "{line}");
    }
}

#[test]
fn what_can_not_sign_up_is_no_admin_either_and_nothing_is_made() {
    let folder = TempDir::new().unwrap();
    let empty = create(folder.path(), "ada@example.org", "ada", "\n").failed(2);
    assert!(empty.contains("password should have at least 1"), "{empty}");
    let long = create(folder.path(), "ada@example.org", "ada", &"p".repeat(1025)).failed(2);
    assert!(long.contains("password should have at most 1024"), "{long}");
    for (email, username, why) in [("ada", "ada", "@-sign"), ("ada@example.org", " ", "at least 1")] {
        let ended = create(folder.path(), email, username, PASSWORD);
        assert!(ended.code == 2 && ended.stderr.contains(why), "{ended:?}");
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_password_is_no_argument() {
    let folder = TempDir::new().unwrap();
    let arguments = ["admin", "create", "--email", "a@example.org", "--username", "a", "--password", "p"];
    assert_eq!(run(folder.path(), &arguments, VARIABLES).code, 2);
}
