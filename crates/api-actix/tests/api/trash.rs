//! Soft deletion, and what may follow it.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{TestApp, User, detail, not_authenticated};

const NOBODY: &str = "00000000000000000000abcd";

async fn trash_page(app: &TestApp, root: &User, query: &str) -> Value {
    app.get(&format!("/api/v1/trash/?{query}")).by(root).await.has(200).json()
}

async fn cast() -> (TestApp, User, User, User) {
    let app = TestApp::start().await;
    let [root, ann, bob] = [app.admin().await, app.sign_up("ann").await, app.sign_up("bob").await];
    (app, root, ann, bob)
}

#[tokio::test]
async fn a_deletion_is_204_without_a_body() {
    let (app, root, ann, _) = cast().await;
    let answer = app.delete(&ann.delete_path()).by(&root).await.has(204);
    assert_eq!(answer.text(), "");
}

#[tokio::test]
async fn a_user_in_the_trash_is_not_read_edited_listed_or_deleted_again() {
    let (app, root, ann, _) = cast().await;
    app.trash(&root, &[&ann]).await;
    app.get(&ann.path()).by(&root).await.is(404, detail("User not found"));
    app.put(&ann.path()).by(&root).json(&json!({"username": "x"})).await.is(404, detail("User not found"));
    app.delete(&ann.delete_path()).by(&root).await.refuses(400);
    let listed = app.get("/api/v1/auth/users").by(&root).await.has(200).json();
    assert_eq!(listed["total"], 2);
    assert!(!listed.to_string().contains(&ann.id), "{listed}");
}

#[tokio::test]
async fn a_user_may_delete_themself_and_is_gone_at_once() {
    let (app, root, ann, _) = cast().await;
    app.delete(&ann.delete_path()).by(&ann).await.has(204);
    app.delete(&ann.delete_path()).by(&ann).await.is(401, not_authenticated());
    app.get(&ann.path()).by(&ann).await.is(401, not_authenticated());
    let page = trash_page(&app, &root, "").await;
    assert_eq!(
        (&page["data"][0]["user_id"], &page["data"][0]["deleted_by"]),
        (&json!(ann.id), &json!(ann.id))
    );
}

#[tokio::test]
async fn an_admin_may_delete_themself() {
    let (app, root, _, _) = cast().await;
    app.delete(&root.delete_path()).by(&root).await.has(204);
    app.get("/api/v1/auth/users").by(&root).await.is(401, not_authenticated());
}

#[tokio::test]
async fn of_two_deletions_at_once_one_succeeds() {
    let (app, root, ann, _) = cast().await;
    let deletions = (0..8).map(|_| app.delete(&ann.delete_path()).by(&root).into_future());
    let mut statuses: Vec<_> = join_all(deletions).await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [&[204][..], &[400; 7]].concat());
    assert_eq!(trash_page(&app, &root, "").await["total"], 1);
}

#[tokio::test]
async fn the_trash_lists_who_was_deleted_by_whom_and_when_oldest_first() {
    let (app, root, ann, bob) = cast().await;
    app.trash(&root, &[&bob, &ann]).await;
    let page = trash_page(&app, &root, "").await;
    let expect = |number: usize, user: &User| {
        let entry = &page["data"][number];
        let [id, at] = ["id", "deleted_at"].map(|name| entry[name].as_str().unwrap());
        assert!(id.len() == 24 && id != user.id, "{entry}");
        assert!(at.len() >= 19 && at.contains('T'), "{entry}");
        json!({"id": id, "user_id": user.id, "deleted_by": root.id, "deleted_at": at})
    };
    let data = [expect(0, &bob), expect(1, &ann)];
    assert_eq!(page, json!({"total": 2, "has_previous": null, "has_next": null, "data": data}));
}

#[tokio::test]
async fn the_trash_has_pages_of_ten_and_up_to_twenty() {
    let app = TestApp::start().await;
    let root = app.admin().await;
    let mut users = Vec::new();
    for number in 0..12 {
        let user = app.sign_up(&format!("u{number}")).await;
        app.trash(&root, &[&user]).await;
        users.push(user.id);
    }
    let ids = |page: &Value| -> Vec<String> {
        let entries = page["data"].as_array().unwrap();
        entries.iter().map(|entry| entry["user_id"].as_str().unwrap().to_owned()).collect()
    };
    let frame = |page: &Value| json!([page["total"], page["has_previous"], page["has_next"]]);
    let first = trash_page(&app, &root, "").await;
    assert_eq!((ids(&first).as_slice(), frame(&first)), (&users[..10], json!([12, null, true])));
    let second = trash_page(&app, &root, "page=2").await;
    assert_eq!((ids(&second).as_slice(), frame(&second)), (&users[10..], json!([12, true, null])));
    let all = trash_page(&app, &root, "per_page=20").await;
    assert_eq!((ids(&all).as_slice(), frame(&all)), (&users[..], json!([12, null, null])));
}

