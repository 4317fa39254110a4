//! A small HTTP/1.1 client that keeps its connections alive, and what it saw.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{PASSWORD, process::Process, rows};

/// Which face of a page is asked for.
pub struct Faces(&'static str);

impl Faces {
    pub const HTML: Self = Self("text/html,application/xhtml+xml,*/*;q=0.8");
    pub const JSON: Self = Self("application/json");

    /// A GET as a browser sends it, give or take.
    pub fn get(&self, path: &str, cookie: &str) -> Vec<u8> {
        let accept = self.0;
        format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {FIREFOX}\r\nAccept: {accept}\r\n\
             Sec-Fetch-Site: same-origin\r\nCookie: {cookie}\r\n\r\n"
        )
        .into_bytes()
    }
}

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// A sign-up from the address on the network of one connection.
pub fn signup(address: &str, connection: usize) -> Vec<u8> {
    let body = json!({ "email": address, "password": PASSWORD, "name": "Ada Lovelace" });
    post("/signup", &body.to_string(), connection, FIREFOX)
}

/// A sign-in from the address on the network of one connection.
pub fn login(address: &str, connection: usize, user_agent: &str) -> Vec<u8> {
    let body = json!({ "email": address, "password": PASSWORD });
    post("/login", &body.to_string(), connection, user_agent)
}

/// What the application asks about `permissions` in an organisation, with the cookie of its visitor.
pub fn check(organisation: &str, permissions: &[String], cookie: &str) -> Vec<u8> {
    let body = match permissions {
        [permission] => json!({ "organisation": organisation, "permission": permission }),
        several => {
            let checks: Vec<_> =
                several.iter().map(|permission| json!({ "permission": permission })).collect();
            json!({ "organisation": organisation, "checks": checks })
        }
    };
    let body = body.to_string();
    format!(
        "POST /auth/check HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {FIREFOX}\r\nAccept: application/json\r\n\
         Cookie: {cookie}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// What a proxy asks before it lets a visitor through, whose secret at the host is that of the session.
pub fn gate(cookie: &str) -> Vec<u8> {
    asked_of_gate(&format!("Cookie: {}", cookie.replace("session=", "gate=")))
}

/// The same of a program that shows its key.
pub fn gate_by_key() -> Vec<u8> {
    asked_of_gate(&format!("Authorization: Bearer {}", rows::KEY))
}

fn asked_of_gate(shown: &str) -> Vec<u8> {
    format!(
        "GET /gate/check?vestibule=1 HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {FIREFOX}\r\n\
         Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nSec-Fetch-Site: same-origin\r\n\
         X-Forwarded-Host: {}\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Method: GET\r\n\
         X-Forwarded-Uri: /\r\n{shown}\r\n\r\n",
        rows::PROTECTED,
    )
    .into_bytes()
}

fn post(path: &str, body: &str, connection: usize, user_agent: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {user_agent}\r\nAccept: application/json\r\n\
         X-Forwarded-For: 198.51.100.{connection}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What came back.
pub struct Answer {
    status: u16,
    /// The body's length.
    pub body: usize,
    text: String,
}

impl Answer {
    /// Fails where the status is another one.
    pub fn is(&self, expected: u16) {
        assert_eq!(self.status, expected, "{}", self.text);
    }
}

impl Connection {
    pub fn open(port: u16) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 64 * 1024] })
    }

    /// Sends a request and reads the whole answer.
    pub fn ask(&mut self, request: &[u8]) -> Answer {
        self.stream.write_all(request).unwrap();
        let mut filled = 0;
        let head = loop {
            filled += self.more(filled);
            if let Some(end) = self.buffer[..filled].windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = std::str::from_utf8(&self.buffer[..head]).unwrap().to_ascii_lowercase();
        let (_, rest) = text.split_once("content-length: ").unwrap_or_else(|| panic!("no length: {text}"));
        let body: usize = rest.split("\r\n").next().unwrap().parse().unwrap();
        while filled < head + body {
            filled += self.more(filled);
        }
        let status = text.get(9..12).unwrap().parse().unwrap();
        let text = if status < 300 { String::new() } else { self.text(filled) };
        Answer { status, body, text }
    }

    fn more(&mut self, filled: usize) -> usize {
        let read = self.stream.read(&mut self.buffer[filled..]).unwrap();
        assert_ne!(read, 0, "the server hung up: {}", self.text(filled));
        read
    }

    fn text(&self, filled: usize) -> String {
        String::from_utf8_lossy(&self.buffer[..filled]).into_owned()
    }
}

