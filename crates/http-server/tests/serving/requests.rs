//! Each request is framed, answered and closed by its own head.

use std::fmt::Write as _;

use super::*;

#[actix_web::test]
async fn head_behind_a_post_in_one_segment_has_no_body_and_the_post_has_its_own() {
    let served = Served::patient();
    let mut client = served.connect().await;
    let head = "HEAD /small HTTP/1.1\r\nHost: a\r\n\r\n";
    client.send([echo_of("four"), head.to_owned(), echo_of("five5")].concat()).await;
    assert_eq!(client.answer().await.told(), (200, "four"));
    let answer = client.head().await;
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("5")));
    assert_eq!(client.answer().await.told(), (200, "five5"));
    served.stop().await;
}

#[actix_web::test]
async fn what_stands_behind_a_request_that_closes_is_not_carried_out() {
    let served = Served::patient();
    for first in [
        "GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /small HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Close\r\n\r\n",
        "GET /small HTTP/1.0\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n\r\nsmall",
    ] {
        let before = served.count();
        let mut client = served.connect().await;
        client.send([first, SMALL, SMALL].concat()).await;
        assert_eq!(client.answer().await.told(), (200, "small"), "{first}");
        client.ends().await;
        assert_eq!(served.count(), before + 1, "{first}");
    }
    served.stop().await;
}

#[actix_web::test]
async fn a_request_before_garbage_is_answered_and_then_the_garbage_is() {
    let served = Served::patient();
    let mut client = served.connect().await;
    client.send([echo_of("good"), "\u{1}garbage\r\n\r\n".to_owned(), SMALL.to_owned()].concat()).await;
    let answer = client.answer().await;
    assert!(answer.told() == (200, "good") && !answer.is_last(), "{answer:?}");
    let answer = client.answer().await;
    assert!(answer.told() == (400, "refused") && answer.is_last(), "{answer:?}");
    client.ends().await;
    assert_eq!(served.count(), 1);
    served.stop().await;
}

#[rstest::rstest]
#[case("Connection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAEAAEAA\r\nUpgrade: h2c")]
#[case("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13")]
#[case("Upgrade: websocket")]
#[case("connection:keep-alive,upgrade\r\nupgrade:TLS/1.0, websocket")]
#[actix_web::test]
async fn an_offer_of_another_protocol_is_ignored_and_the_connection_stays(#[case] headers: &str) {
    let served = Served::patient();
    let mut client = served.connect().await;
    for _ in 0..3 {
        let get = format!("GET /small HTTP/1.1\r\n{headers}\r\nHost: a\r\n\r\n");
        let length = format!("POST /echo HTTP/1.1\r\n{headers}\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour");
        let chunked = format!(
            "POST /echo HTTP/1.1\r\nHost: a\r\n{headers}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n"
        );
        for (request, expected) in [(get, "small"), (length, "four"), (chunked, "four")] {
            let answer = client.ask(&request).await;
            assert_eq!((answer.told(), answer.header("connection")), ((200, expected), None), "{request}");
        }
    }
    served.stop().await;
}

#[actix_web::test]
async fn an_offer_does_not_keep_open_what_the_client_closes() {
    let served = Served::patient();
    let mut client = served.connect().await;
    let answer =
        client.ask("GET /small HTTP/1.1\r\nHost: a\r\nConnection: close, upgrade\r\nUpgrade: h2c\r\n\r\n");
    assert!(answer.await.is_last());
    client.ends().await;
    served.stop().await;
}

