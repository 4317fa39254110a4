//! A request as bytes on a connection of its own: what no well-behaved client would send.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use actix_web::http::{
    StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};

use super::Answer;

/// Sends these bytes and reads until the other side closes: the request has to ask for that (`Connection: close`), unless
/// it is in HTTP/1.0. Chunks stay as they came.
pub async fn speak(port: u16, request: impl Into<Vec<u8>>) -> Answer {
    let request = request.into();
    let output = String::from_utf8_lossy(request.split(|byte| *byte == b'\r').next().unwrap()).into_owned();
    let whole = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(&request).unwrap();
        let mut whole = Vec::new();
        stream.read_to_end(&mut whole).unwrap_or_else(|cause| panic!("{output}: {cause}"));
        (output, whole)
    });
    let (output, whole) = whole.await.unwrap();
    read(output, &whole)
}

/// A request line, header lines and a body; the connection is closed after it.
pub fn request(line: &str, headers: &[Vec<u8>], body: &str) -> Vec<u8> {
    let mut request = format!("{line}\r\nhost: localhost\r\nconnection: close\r\n").into_bytes();
    for header in headers {
        request.extend_from_slice(header);
        request.extend_from_slice(b"\r\n");
    }
    if !body.is_empty() {
        request.extend(format!("content-length: {}\r\n", body.len()).into_bytes());
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body.as_bytes());
    request
}

fn read(request: String, whole: &[u8]) -> Answer {
    let whole = std::str::from_utf8(whole).unwrap();
    // What comes before the final answer (RFC 9110 §15.2).
    let whole = whole.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(whole);
    let (head, body) =
        whole.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{request}: no answer: {whole}"));
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    let status: StatusCode = status.parse().unwrap();
    Answer { status, headers, body: body.to_owned(), request }
}
