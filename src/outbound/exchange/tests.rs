use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
    thread,
};

use super::*;

/// A server that gives one answer to everybody, and hands on what it was asked.
struct Server {
    address: String,
    asked: Receiver<String>,
}

impl Server {
    fn start(head: &str, body: &[u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/token", listener.local_addr().unwrap());
        let length = body.len();
        let head = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        let answer = [head.as_bytes(), body].concat();
        let (tell, asked) = channel();
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut lines = BufReader::new(stream.try_clone().unwrap());
                let (mut whole, mut length) = (String::new(), 0);
                while !whole.ends_with("\r\n\r\n") && lines.read_line(&mut whole).unwrap() > 0 {
                    let line = whole.lines().last().unwrap().to_ascii_lowercase();
                    length =
                        line.strip_prefix("content-length: ").map_or(length, |told| told.parse().unwrap());
                }
                lines.take(length).read_to_string(&mut whole).unwrap();
                tell.send(whole).unwrap();
                // Whoever has read enough may hang up.
                let _ = stream.write_all(&answer);
            }
        });
        Self { address, asked }
    }

    /// What it was asked next, or nothing.
    fn asked(&self) -> Option<String> {
        self.asked.try_recv().ok()
    }
}

async fn get(server: &Server) -> Result<Answer, Unreadable> {
    Outbound::in_tests().get(NamedBy::Operator, &server.address, JSON, None).await
}

#[actix_web::test]
async fn a_form_is_posted_once_with_id_and_secret_form_encoded() {
    let refused = r#"{"error":"invalid_client"}"#;
    let server = Server::start("401 No\r\nContent-Type: Application/JSON; charset=utf-8", refused.as_bytes());
    let form = [("grant_type", "authorization_code"), ("code", "a b&c=ä")];
    let basic = Some(("my client", "+/ =%:"));

    let answer =
        Outbound::in_tests().post_form(NamedBy::Operator, &server.address, &form, basic).await.unwrap();

    let media_type = Some("application/json".to_owned());
    assert_eq!(answer, Answer { status: 401, media_type, body: refused.to_owned() });
    let asked = server.asked().unwrap();
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /token HTTP/1.1\r\n"), "{head}");
    assert_eq!(body, "grant_type=authorization_code&code=a+b%26c%3D%C3%A4");
    let pair = STANDARD.encode("my+client:%2B%2F+%3D%25%3A");
    let told = [
        "accept: application/json",
        &format!("content-type: {FORM}"),
        &format!("authorization: Basic {pair}"),
    ];
    for line in told {
        assert!(head.lines().any(|told| told.eq_ignore_ascii_case(line)), "{line}: {head}");
    }
    assert_eq!(server.asked(), None);
}

#[actix_web::test]
async fn a_bearer_token_is_sent_as_it_is_or_not_at_all() {
    let server = Server::start("200 OK", b"{}");
    let outbound = Outbound::in_tests();
    let get = |token| outbound.get(NamedBy::Operator, &server.address, JSON, Some(token));

    assert_eq!(
        get("a.b-c_~+/==").await.unwrap(),
        Answer { status: 200, media_type: None, body: "{}".to_owned() }
    );
    let asked = server.asked().unwrap();
    assert!(asked.starts_with("GET /token HTTP/1.1\r\n"), "{asked}");
    assert!(
        asked.lines().any(|line| line.eq_ignore_ascii_case("authorization: Bearer a.b-c_~+/==")),
        "{asked}"
    );

    assert_eq!(get("a\r\nHost: evil.example").await, Err(Unreadable::BadToken));
    assert_eq!(server.asked(), None);
}

#[actix_web::test]
async fn a_redirect_is_not_followed() {
    let there = Server::start("200 OK", b"{}");
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start(&format!("{status} Elsewhere\r\nLocation: {}", there.address), b"");
        let outbound = Outbound::in_tests();
        let posted = outbound.post_form(NamedBy::Operator, &server.address, &[("code", "x")], None).await;
        assert_eq!(posted, Err(Unreadable::Status(status)));
        assert_eq!(get(&server).await, Err(Unreadable::Status(status)));
    }
    assert_eq!(there.asked(), None);
}

#[actix_web::test]
async fn an_answer_is_text_of_at_most_a_mebibyte() {
    let of = |status: &str, body: &[u8]| Server::start(status, body);
    let most = vec![b'x'; LARGEST];
    assert_eq!(get(&of("200 OK", &most)).await.unwrap().body.len(), LARGEST);
    assert_eq!(get(&of("200 OK", &[most.as_slice(), b"x"].concat())).await, Err(Unreadable::TooLarge));
    assert_eq!(get(&of("200 OK", b"\xff")).await, Err(Unreadable::NotText));
    let trouble = get(&of("500 Trouble", b"\xff")).await.unwrap();
    assert_eq!((trouble.status, trouble.body.as_str()), (500, ""));
}

#[actix_web::test]
async fn nothing_is_asked_where_the_guard_says_no() {
    let server = Server::start("200 OK", b"{}");
    let outbound = Outbound::in_tests();
    let asked = outbound.get(NamedBy::Owner, &server.address, JSON, Some("token")).await;
    assert_eq!(asked, Err(Unreadable::Private));
    let asked = outbound.post_form(NamedBy::Owner, &server.address, &[("code", "x")], None).await;
    assert_eq!(asked, Err(Unreadable::Private));
    let strict = Outbound { may_be_plain: false, ..Outbound::in_tests() };
    let asked = strict.post_form(NamedBy::Operator, &server.address, &[("code", "x")], None).await;
    assert_eq!(asked, Err(Unreadable::NotHttps));
    assert_eq!(server.asked(), None);
}
