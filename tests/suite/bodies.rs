//! Bodies on their way: how much of them is held in memory.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use crate::harness::{TestApp, eventually};

/// One client's megabytes that never end: some wait for their time, the others are turned away at once, and nobody else is.
#[actix_web::test]
async fn a_client_whose_bodies_never_end_holds_a_few_megabytes_and_no_more() {
    let app = TestApp::with(&[("TRUSTED_PROXIES", "127.0.0.1")]).await;
    let mut streams: Vec<TcpStream> =
        (0..20).map(|_| TcpStream::connect(("127.0.0.1", app.port)).unwrap()).collect();
    let body = vec![b'x'; 1_000_000];
    for stream in &mut streams {
        let head = "POST /sso/setup HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.7\r\n\
                    Content-Type: application/json\r\nContent-Length: 1048576\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        // Who is turned away may hang up before all was sent.
        let _ = stream.write_all(&body);
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    }
    let mut refused = [false; 20];
    eventually("a refusal", async || {
        for (stream, refused) in streams.iter_mut().zip(&mut refused) {
            let mut answer = [0; 12];
            *refused |= stream.read(&mut answer).is_ok() && answer.starts_with(b"HTTP/1.1 503");
        }
        (refused.iter().filter(|refused| **refused).count() >= 3).then_some(())
    })
    .await;
    let waiting = refused.iter().filter(|refused| !**refused).count();
    assert!((10..=17).contains(&waiting), "{waiting} megabytes are held");
    let large = format!("{{\"token\": \"x\", \"name\": \"{}\"}}", "x".repeat(900_000));
    let other = app.curl().with("x-forwarded-for", "198.51.100.9");
    let body = Some(("application/json", large));
    other.send(actix_web::http::Method::POST, "/sso/setup", body).await.is(422);
}
