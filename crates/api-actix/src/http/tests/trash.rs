//! The trash.

use serde_json::json;

use super::*;

const BULK_DELETE: &str = "/api/v1/trash/bulk-delete";

#[actix_web::test]
async fn a_bulk_deletion_tells_what_became_of_each_id() {
    let world = World::new();
    let (admin, ann, ben) = (world.admin("root").await, world.user("ann").await, world.user("ben").await);
    let unknown = "ffffffffffffffffffffffff";
    let body = json!({ "ids": [ben.id, unknown, ann.id, ben.id], "reason": "spam" });
    let answer = world.call(admin.send(post(BULK_DELETE).set_json(body))).await;
    let expected = json!({ "alredy_deleted_user": [unknown, ben.id], "deleted_now": [ben.id, ann.id] });
    assert_eq!(answer.told(), (200, &expected));
}

#[actix_web::test]
async fn one_malformed_id_and_nobody_is_deleted() {
    let world = World::new();
    let (admin, ann) = (world.admin("root").await, world.user("ann").await);
    let body = json!({ "ids": [ann.id, "x"], "reason": "spam" });
    let answer = world.call(admin.send(post(BULK_DELETE).set_json(body))).await;
    assert_eq!(answer.told(), (400, &json!({ "detail": "Not a valid ObjectId" })));
    assert_eq!(world.call(ann.send(get(&format!("/api/v1/auth/users/{}", ann.id)))).await.status, 200);
}

#[actix_web::test]
async fn no_ids_are_refused_after_who_may_not_delete() {
    let world = World::new();
    let (admin, ann) = (world.admin("root").await, world.user("ann").await);
    let none = || post(BULK_DELETE).set_json(json!({ "ids": [], "reason": "spam" }));
    assert_eq!(world.call(ann.send(none())).await.status, 403);
    let answer = world.call(admin.send(none())).await;
    assert_eq!(answer.told(), (400, &json!({ "detail": "No ids were given" })));
}

#[actix_web::test]
async fn more_than_a_thousand_ids_and_a_missing_reason_are_two_faults() {
    let world = World::new();
    let admin = world.admin("root").await;
    let body = json!({ "ids": vec!["x"; 1001] });
    let answer = world.call(admin.send(post(BULK_DELETE).set_json(body))).await;
    assert_eq!(answer.status, 422);
    let faults = answer.body["detail"].as_array().unwrap();
    assert_eq!(faults.len(), 2);
    assert_eq!(faults[0]["msg"], "List should have at most 1000 items after validation, not 1001");
    assert_eq!(faults[1]["loc"], json!(["body", "reason"]));
}

#[actix_web::test]
async fn an_entry_is_listed_restored_and_purged() {
    let world = World::new();
    let (admin, ann) = (world.admin("root").await, world.user("ann").await);
    let away = || delete(&format!("/api/v1/auth/users/{}?reason=spam", ann.id));
    assert_eq!(world.call(admin.send(away())).await.status, 204);

    let page = world.call(admin.send(get("/api/v1/trash/"))).await;
    let entry = page.body["data"][0].as_object().unwrap();
    assert_eq!((page.status, entry.len()), (200, 4));
    assert_eq!((&entry["user_id"], &entry["deleted_by"]), (&json!(ann.id), &json!(admin.id)));
    assert_eq!(entry["deleted_at"], "2025-02-10T11:22:19.096000");

    let restore = || put(&format!("/api/v1/trash/restore/{}", ann.id));
    let restored = world.call(admin.send(restore())).await;
    assert_eq!((restored.status, &restored.body["id"]), (200, &json!(ann.id)));
    assert_eq!((restored.body.get("updated_by"), restored.body.get("profile_image")), (None, None));
    let again = world.call(admin.send(restore())).await;
    assert_eq!(again.told(), (400, &json!({ "detail": "User is not in the trash" })));

    let purge = || delete(&format!("/api/v1/trash/permanent/delete/{}", ann.id));
    assert_eq!(world.call(admin.send(purge())).await.status, 400);
    assert_eq!(world.call(admin.send(away())).await.status, 204);
    assert_eq!(world.call(admin.send(purge())).await.told(), (204, &Value::Null));
    assert_eq!(world.call(admin.send(restore())).await.status, 404);
}

#[actix_web::test]
async fn a_page_of_the_trash_has_at_most_twenty() {
    let world = World::new();
    let admin = world.admin("root").await;
    let answer = world.call(admin.send(get("/api/v1/trash/?per_page=21"))).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.body["detail"][0]["ctx"], json!({ "le": 20 }));
}