/// What a load saw. Times in seconds.
#[derive(Clone)]
pub struct Outcome {
    /// Requests per second.
    pub rate: f64,
    pub p50: f64,
    pub p99: f64,
    /// CPU of the server per request.
    pub cpu: f64,
}

/// Some connections that ask without a pause.
pub struct Load<'a> {
    pub server: &'a Process,
    pub connections: usize,
    pub lasts: Duration,
}

impl Load<'_> {
    /// Asks for as long as it lasts; each connection's each turn makes its own request.
    pub fn run(&self, status: u16, request: impl Fn(usize, usize) -> Vec<u8> + Sync) -> Outcome {
        let (began, cpu) = (Instant::now(), self.server.cpu());
        let times = self.everybody(status, |_| began.elapsed() < self.lasts, request);
        let (took, cpu) = (began.elapsed(), self.server.cpu() - cpu);
        Outcome::of(times.into_iter().map(|(_, time)| time).collect(), took, cpu)
    }

    /// Asks until told to stop. When each answer came.
    pub fn until(
        &self,
        status: u16,
        stop: &AtomicBool,
        request: impl Fn(usize, usize) -> Vec<u8> + Sync,
    ) -> Vec<Instant> {
        let times = self.everybody(status, |_| !stop.load(Ordering::Relaxed), request);
        times.into_iter().map(|(at, _)| at).collect()
    }

    /// Connections that each ask at a pace.
    pub fn probe(
        &self,
        status: u16,
        pace: Duration,
        lasts: Duration,
        request: impl Fn(usize, usize) -> Vec<u8> + Sync,
    ) -> Outcome {
        let (began, cpu) = (Instant::now(), self.server.cpu());
        let next = |turn: usize| {
            let due = pace * u32::try_from(turn).unwrap();
            thread::sleep(due.saturating_sub(began.elapsed()));
            due < lasts
        };
        let times = self.everybody(status, next, request);
        let (took, cpu) = (began.elapsed(), self.server.cpu() - cpu);
        Outcome::of(times.into_iter().map(|(_, time)| time).collect(), took, cpu)
    }

    fn everybody(
        &self,
        status: u16,
        goes_on: impl Fn(usize) -> bool + Sync,
        request: impl Fn(usize, usize) -> Vec<u8> + Sync,
    ) -> Vec<(Instant, Duration)> {
        let all = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for number in 0..self.connections {
                let (all, goes_on, request) = (&all, &goes_on, &request);
                let mut connection = self.server.connect();
                scope.spawn(move || {
                    let mut times = Vec::new();
                    for turn in (0..).take_while(|turn| goes_on(*turn)) {
                        let (asked, request) = (Instant::now(), request(number, turn));
                        connection.ask(&request).is(status);
                        let answered = Instant::now();
                        times.push((answered, answered - asked));
                    }
                    all.lock().unwrap().append(&mut times);
                });
            }
        });
        all.into_inner().unwrap()
    }
}

impl Outcome {
    fn of(mut times: Vec<Duration>, took: Duration, cpu: f64) -> Self {
        times.sort();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64();
        let count = times.len() as f64;
        Self { rate: count / took.as_secs_f64(), p50: at(0.5), p99: at(0.99), cpu: cpu / count }
    }
}

/// The round in the middle, by CPU per request.
pub fn middle(mut rounds: Vec<Outcome>) -> Outcome {
    rounds.sort_by(|one, other| one.cpu.total_cmp(&other.cpu));
    rounds[rounds.len() / 2].clone()
}
