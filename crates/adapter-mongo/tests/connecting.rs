//! A store that can't be opened says why in one line, and no secret of its URL.

#[expect(dead_code, reason = "other tests need more of it")]
mod support;

use std::net::TcpListener;

use roster_adapter_mongo::ConnectError;
use tokio::net::TcpSocket;

async fn refused(url: &str, database: &str) -> ConnectError {
    let error = support::connect(url, database).await.map(|_| ()).expect_err("it is refused");
    let line = error.to_string();
    assert!(!line.contains('\n') && !line.contains("s3cret"), "{line}");
    error
}

/// The host and port of the tests' server, without user and options.
async fn host() -> String {
    let url = roster_test_mongo::server(roster_test_mongo::Topology::Standalone).await;
    let rest = url.split_once("://").expect("a URL").1;
    let host = rest.split(['/', '?', ',']).next().expect("a host");
    host.rsplit('@').next().expect("a host").to_owned()
}

#[tokio::test]
async fn a_server_that_is_down() {
    // A port that nobody else gets, and at which nobody listens.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    let error = refused(&format!("mongodb://user:s3cret@127.0.0.1:{port}/?replicaSet=rs0"), "test").await;
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
    assert!(matches!(error, ConnectError::Unreachable { .. }) && error.is_worth_retrying());
}

#[tokio::test]
async fn a_host_that_takes_connections_and_never_answers() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let error = refused(&format!("mongodb://user:s3cret@{address}/"), "test").await;
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_wrong_password() {
    let error = refused(&format!("mongodb://nobody:s3cret@{}/", host().await), "test").await;
    assert!(matches!(error, ConnectError::Credentials { .. }), "{error:?}");
    assert!(!error.is_worth_retrying());
}

#[tokio::test]
async fn a_wrong_replica_set_name() {
    let host = host().await;
    let error = refused(&format!("mongodb://{host}/?replicaSet=not-this-one"), "test").await;
    assert!(
        matches!(&error, ConnectError::ReplicaSetName { asked, .. } if asked == "not-this-one"),
        "{error:?}"
    );
    assert!(!error.is_worth_retrying());
}

#[tokio::test]
async fn a_url_that_is_none() {
    for url in [
        "mongodb://",
        "mongodb://user:s3cret@/",
        "mongodb://us@er:s3cret@host/",
        "mongodb://user:s3cret/@host/",
        "mongodb://user:s3cret@host/?replicaSet",
        "mongodb://user:s3cret@host/?w=s3cret&ssl=perhaps",
        "postgres://user:s3cret@host/",
    ] {
        let error = refused(url, "test").await;
        assert!(matches!(error, ConnectError::Url { .. }), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn a_database_name_that_is_none() {
    for name in ["", "a b", "a/b", "a.b", "$x"] {
        let error = refused("mongodb://127.0.0.1/", name).await;
        assert!(matches!(error, ConnectError::DatabaseName { .. }), "{error:?}");
    }
}