#[tokio::test]
async fn a_restored_user_is_as_before_and_answered_without_what_it_has_not() {
    let (app, root, ann, _) = cast().await;
    let before = app.get(&ann.path()).by(&root).await.has(200).json();
    app.trash(&root, &[&ann]).await;
    let answer = app.put(&ann.restore_path()).by(&root).await.has(200);
    let mut expected = before.clone();
    expected.as_object_mut().unwrap().remove("updated_by");
    answer.is(200, expected);
    app.get(&ann.path()).by(&root).await.is(200, before);
    assert_eq!(trash_page(&app, &root, "").await["total"], 0);
    app.log_in(&ann.email, &ann.password).await;
}

#[tokio::test]
async fn a_restored_user_who_was_edited_is_answered_with_its_editor() {
    let (app, root, ann, _) = cast().await;
    let edited = app.put(&ann.path()).by(&ann).json(&json!({"username": "anna"})).await.has(200).json();
    app.trash(&root, &[&ann]).await;
    app.put(&ann.restore_path()).by(&root).await.is(200, edited);
}

#[tokio::test]
async fn who_is_not_in_the_trash_is_not_restored_or_purged() {
    let (app, root, ann, _) = cast().await;
    app.put(&ann.restore_path()).by(&root).await.refuses(400);
    app.delete(&ann.purge_path()).by(&root).await.refuses(400);
    app.put(&format!("/api/v1/trash/restore/{NOBODY}")).by(&root).await.is(404, detail("User not found"));
    app.delete(&format!("/api/v1/trash/permanent/delete/{NOBODY}")).by(&root).await.refuses(400);
    app.get(&ann.path()).by(&ann).await.has(200);
}

#[tokio::test]
async fn of_a_restore_and_a_purge_at_once_one_succeeds() {
    let (app, root, ann, _) = cast().await;
    app.trash(&root, &[&ann]).await;
    let restore = app.put(&ann.restore_path()).by(&root).into_future();
    let purge = app.delete(&ann.purge_path()).by(&root).into_future();
    let (restored, purged) = futures_util::future::join(restore, purge).await;
    let exists = app.get(&ann.path()).by(&root).await.status == 200;
    match (restored.status, purged.status) {
        (200, 400) => assert!(exists),
        (400 | 404, 204) => assert!(!exists),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_names_of_a_trashed_user_stay_taken_and_those_of_a_purged_one_are_free() {
    let (app, root, ann, _) = cast().await;
    app.trash(&root, &[&ann]).await;
    let again = json!({"email": ann.email, "username": "other", "password": "x"});
    app.sign_up_call(&again).await.is(409, detail("User already exists with this email"));
    let again = json!({"email": "other@example.org", "username": ann.username, "password": "x"});
    let answer = app.sign_up_call(&again).await.has(409).json();
    assert_eq!(answer["detail"]["message"], "User already exists with this username");
    app.delete(&ann.purge_path()).by(&root).await.has(204);
    let new = app.sign_up("ann").await;
    assert_ne!(new.id, ann.id);
}

#[tokio::test]
async fn a_purged_user_is_gone_for_good() {
    let (app, root, ann, _) = cast().await;
    app.trash(&root, &[&ann]).await;
    let answer = app.delete(&ann.purge_path()).by(&root).await.has(204);
    assert_eq!(answer.text(), "");
    app.get(&ann.path()).by(&root).await.is(404, detail("User not found"));
    app.put(&ann.restore_path()).by(&root).await.is(404, detail("User not found"));
    app.delete(&ann.purge_path()).by(&root).await.refuses(400);
    app.delete(&ann.delete_path()).by(&root).await.is(404, detail("User not found"));
    app.get(&ann.path()).by(&ann).await.is(401, not_authenticated());
    app.try_log_in(&ann.email, &ann.password).await.has(401);
    assert_eq!(trash_page(&app, &root, "").await["total"], 0);
}

#[tokio::test]
async fn who_deleted_is_kept_when_they_are_purged_themselves() {
    let (app, root, ann, bob) = cast().await;
    app.delete(&ann.delete_path()).by(&ann).await.has(204);
    let boss = app.admin_called("boss").await;
    app.trash(&boss, &[&bob]).await;
    app.trash(&root, &[&boss]).await;
    app.delete(&boss.purge_path()).by(&root).await.has(204);
    let page = trash_page(&app, &root, "").await;
    assert_eq!(page["data"][1]["deleted_by"], json!(boss.id));
}
