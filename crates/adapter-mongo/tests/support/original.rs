//! Data as the FastAPI service left it.

use mongodb::bson::oid::ObjectId;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, DateTime, Document, doc};

use super::Database;

/// A hash as `bcrypt` makes it; the service kept its bytes.
pub(crate) const HASH: &str = "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW";

/// When the service's users signed up.
pub(crate) const SIGNED_UP: i64 = 1_739_186_539_096;

/// A user's document as its sign-up wrote it.
pub(crate) fn user(id: ObjectId, email: &str, username: &str) -> Document {
    doc! {
        "_id": id,
        "email": email,
        "username": username,
        "password": Binary { subtype: BinarySubtype::Generic, bytes: HASH.as_bytes().to_vec() },
        "role": "regular",
        "created_at": DateTime::from_millis(SIGNED_UP),
        "updated_at": Bson::Null,
        "is_deleted": false,
    }
}

/// The same, deleted.
pub(crate) fn deleted_user(id: ObjectId, name: &str) -> Document {
    let mut user = user(id, &format!("{name}@example.com"), name);
    user.insert("is_deleted", true);
    user
}

/// An entry of its trash.
pub(crate) fn trash_entry(id: ObjectId, user: ObjectId, deleted_at: i64) -> Document {
    doc! {
        "_id": id,
        "user_id": user.to_hex(),
        "deleted_by": ObjectId::from_bytes([0xad; 12]).to_hex(),
        "deleted_at": DateTime::from_millis(deleted_at),
        "reason": "spam",
    }
}

/// The id of that number; later ones are larger.
pub(crate) fn id(number: u8) -> ObjectId {
    let mut bytes = [0x67; 12];
    bytes[11] = number;
    ObjectId::from_bytes(bytes)
}

/// Users that differ in their number alone.
pub(crate) async fn many_users(database: &Database, count: u32) {
    let users: Vec<Document> = (0..count)
        .map(|number| {
            let mut bytes = [0x67; 12];
            bytes[8..].copy_from_slice(&number.to_be_bytes());
            user(ObjectId::from_bytes(bytes), &format!("user{number}@example.com"), &format!("User{number}"))
        })
        .collect();
    database.collection("users").await.insert_many(users).await.expect("users are written");
}
