//! Reading, listing, editing and deleting users.

use serde_json::json;

use super::*;

const USERS: &str = "/api/v1/auth/users";

#[actix_web::test]
async fn everybody_reads_their_own_account() {
    let world = World::new();
    let ann = world.user("ann").await;
    let answer = world.call(ann.send(get(&format!("{USERS}/{}", ann.id)))).await;
    let expected = json!({
        "id": ann.id, "email": "ann@example.com", "role": "regular", "username": "ann",
        "created_at": "2025-02-10T11:22:19.096000", "updated_at": null, "is_deleted": false,
        "updated_by": null,
    });
    assert_eq!(answer.told(), (200, &expected));
}

#[actix_web::test]
async fn refusals_come_in_their_order() {
    let world = World::new();
    let (ann, admin) = (world.user("ann").await, world.admin("root").await);
    let gone = world.user("gone").await;
    let away = delete(&format!("{USERS}/{}?reason=x", gone.id));
    assert_eq!(world.call(gone.send(away)).await.status, 204);

    let edit = |id: &str, body: Value| put(&format!("{USERS}/{id}")).set_json(body);
    let (good, bad) = (json!({ "username": "x" }), json!({ "username": "" }));
    let unknown = "ffffffffffffffffffffffff";
    assert_eq!(world.call(edit("no-id", bad.clone())).await.status, 401, "the token comes first");
    assert_eq!(world.call(gone.send(edit("no-id", bad))).await.status, 422, "then the body");
    let malformed = world.call(gone.send(edit("no-id", good.clone()))).await;
    assert_eq!(malformed.told(), (400, &json!({ "detail": "Not a valid ObjectId" })), "then the id");
    assert_eq!(world.call(gone.send(edit(unknown, good.clone()))).await.status, 401, "then who calls");
    assert_eq!(world.call(ann.send(edit(unknown, good.clone()))).await.status, 403, "then the rights");
    let missing = world.call(admin.send(edit(unknown, good))).await;
    assert_eq!(missing.told(), (404, &json!({ "detail": "User not found" })), "then whom it is about");
}

#[actix_web::test]
async fn a_page_of_users_is_for_admins() {
    let world = World::new();
    let (admin, ann) = (world.admin("root").await, world.user("ann").await);
    let page = world.call(admin.send(get(&format!("{USERS}?per_page=1&q=")))).await;
    assert_eq!(page.status, 200);
    assert_eq!(
        (&page.body["total"], &page.body["has_previous"], &page.body["has_next"]),
        (&json!(2), &Value::Null, &json!(true))
    );
    assert_eq!(page.body["data"][0]["username"], "root");

    let found = world.call(admin.send(get(&format!("{USERS}?q=AN")))).await;
    assert_eq!((&found.body["total"], &found.body["data"][0]["id"]), (&json!(1), &json!(ann.id)));
    assert_eq!(world.call(ann.send(get(USERS))).await.status, 403);
    let long = world.call(admin.send(get(&format!("{USERS}?q={}&page=x", "q".repeat(65))))).await;
    assert_eq!(long.status, 422);
    assert_eq!(long.body["detail"][0]["loc"], json!(["query", "q"]));
    assert_eq!(long.body["detail"][1]["loc"], json!(["query", "page"]));
}

#[actix_web::test]
async fn an_edit_answers_the_user_as_it_is_now() {
    let world = World::new();
    let ann = world.user("ann").await;
    let path = format!("{USERS}/{}", ann.id);
    let edit = json!({ "username": "Anna", "email": null, "role": "admin", "_id": "x" });
    let answer = world.call(ann.send(put(&path).set_json(edit))).await;
    assert_eq!(answer.status, 200);
    assert_eq!((&answer.body["username"], &answer.body["role"]), (&json!("anna"), &json!("regular")));
    assert_eq!(answer.body["updated_by"], json!(ann.id));
    assert_eq!(answer.body["updated_at"], "2025-02-10T11:22:19.096000");
}

#[actix_web::test]
async fn an_edit_to_a_taken_name_says_which_and_suggests_none() {
    let world = World::new();
    let ann = world.user("ann").await;
    world.user("ben").await;
    let path = format!("{USERS}/{}", ann.id);
    for (edit, which) in [
        (json!({ "username": "ben", "email": "ben@example.com" }), "email"),
        (json!({ "username": "ben" }), "username"),
    ] {
        let answer = world.call(ann.send(put(&path).set_json(edit))).await;
        let detail = format!("User already exists with this {which}");
        assert_eq!(answer.told(), (409, &json!({ "detail": detail })));
    }
}

#[actix_web::test]
async fn an_edit_of_nothing_is_one_fault_of_the_whole_body() {
    let world = World::new();
    let ann = world.user("ann").await;
    for body in [json!({}), json!({ "username": null, "email": null })] {
        let answer = world.call(ann.send(put(&format!("{USERS}/{}", ann.id)).set_json(&body))).await;
        let expected = json!({ "detail": [{
            "type": "value_error", "loc": ["body"], "input": body, "ctx": { "error": {} },
            "msg": "Value error, username or email must be given",
        }] });
        assert_eq!(answer.told(), (422, &expected));
    }
}

#[actix_web::test]
async fn a_deletion_wants_a_reason_and_happens_once() {
    let world = World::new();
    let (admin, ann) = (world.admin("root").await, world.user("ann").await);
    let path = format!("{USERS}/{}", ann.id);
    assert_eq!(world.call(admin.send(delete(&path))).await.status, 422);
    let answer = world.call(admin.send(delete(&format!("{path}?reason=spam")))).await;
    assert_eq!(answer.told(), (204, &Value::Null));
    let again = world.call(admin.send(delete(&format!("{path}?reason=spam")))).await;
    assert_eq!(again.told(), (400, &json!({ "detail": "User is already deleted" })));
    assert_eq!(world.call(admin.send(get(&path))).await.status, 404);
}