#[rstest::rstest]
#[case::bare_lf_after_the_first_line("POST /echo HTTP/1.1\nHost: a\r\nContent-Length: 4\r\n\r\nfour")]
#[case::bare_lf_after_a_header("POST /echo HTTP/1.1\r\nHost: a\nContent-Length: 4\r\n\r\nfour")]
#[case::bare_lf_for_an_empty_line("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\nfour")]
#[case::bare_cr("POST /echo HTTP/1.1\r\nHost: a\rContent-Length: 4\r\n\r\nfour")]
#[case::two_lengths("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nfour")]
#[case::the_same_length_twice(
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nfour"
)]
#[case::a_list_of_lengths("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4, 4\r\n\r\nfour")]
#[case::a_sign("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nfour")]
#[case::a_negative_length("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -4\r\n\r\nfour")]
#[case::no_length("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\nfour")]
#[case::hexadecimal("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0x4\r\n\r\nfour")]
#[case::beyond_64_bits("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551620\r\n\r\nfour")]
#[case::length_and_chunks(
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
)]
#[case::chunks_and_length(
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"
)]
#[case::chunks_twice(
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
)]
#[case::another_coding("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")]
#[case::no_chunks("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n")]
#[case::a_misspelled_coding("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n")]
#[case::chunks_of_an_old_client(
    "POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
)]
#[case::a_space_before_the_colon("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length : 4\r\n\r\nfour")]
#[case::a_folded_header("POST /echo HTTP/1.1\r\nHost: a\r\nX: y\r\n Content-Length: 4\r\n\r\nfour")]
#[case::a_folded_first_header("POST /echo HTTP/1.1\r\n Host: a\r\nContent-Length: 4\r\n\r\nfour")]
#[case::no_colon("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length\r\n\r\n")]
#[case::a_nul("POST /echo HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n")]
#[case::no_host("POST /echo HTTP/1.1\r\nContent-Length: 4\r\n\r\nfour")]
#[case::two_hosts("POST /echo HTTP/1.1\r\nHost: a\r\nHost: a\r\nContent-Length: 4\r\n\r\nfour")]
#[case::another_version("POST /echo HTTP/2.0\r\nHost: a\r\n\r\n")]
#[case::the_preface_of_http_2("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]
#[case::no_version("GET /small\r\n\r\n")]
#[case::two_spaces("GET  /small HTTP/1.1\r\nHost: a\r\n\r\n")]
#[case::tls("\u{16}\u{3}\u{1}")]
#[actix_web::test]
async fn what_a_proxy_might_frame_differently_is_refused_with_all_behind_it(#[case] text: &str) {
    let served = Served::patient();
    let mut client = served.connect().await;
    client.send([text, SMALL].concat()).await;
    let answer = client.answer().await;
    assert!(answer.told() == (400, "refused") && answer.is_last(), "{answer:?}");
    client.ends().await;
    assert_eq!(served.count(), 0);
    served.stop().await;
}

#[rstest::rstest]
#[case("x\r\nfour\r\n0\r\n\r\n")]
#[case("4\nfour\r\n0\r\n\r\n")]
#[case("4\r\nfour\n0\r\n\r\n")]
#[case("4\r\nfourth\r\n0\r\n\r\n")]
#[case("4\r\nfour\r\n0\r\nTrailer: x\n\r\n")]
#[actix_web::test]
async fn a_body_that_cannot_be_framed_is_unreadable_and_the_last(#[case] chunks: &str) {
    let served = Served::patient();
    let mut client = served.connect().await;
    let head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.send([head, chunks, SMALL].concat()).await;
    let answer = client.answer().await;
    assert!(answer.told() == (400, "unreadable") && answer.is_last(), "{answer:?}");
    client.ends().await;
    assert_eq!(served.count(), 1);
    served.stop().await;
}

