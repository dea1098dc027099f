use futures_util::TryStreamExt;
use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{Binary, Bson, Document, doc};
use roster_domain::ports::Identity;

use crate::MongoStore;
use crate::server::ServerFailure;

impl MongoStore {
    /// What tells this database from others; `None` where it is not there.
    pub(crate) async fn identity(&self) -> Result<Option<Identity>, ServerFailure> {
        let database = self.server.database.clone();
        let hello =
            self.server.run("hello", async move { database.run_command(doc! { "hello": 1 }).await }).await?;
        let database = self.server.database.clone();
        let listed: Vec<_> = self
            .server
            .run("list_collections", async move {
                database.list_collections().filter(doc! { "name": "users" }).await?.try_collect().await
            })
            .await?;
        let users = listed.into_iter().find_map(|collection| collection.info.uuid);
        Ok(users.and_then(|users| identity(&users, &hello)))
    }
}

/// The collection's own id, which a copy of the server's files has too, and who answered: the process, a router of the one cluster,
/// the servers of the replica set as that has them.
fn identity(users: &Binary, hello: &Document) -> Option<Identity> {
    let id = (users.subtype == BinarySubtype::Uuid).then(|| format!("{:x?}", users.bytes))?;
    let topology = hello.get_document("topologyVersion").ok();
    let process = topology.and_then(|topology| topology.get_object_id("processId").ok());
    let router = hello.get_str("msg").ok().filter(|msg| *msg == "isdbgrid");
    let servers = hello.get_array("hosts").map(Vec::as_slice).unwrap_or_default();
    let servers = servers.iter().filter_map(Bson::as_str).map(|server| format!("server {server}"));
    let process = process.map(|process| format!("process {process}"));
    Some(Identity { id, keepers: servers.chain(process).chain(router.map(str::to_owned)).collect() })
}

#[cfg(test)]
mod tests {
    use mongodb::bson::oid::ObjectId;

    use super::*;

    #[test]
    fn a_database_is_told_from_others_and_from_its_copies() {
        let process = |byte| doc! { "processId": ObjectId::from_bytes([byte; 12]) };
        let of = |byte, hello: &Document| {
            identity(&Binary { subtype: BinarySubtype::Uuid, bytes: vec![byte; 16] }, hello).unwrap()
        };
        let one = of(1, &doc! { "topologyVersion": process(1), "hosts": ["a:1", "b:1"] });
        let after_an_election = of(1, &doc! { "topologyVersion": process(2), "hosts": ["a:1", "b:1"] });
        let copy = of(1, &doc! { "topologyVersion": process(2), "hosts": ["c:1"] });
        let beside = of(2, &doc! { "topologyVersion": process(1), "hosts": ["a:1", "b:1"] });
        assert!(one.is(&one) && one.is(&after_an_election));
        for other in [&copy, &beside] {
            assert!(!one.is(other) && !other.is(&one), "{other:?}");
        }
        let router = |byte| of(1, &doc! { "topologyVersion": process(byte), "msg": "isdbgrid" });
        assert!(router(1).is(&router(2)));
        let alone = of(1, &doc! { "topologyVersion": process(1) });
        assert!(alone.is(&alone));
        let unknown = Binary { subtype: BinarySubtype::Generic, bytes: vec![1; 16] };
        assert_eq!(identity(&unknown, &Document::new()), None);
    }
}
