//! Connections that hold their place for nothing, and who gets it.

use super::*;

/// Long enough for a request to be sent on a busy machine.
const SOON: Duration = Duration::from_secs(1);

#[actix_web::test]
async fn a_connection_without_a_request_ends_and_says_nothing() {
    let served = Served::new(Patience { next: SOON, head: SOON, ..PATIENT }, 10);
    served.connect().await.ends().await;
    let mut client = served.connect().await;
    client.ask(SMALL).await;
    client.ends().await;
    served.stop().await;
}

#[actix_web::test]
async fn a_head_that_arrives_in_part_ends_its_connection_with_408() {
    let served = Served::new(Patience { head: SOON, ..PATIENT }, 10);
    for before in ["", SMALL] {
        let mut client = served.connect().await;
        client.send([before, "GET /small HTTP/1.1\r\nHost: a\r\n"].concat()).await;
        if !before.is_empty() {
            assert_eq!(client.answer().await.told(), (200, "small"));
        }
        let answer = client.answer().await;
        assert!(answer.told() == (408, "refused") && answer.is_last(), "{answer:?}");
        client.ends().await;
    }
    served.stop().await;
}

#[actix_web::test]
async fn a_body_that_goes_on_after_a_refusal_ends_its_connection() {
    let served = Served::new(Patience { end: SOON, ..PATIENT }, 10);
    let mut client = served.connect().await;
    let head = "POST /nowhere HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(client.ask(head).await.status, 404);
    client.loses_it_while_sending("1\r\nx\r\n").await;
    served.stop().await;
}

#[actix_web::test]
async fn a_body_that_stops_after_a_refusal_ends_its_connection() {
    let served = Served::new(Patience { end: SOON, ..PATIENT }, 10);
    let mut client = served.connect().await;
    let head = "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx";
    assert_eq!(client.ask(head).await.status, 404);
    client.ends().await;
    served.stop().await;
}

#[actix_web::test]
async fn who_does_not_read_loses_the_connection() {
    let served = Served::new(Patience { answer: SOON, ..PATIENT }, 10);
    let mut client = served.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.loses_it_while_sending(SMALL).await;
    let client = served.connect().await;
    client.loses_it_while_sending(SMALL).await;
    served.stop().await;
}

#[actix_web::test]
async fn a_large_answer_arrives_whole() {
    let served = Served::patient();
    let mut client = served.connect().await;
    let answer = client.ask("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert_eq!((answer.status, answer.body.len()), (200, LARGE));
    assert_eq!(client.ask(SMALL).await.told(), (200, "small"));
    served.stop().await;
}

#[actix_web::test]
async fn after_an_answer_that_is_the_last_a_connection_ends_soon_though_the_client_goes_on() {
    let served = Served::new(Patience { end: SOON, ..PATIENT }, 10);
    let mut client = served.connect().await;
    let answer = client.ask("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n").await;
    assert!(answer.is_last());
    client.loses_it_while_sending("x").await;
    served.stop().await;
}

#[actix_web::test]
async fn a_request_in_flight_keeps_its_connection() {
    let patience = Patience { head: SOON, next: SOON, answer: SOON, end: SOON, ..PATIENT };
    let served = Served::new(patience, 10);
    let mut busy = served.connect().await;
    busy.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut sending = served.connect().await;
    sending.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nfo").await;
    served.connect().await.ends().await;
    served.told.go_on.notify_one();
    assert_eq!(busy.answer().await.told(), (200, "waited"));
    assert_eq!(sending.ask("ur").await.told(), (200, "four"));
    served.stop().await;
}

#[actix_web::test]
async fn idle_connections_of_one_client_keep_nobody_out_and_cost_nobody_else_theirs() {
    const PLACES: usize = 40;
    let served = Served::new(PATIENT, PLACES);
    // Longer idle than all that follow.
    let mut honest = served.connect_from("127.0.0.3").await;
    assert_eq!(honest.ask(SMALL).await.told(), (200, "small"));
    let mut greedy = Vec::new();
    for _ in 0..10 * PLACES {
        let mut client = served.connect_from("127.0.0.2").await;
        assert_eq!(client.ask(SMALL).await.told(), (200, "small"));
        greedy.push(client);
    }
    for _ in 0..PLACES {
        let mut newcomer = served.connect_from("127.0.0.4").await;
        assert_eq!(newcomer.ask(SMALL).await.told(), (200, "small"));
    }
    assert_eq!(honest.ask(SMALL).await.told(), (200, "small"), "it still has its connection");
    // The first have gone.
    greedy.swap_remove(0).ends().await;
    served.stop().await;
}

#[actix_web::test]
async fn connections_take_turns_however_many_requests_each_sends_ahead() {
    let served = Served::patient();
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = served.connect().await;
        assert_eq!(client.ask(SMALL).await.told(), (200, "small"));
        clients.push(client);
    }
    let before = served.count();
    let get = |path| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    clients[0].send(get("/hold")).await;
    served.told.waits.notified().await;
    // All have arrived before one of them is read, whichever is looked at first.
    clients[1].send(SMALL.repeat(100)).await;
    clients[2].send(get("/count")).await;
    clients[3].send(SMALL.repeat(100)).await;
    served.told.hold.wait();
    let count: usize = clients[2].answer().await.body.parse().unwrap();
    assert!(count - before < 10, "{} were carried out before it", count - before);
    served.stop().await;
}

#[actix_web::test]
async fn heads_and_bodies_that_do_not_come_keep_nobody_out() {
    const PLACES: usize = 20;
    let served = Served::new(PATIENT, PLACES);
    let mut slow = Vec::new();
    for number in 0..5 * PLACES {
        let mut client = served.connect_from("127.0.0.2").await;
        let begun = ["", "G", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"];
        client.send(begun[number % 3]).await;
        slow.push(client);
    }
    for _ in 0..PLACES {
        let mut newcomer = served.connect_from("127.0.0.3").await;
        assert_eq!(newcomer.ask(SMALL).await.told(), (200, "small"));
    }
    slow.swap_remove(0).loses_it().await;
    served.stop().await;
}

#[actix_web::test]
async fn a_stop_ends_idle_connections_at_once_and_answers_what_has_begun() {
    let served = Served::patient();
    let mut idle = served.connect().await;
    idle.ask(SMALL).await;
    let fresh = served.connect().await;
    let mut busy = served.connect().await;
    busy.send(["GET /wait HTTP/1.1\r\nHost: a\r\n\r\n", SMALL].concat()).await;
    served.told.waits.notified().await;
    let mut sending = served.connect().await;
    sending.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n").await;
    sending.until("\r\n\r\n").await;
    let stopping = spawn(served.server.stop(true));
    idle.ends().await;
    fresh.ends().await;
    let answer = sending.ask("four").await;
    assert!(answer.told() == (200, "four") && answer.is_last(), "{answer:?}");
    sending.ends().await;
    served.told.go_on.notify_one();
    let answer = busy.answer().await;
    assert!(answer.told() == (200, "waited") && answer.is_last(), "{answer:?}");
    busy.ends().await;
    timeout(AT_LAST, stopping).await.expect("it has stopped").unwrap();
    assert_eq!(served.count(), 3, "what was sent behind it has not begun");
}