#[actix_web::test]
async fn a_head_that_is_too_large_is_431() {
    let served = Served::patient();
    let long = format!("GET /small HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let many = format!("GET /small HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(100));
    let endless = "G".repeat(20_000);
    for request in [long, many, endless] {
        let mut client = served.connect().await;
        let answer = client.ask(request).await;
        assert!(answer.told() == (431, "refused") && answer.is_last(), "{answer:?}");
        client.ends().await;
    }
    let mut client = served.connect().await;
    let answer =
        client.ask(format!("GET /small HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(16_000))).await;
    assert_eq!(answer.status, 200);
    served.stop().await;
}

#[actix_web::test]
async fn a_body_that_nobody_reads_is_passed_over_where_it_is_short() {
    let served = Served::patient();
    let mut client = served.connect().await;
    let length = SMALL.len();
    let short = format!("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
    client.send([&short, SMALL, SMALL].concat()).await;
    let answer = client.answer().await;
    assert!(answer.status == 404 && !answer.is_last(), "{answer:?}");
    assert_eq!(client.answer().await.told(), (200, "small"));
    assert_eq!(served.count(), 1, "the body was no request");

    let chunked =
        format!("POST /nowhere HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n");
    client.send([&chunked, SMALL, "\r\n0\r\n\r\n", SMALL].concat()).await;
    assert_eq!(client.answer().await.status, 404);
    assert_eq!(client.answer().await.told(), (200, "small"));
    assert_eq!(served.count(), 2);

    let answer = client.ask("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n").await;
    assert!(answer.status == 404 && answer.is_last(), "{answer:?}");
    served.stop().await;
}

#[actix_web::test]
async fn who_waits_to_be_told_to_send_a_body_is_told_so_when_it_is_wanted_and_only_then() {
    let served = Served::patient();
    let mut client = served.connect().await;
    let head = |path| {
        format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    };
    for _ in 0..2 {
        client.send(head("/echo")).await;
        assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(client.ask("four").await.told(), (200, "four"));
    }
    // Nobody knows whether it sends the body now.
    let answer = client.ask(head("/nowhere")).await;
    assert!(answer.status == 404 && answer.is_last(), "{answer:?}");
    client.ends().await;
    served.stop().await;
}

#[actix_web::test]
async fn requests_that_are_sent_ahead_are_answered_in_their_order_however_they_are_cut() {
    let long = "x".repeat(5000);
    let requests = [
        SMALL.to_owned(),
        echo_of(&long),
        "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".to_owned(),
        format!("\r\nGET /small HTTP/1.1\r\nHost: a\r\nX-Long: {long}\r\n\r\n"),
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nT: x\r\n\r\n"
            .to_owned(),
    ];
    let expected = [(200, "small"), (200, long.as_str()), (404, ""), (200, "small"), (200, "abcd")];
    let text = requests.concat();
    let served = Served::patient();
    for size in [1, 7, 100, 2047, 2048, 2049, text.len()] {
        let mut client = served.connect().await;
        for piece in text.as_bytes().chunks(size) {
            client.send(piece).await;
            tokio::task::yield_now().await;
        }
        for expected in expected {
            assert_eq!(client.answer().await.told(), expected, "in pieces of {size}");
        }
    }
    served.stop().await;
}

#[actix_web::test]
async fn many_requests_that_are_sent_before_an_answer_is_read_are_all_answered() {
    const TIMES: usize = 2000;
    let served = Served::patient();
    let Client { stream, .. } = served.connect().await;
    let (mut answers, mut requests) = stream.into_split();
    let mut text = String::new();
    for number in 0..TIMES {
        write!(text, "{}{SMALL}", echo_of(&format!("number {number}"))).unwrap();
    }
    spawn(async move {
        requests.write_all(text.as_bytes()).await.unwrap();
        // It is not dropped: that would tell the server that the client has gone.
        std::future::pending::<()>().await;
        drop(requests);
    });
    let (mut read, last) = (String::new(), format!("number {}", TIMES - 1));
    let reading = async {
        while !(read.contains(&last) && read.ends_with("small")) {
            let mut chunk = vec![0; 65536];
            let length = answers.read(&mut chunk).await.unwrap();
            assert_ne!(length, 0, "it was closed");
            read.push_str(str::from_utf8(&chunk[..length]).unwrap());
        }
    };
    timeout(AT_LAST, reading).await.expect("all are answered");
    let mut bodies = read.split("\r\n\r\n").skip(1);
    for number in 0..TIMES {
        let echoed = bodies.next().unwrap();
        assert!(echoed.starts_with(&format!("number {number}")), "{number}: {echoed}");
        assert!(bodies.next().unwrap().starts_with("small"), "{number}");
    }
    served.stop().await;
}

#[actix_web::test]
async fn an_old_client_keeps_its_connection_where_it_asks_to() {
    let served = Served::patient();
    let mut client = served.connect().await;
    for _ in 0..2 {
        let answer = client.ask("GET /small HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
        assert_eq!((answer.told(), answer.header("connection")), ((200, "small"), Some("keep-alive")));
    }
    served.stop().await;
}

#[actix_web::test]
async fn nothing_is_served_for_a_client_that_has_gone() {
    let served = Served::patient();
    let mut client = served.connect().await;
    client.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    served.told.waits.notified().await;
    drop(client);
    timeout(AT_LAST, served.told.given_up.notified()).await.expect("it is given up");
    assert_eq!(served.count(), 0);
    served.stop().await;
}
